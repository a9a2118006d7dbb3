/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/ids.h"
#include "cmd/sandbox-exec/lsm.h"
#include "cmd/sandbox-exec/setting.h"
#include "cmd/sandbox-exec/stack.h"
#include "common/exit.h"
#include "common/io.h"

/* With a text in s->error, and errno. */
static int
fail(struct init_start *s, enum init_stage stage)
{
	s->number = errno;
	s->stage = stage;
	s->failed = true;
	return -1;
}

static int
fail_errno(struct init_start *s, enum init_stage stage, const char *what)
{
	error_errno(&s->error, "%s", what);
	return fail(s, stage);
}

/* The word changes after the stage: who has seen both has missed nothing. */
static void
reach(struct init_start *s, enum builder_stage stage)
{
	__atomic_store_n(&s->reached, stage, __ATOMIC_RELEASE);
	__atomic_store_n(&s->running, 1 + (int)stage, __ATOMIC_RELEASE);
	latch_wake_word(&s->running);
}

/* Some hosts let us have namespaces and then nothing in them. */
static enum init_stage
stage_of(const struct tree *t)
{
	return t->refused ? STAGE_NAMESPACES : STAGE_POLICY;
}

static int
open_files(struct init_start *s)
{
	const struct owner same = {.map = false};
	struct init_args *a = s->args;

	if (tree_make_root(a->tree, a->policy, &s->error) != 0)
		return fail(s, STAGE_NAMESPACES);
	if (a->open_in_init && tree_open(a->tree, a->policy, &same,
	    &s->error) != 0)
		return fail(s, stage_of(a->tree));
	if (tree_attach_root(a->tree, &s->error) != 0)
		return fail(s, STAGE_NAMESPACES);
	return 0;
}

/* Goes where init is. */
static int
enter_namespaces(struct init_start *s)
{
	const char *name = s->args->policy->hostname;
	int fd, r = -1;

	latch_wait(&s->network);
	errno = s->network_number;
	if (errno != 0)
		return fail_errno(s, STAGE_NAMESPACES, s->own_network ?
		    "network, ipc, uts and cgroup namespaces" :
		    "ipc, uts and cgroup namespaces");
	fd = (int)syscall(SYS_pidfd_open, 1, 0);
	if (fd != -1)
		r = setns(fd, INIT_NAMESPACES | (s->own_network ?
		    CLONE_NEWNET : 0));
	io_close(&fd);
	if (r != 0)
		return fail_errno(s, STAGE_NAMESPACES, "setns");
	if (name == NULL)
		name = "sandbox";
	if (sethostname(name, strlen(name)) != 0 ||
	    setdomainname("(none)", 6) != 0)
		return fail_errno(s, STAGE_NAMESPACES, "host name");
	return 0;
}

/* What stdin, stdout and stderr are is reachable by name through
 * /proc/self/fd; it may be used that way as it may be used directly. */
static int
allow_stdio(struct landlock *l, const struct confine_io *io)
{
	const int fds[] = {io->in, io->out, io->err};

	for (size_t i = 0; i < 3; i++) {
		struct stat st;
		int flags = fcntl(fds[i], F_GETFL);

		if (flags == -1 || fstat(fds[i], &st) != 0)
			continue;
		/* A directory is a way to all that is below it. */
		if (S_ISDIR(st.st_mode)) {
			errno = EISDIR;
			return -1;
		}
		if (!(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
			continue;
		/* EBADFD: it is in memory, and nothing there has a name that
		 * a rule could be for. */
		if (landlock_allow_file(l, fds[i],
		    (flags & O_ACCMODE) != O_WRONLY,
		    (flags & O_ACCMODE) != O_RDONLY) != 0 &&
		    errno != EBADFD)
			return -1;
	}
	return 0;
}

/* What the file tools' process is executed from; to a copy in memory the
 * rules do not apply. */
static int
allow_exe(struct landlock *l, const struct confine_io *io)
{
	bool wanted = io->argv == NULL && io->probe == NULL &&
	    fcntl(io->exe_fd, F_GET_SEALS) == -1;

	return wanted ? landlock_allow_read(l, io->exe_fd) : 0;
}

static int
enter_workdir(const struct init_args *a)
{
	if (a->policy->workdir != NULL)
		return chdir(a->policy->workdir);
	if (a->cwd[0] == '/' && chdir(a->cwd) == 0)
		return 0;
	return chdir(setting_home(a->policy)) == 0 ? 0 : chdir("/");
}

/* Whether something is not as a full sandbox has it; *ret is the first. */
static bool
has_shortfall(const struct tree *t, struct error *ret)
{
	if (t->no_proc)
		error_set(ret, "the kernel refuses a new /proc");
	else if (t->no_idmap != NULL)
		error_set(ret, "the file system of %s cannot map owners",
		    t->no_idmap);
	else if (t->cut)
		error_set(ret, "too many files to look for all repositories");
	else
		return false;
	return true;
}

static int
check_required(struct init_start *s)
{
	struct init_args *a = s->args;
	bool landlock = (a->policy->require & REQUIRE_LANDLOCK) != 0;

	if (landlock && s->landlock.abi == 0) {
		error_set(&s->error, "landlock is required, and the kernel has "
		    "none");
		return fail(s, STAGE_POLICY);
	}
	if (a->policy->require == REQUIRE_FULL &&
	    has_shortfall(a->tree, &s->error)) {
		error_prefix(&s->error, "full isolation is required");
		return fail(s, STAGE_POLICY);
	}
	return 0;
}

/* In both tiers, when the tree stands. */
static int
finish_rules(struct init_start *s)
{
	struct init_args *a = s->args;
	const char *dir = a->policy->workdir;

	if (check_required(s) != 0)
		return -1;
	if (allow_stdio(&s->landlock, a->io) != 0)
		return fail_errno(s, STAGE_POLICY, "standard descriptors");
	if (allow_exe(&s->landlock, a->io) != 0)
		return fail_errno(s, STAGE_POLICY, "this program's file");
	if (enter_workdir(a) != 0) {
		error_errno(&s->error, "workdir: %s: in the sandbox",
		    dir == NULL ? "/" : dir);
		return fail(s, STAGE_POLICY);
	}
	return 0;
}

static int
build(struct init_start *s)
{
	struct init_args *a = s->args;

	/* Capabilities in a user namespace of our own stay. */
	if (s->owner.map && ids_become(s->owner.inside) != 0)
		return fail_errno(s, STAGE_NAMESPACES, "ids");
	if (landlock_open(&s->landlock, false) != 0)
		return fail_errno(s, STAGE_POLICY, "landlock");
	if (open_files(s) != 0)
		return -1;
	a->tree->watches.known = a->io->watch;
	if (tree_build(a->tree, a->policy, &s->landlock, &s->error) != 0)
		return fail(s, stage_of(a->tree));
	if (tree_enter(a->tree) != 0)
		return fail_errno(s, stage_of(a->tree), "pivot_root");
	reach(s, BUILDER_ENTERED);
	if (finish_rules(s) != 0)
		return -1;
	payload_bound_capabilities(s->capabilities);
	return enter_namespaces(s);
}

/* The policy may be unknown yet.  Root, who is cloned with other ids, takes its
 * own back before it tells the policy, which takes the files in /proc of a
 * memory that is ours as well from us. */
static int
begin(struct init_start *s)
{
	int number = 0;

	if (!s->owner.map)
		number = ids_map(s->owner.inside, s->owner.host);
	if (s->early)
		latch_wait(&s->policy);
	s->began = true;
	if (s->owner.map)
		number = ids_map(s->owner.inside, s->owner.host);
	errno = number;
	if (number != 0)
		return fail_errno(s, STAGE_NAMESPACES, "user namespace");
	return 0;
}

/* Nothing fails here but what the sandbox fails with. */
static int
become_payload(struct init_start *s)
{
	struct payload *p = &s->payload;

	if (payload_give_up(p) != 0)
		return p->code;
	/* The working directory was init's as well. */
	if (unshare(CLONE_FS) != 0) {
		p->code = EXIT_SANDBOX;
		error_errno(&p->failed, "unshare");
		return p->code;
	}
	if (payload_restrict(p) != 0)
		return p->code;
	latch_wait(&s->ready);
	payload_execute(p);
	return p->code;
}

/* It ends by returning, see payload.c. */
static int
builder_main(void *start)
{
	struct init_start *s = start;

	if (begin(s) == 0 && build(s) == 0) {
		s->payload.args = s->args;
		s->payload.landlock = &s->landlock;
	}
	reach(s, BUILDER_BUILT);
	return s->failed || !s->is_command ? EXIT_OK : become_payload(s);
}

int
builder_start(struct init_start *s)
{
	char *stack = stack_make();

	if (stack == NULL)
		return -1;
	/* The descriptors are shared until it closes those of others, the
	 * working directory until it executes the command. */
	s->pid = clone(builder_main, stack, CLONE_VM | CLONE_FILES | CLONE_FS |
	    CLONE_CHILD_CLEARTID | SIGCHLD, s, NULL, NULL, &s->running);
	return s->pid == -1 ? -1 : 0;
}

/* Whoever kills it alone must not leave us waiting: the kernel clears the word
 * when the process lets go of our memory. */
int
builder_wait(struct init_start *s, enum builder_stage stage)
{
	int seen;

	do {
		seen = __atomic_load_n(&s->running, __ATOMIC_ACQUIRE);
		if (__atomic_load_n(&s->reached, __ATOMIC_ACQUIRE) >= stage)
			return s->failed ? -1 : 0;
		if (seen != 0)
			latch_wait_word(&s->running, seen);
	} while (seen != 0);
	error_set(&s->error, "the process that builds the sandbox was killed");
	s->number = 0;
	s->stage = STAGE_POLICY;
	s->failed = true;
	return -1;
}

pid_t
builder_run(struct init_start *s, struct error *e)
{
	const int built = 1 + BUILDER_BUILT;

	latch_open(&s->ready);
	while (__atomic_load_n(&s->running, __ATOMIC_ACQUIRE) == built)
		latch_wait_word(&s->running, built);
	if (s->payload.code == 0)
		return s->pid;
	waitpid(s->pid, NULL, 0);
	*e = s->payload.failed;
	e->code = s->payload.code;
	return -1;
}

int
builder_lower(struct init_start *s)
{
	struct init_args *a = s->args;
	struct landlock *l = &s->landlock;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return fail_errno(s, STAGE_POLICY, "subreaper");
	if (landlock_open(l, a->policy->net != POLICY_NET_HOST) != 0)
		return fail_errno(s, STAGE_POLICY, "landlock");
	if (l->abi == 0) {
		error_set(&s->error, "neither user namespaces nor Landlock "
		    "are to be had here");
		return fail(s, STAGE_POLICY);
	}
	if (lsm_allow(a->policy, a->scratch, l, &s->error) != 0)
		return fail(s, STAGE_POLICY);
	payload_bound_capabilities(s->capabilities);
	if (s->owner.map && ids_become(s->owner.host) != 0)
		return fail_errno(s, STAGE_POLICY, "ids");
	return finish_rules(s);
}
