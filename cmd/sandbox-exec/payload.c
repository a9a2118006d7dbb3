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

/* What the child has of init's memory until it executes the command. */
struct start {
	struct init_args *a;
	struct landlock *landlock;
	struct error *error;
	int code; /* exit status if it could not start; 0: it runs */
};

void
payload_bound_capabilities(void)
{
	for (unsigned long c = 0; prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0;)
		c++;
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

/* Puts fds at 0, 1 and 2.  They are there already, or above. */
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

static int
close_others(const struct policy *p, const struct confine_io *io)
{
	if (io->extra_to != 0 && io->extra_fd != io->extra_to &&
	    dup2(io->extra_fd, io->extra_to) == -1)
		return -1;
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
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
fail(struct start *s, const char *what)
{
	s->code = EXIT_SANDBOX;
	return error_errno(s->error, "%s", what);
}

/* The order: what needs capabilities, then capabilities, then what needs
 * no_new_privs; seccomp last, since it refuses some of the rest. */
static int
give_up(struct start *s)
{
	struct init_args *a = s->a;
	sigset_t none;

	if (setsid() == -1)
		return fail(s, "setsid");
	if (place_stdio(a->io) != 0 || close_others(a->policy, a->io) != 0)
		return fail(s, "descriptors");
	if (limits_set_rlimits(a->limits, a->policy) != 0)
		return fail(s, "rlimits");
	if (payload_drop_capabilities() != 0)
		return fail(s, "capabilities");
	if (landlock_restrict(s->landlock) != 0)
		return fail(s, "landlock");
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (seccomp_install(a->tier == CONFINE_LSM,
	    a->tier == CONFINE_LSM && a->policy->net != POLICY_NET_HOST) != 0)
		return fail(s, "seccomp");
	return 0;
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
		if (n != 0 && str_format(path, sizeof path, "%.*s/%s",
		    (int)n, dir, argv[0]) == 0) {
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
		error_set(e, "%s: command not found", argv[0]);
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
execute(const struct start *s)
{
	const struct confine_io *io = s->a->io;
	char *const *argv = io->argv;
	char *const *env = s->a->tier == CONFINE_FULL ? s->a->policy->env :
	    lsm_environment(s->a->policy, s->a->scratch);

	if (io->env != NULL)
		env = merge_env(io->env, env);
	if (io->from_exe) {
		execveat(io->exe_fd, "", argv, env, AT_EMPTY_PATH);
		return explain(s->error, argv[0], errno);
	}
	if (strchr(argv[0], '/') == NULL)
		return execute_in_path(s->error, path_of(s->a->policy), argv,
		    env);
	execve(argv[0], argv, env);
	return explain(s->error, argv[0], errno);
}

/* Nothing runs while the host's tree is there. */
static int
wait_alone(struct start *s)
{
	struct init_leaving *l = s->a->leaving;

	if (l == NULL)
		return 0;
	latch_wait(&l->left);
	errno = EBUSY;
	return l->failed ? fail(s, "the host's tree") : 0;
}

/* It ends by returning, as does all that clone(2) starts here: AddressSanitizer
 * takes the call of a function that does not return for one on the stack that
 * the process began with. */
static int
child_main(void *arg)
{
	struct start *s = arg;

	if (give_up(s) == 0 && wait_alone(s) == 0) {
		if (s->a->io->probe != NULL)
			return s->a->io->probe(s->a->io->probe_arg);
		s->code = execute(s);
	}
	return s->code;
}

/* The child borrows init's memory until it executes (as vfork(2) does): its
 * failure is in s when clone returns.  A probe runs on a copy instead. */
pid_t
payload_start(struct init_args *a, struct landlock *l, struct error *e)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));
	struct start s = {a, l, e, 0};
	int flags = a->io->probe != NULL ? SIGCHLD :
	    CLONE_VM | CLONE_VFORK | SIGCHLD;
	pid_t pid = clone(child_main, stack + sizeof stack, flags, &s);

	if (pid == -1) {
		e->code = EXIT_SANDBOX;
		return error_errno(e, "clone");
	}
	if (s.code == 0)
		return pid;
	waitpid(pid, NULL, 0);
	e->code = s.code;
	return -1;
}
