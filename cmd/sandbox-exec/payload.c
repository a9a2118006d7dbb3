/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/init.h"
#include "cmd/sandbox-exec/lsm.h"
#include "cmd/sandbox-exec/seccomp.h"
#include "common/exit.h"
#include "common/str.h"

enum {
	STACK_SIZE = 64 << 10,
	BITS = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
	    SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
	    SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
	    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
};

unsigned
payload_capabilities(void)
{
	unsigned long n = CAP_LAST_CAP + 1;

	while (prctl(PR_CAPBSET_READ, n, 0, 0, 0) != -1)
		n++;
	return (unsigned)n;
}

void
payload_bound_capabilities(unsigned count)
{
	for (unsigned long c = 0; c < count; c++)
		prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

int
payload_drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_SET_SECUREBITS, BITS, 0, 0, 0) != 0 && errno != EPERM)
		return -1;
	if (syscall(SYS_capset, &header, none) != 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Puts fds at 0, 1 and 2, where they are already, or above. */
static int
place_stdio(const struct confine_io *io)
{
	const int from[] = {io->in, io->out, io->err};

	for (int i = 0; i < 3; i++) {
		if (from[i] != i && dup2(from[i], i) == -1)
			return -1;
	}
	return 0;
}

/* Keeps what is granted; of a table of descriptors of its own. */
static int
keep_descriptors(const struct policy *p, const struct confine_io *io)
{
	if (close_range(3, ~0U, CLOSE_RANGE_UNSHARE |
	    CLOSE_RANGE_CLOEXEC) != 0 || place_stdio(io) != 0)
		return -1;
	if (io->extra_to != 0 && io->extra_fd != io->extra_to &&
	    dup2(io->extra_fd, io->extra_to) == -1)
		return -1;
	if (io->extra_to != 0 && fcntl(io->extra_to, F_SETFD, 0) == -1)
		return -1;
	for (size_t i = 0; i < p->fd_count; i++) {
		if (fcntl(p->fds[i], F_SETFD, 0) == -1)
			return -1;
	}
	return 0;
}

static int
fail(struct payload *p, const char *what)
{
	p->code = EXIT_SANDBOX;
	return error_errno(&p->failed, "%s", what);
}

/* The order: what needs capabilities, then capabilities, then what needs
 * no_new_privs. */
int
payload_give_up(struct payload *p)
{
	struct init_args *a = p->args;
	sigset_t none;

	if (setsid() == -1)
		return fail(p, "setsid");
	if (keep_descriptors(a->policy, a->io) != 0)
		return fail(p, "descriptors");
	if (limits_set_rlimits(a->limits, a->policy) != 0)
		return fail(p, "rlimits");
	if (payload_drop_capabilities() != 0)
		return fail(p, "capabilities");
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (seccomp_install(a->tier == CONFINE_LSM,
	    a->tier == CONFINE_LSM && a->policy->net != POLICY_NET_HOST) != 0)
		return fail(p, "seccomp");
	return 0;
}

/* When all rules are made. */
int
payload_restrict(struct payload *p)
{
	return landlock_restrict(p->landlock) == 0 ? 0 : fail(p, "landlock");
}

static const char *
path_of(const struct policy *p)
{
	for (size_t i = 0; i < p->env_count; i++) {
		if (str_starts(p->env[i], "PATH="))
			return p->env[i] + 5;
	}
	return "/usr/local/bin:/usr/bin:/bin";
}

/* Says why path could not be executed.  Returns the exit status. */
static int
explain(struct error *e, const char *path, int number)
{
	bool missing = (number == ENOENT || number == ENOTDIR) &&
	    faccessat(AT_FDCWD, path, F_OK, 0) != 0;

	errno = number;
	if (missing)
		error_set(e, "%s: command not found", path);
	else if (number == ENOENT)
		error_set(e, "%s: its interpreter is not in the sandbox",
		    path);
	else
		error_errno(e, "%s", path);
	return missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Searches PATH as execvp(3) does: a command that is there but cannot be
 * executed is remembered while the search goes on. */
static int
execute_in_path(struct error *e, const char *dir, char *const *argv,
    char *const *env)
{
	char path[PATH_MAX], failed[PATH_MAX] = "";
	int number = 0;

	for (size_t n; ; dir += n + 1) {
		n = strcspn(dir, ":");
		/* An empty part would be the working directory. */
		if (n != 0 && argv[0][0] != '\0' && str_format(path,
		    sizeof path, "%.*s/%s", (int)n, dir, argv[0]) == 0) {
			execve(path, argv, env);
			if (errno != ENOENT && errno != ENOTDIR) {
				number = errno;
				str_format(failed, sizeof failed, "%s", path);
			}
		}
		if (dir[n] == '\0')
			break;
	}
	if (number == 0) {
		error_set(e, "%s: command not found",
		    argv[0][0] == '\0' ? "''" : argv[0]);
		return EXIT_NOT_FOUND;
	}
	return explain(e, failed, number);
}

/* Whether list has a variable of entry's name. */
static bool
has_name(char *const *list, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (; *list != NULL; list++) {
		if (strncmp(*list, entry, n) == 0)
			return true;
	}
	return false;
}

/* The command's own variables, then the others. */
static char *const *
merge_env(char *const *own, char *const *others)
{
	static char *env[POLICY_ENV_MAX + INIT_WORDS_MAX + 3];
	size_t n = 0;

	for (char *const *v = own; *v != NULL; v++)
		env[n++] = *v;
	for (char *const *v = others; *v != NULL; v++) {
		if (!has_name(own, *v))
			env[n++] = *v;
	}
	env[n] = NULL;
	return env;
}

/* Does not return unless it fails, with the exit status. */
static int
execute(struct payload *p)
{
	const struct confine_io *io = p->args->io;
	char *const *argv = io->argv;
	char *const *env = p->args->tier == CONFINE_FULL ? p->args->policy->env :
	    lsm_environment(p->args->policy, p->args->scratch);

	if (io->env != NULL)
		env = merge_env(io->env, env);
	if (io->from_exe) {
		execveat(io->exe_fd, "", argv, env, AT_EMPTY_PATH);
		return explain(&p->failed, argv[0], errno);
	}
	if (strchr(argv[0], '/') == NULL)
		return execute_in_path(&p->failed, path_of(p->args->policy), argv,
		    env);
	execve(argv[0], argv, env);
	return explain(&p->failed, argv[0], errno);
}

int
payload_execute(struct payload *p)
{
	p->code = execute(p);
	return -1;
}

/* It ends by returning, as does all that clone(2) starts here: AddressSanitizer
 * takes the call of a function that does not return for one on the stack that
 * the process began with. */
static int
start(void *arg)
{
	struct payload *p = arg;

	if (payload_give_up(p) == 0 && payload_restrict(p) == 0) {
		if (p->args->io->probe != NULL)
			return p->args->io->probe(p->args->io->probe_arg);
		payload_execute(p);
	}
	return p->code;
}

/* The child borrows init's memory until it executes (as vfork(2) does): its
 * failure is in p when clone returns.  A probe runs on a copy instead. */
pid_t
payload_start(struct init_args *a, struct landlock *l, struct error *e)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));
	struct payload p = {.args = a, .landlock = l};
	int flags = a->io->probe != NULL ? SIGCHLD :
	    CLONE_VM | CLONE_VFORK | SIGCHLD;
	pid_t pid = clone(start, stack + sizeof stack, flags, &p);

	if (pid == -1) {
		e->code = EXIT_SANDBOX;
		return error_errno(e, "clone");
	}
	if (p.code == 0)
		return pid;
	waitpid(pid, NULL, 0);
	*e = p.failed;
	e->code = p.code;
	return -1;
}
