/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/channel.h"
#include "cmd/sandbox-exec/commands.h"
#include "cmd/sandbox-exec/ids.h"
#include "cmd/sandbox-exec/lsm.h"
#include "cmd/sandbox-exec/netns.h"
#include "cmd/sandbox-exec/payload.h"
#include "cmd/sandbox-exec/userns.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

enum { NETWORK_STACK = 64 << 10 };

/* Tells the supervisor and ends, and with it the sandbox. */
static _Noreturn void
fail(struct init_args *a, enum init_stage stage, const struct error *e)
{
	struct init_message m = {.type = INIT_FAILED};

	m.failed.number = errno;
	m.failed.stage = stage;
	m.failed.error = *e;
	channel_send(a->control_fd, &m, -1);
	_exit(EXIT_SANDBOX);
}

static _Noreturn void
fail_errno(struct init_args *a, enum init_stage stage, const char *what)
{
	struct error e = {.code = EXIT_SANDBOX};

	error_errno(&e, "%s", what);
	fail(a, stage, &e);
}

/* Becomes the payload's user, for good; capabilities in our own user
 * namespace stay. */
static int
become(uid_t uid, gid_t gid)
{
	return setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0 ?
	    -1 : 0;
}

static void
enter_ids(struct init_args *a)
{
	const char *name = a->policy->hostname;

	if (ids_map((struct ids){a->uid, a->gid}, (struct ids){a->owner.uid,
	    a->owner.gid}) != 0)
		fail_errno(a, STAGE_NAMESPACES, "user namespace");
	if (a->owner.map && become(a->uid, a->gid) != 0)
		fail_errno(a, STAGE_NAMESPACES, "ids");
	userns_limit();
	if (name == NULL)
		name = "sandbox";
	if (sethostname(name, strlen(name)) != 0 ||
	    setdomainname("(none)", 6) != 0)
		fail_errno(a, STAGE_NAMESPACES, "host name");
}

/* Some hosts let us have namespaces and then nothing in them. */
static enum init_stage
stage_of(const struct tree *t)
{
	return t->refused ? STAGE_NAMESPACES : STAGE_POLICY;
}

static void
open_files(struct init_args *a)
{
	const struct tree_owner same = {.map = false};
	struct error e = {.code = EXIT_SANDBOX};

	if (tree_make_root(a->tree, a->policy, &e) != 0)
		fail(a, STAGE_NAMESPACES, &e);
	if (a->open_in_init && tree_open(a->tree, a->policy, &same, &e) != 0)
		fail(a, stage_of(a->tree), &e);
}

/* What the network's maker leaves for init. */
struct network {
	struct latch made;
	struct init_leaving leaving;
	int ns_fd; /* -1: it could not */
};

/* It shares init's memory and descriptors, and so its errno: whatever fails
 * here costs the sandbox, and nothing that may fail belongs here. */
static int
make_network(void *arg)
{
	struct network *n = arg;

	if (unshare(CLONE_NEWNET) == 0)
		n->ns_fd = netns_open();
	latch_open(&n->made);
	latch_wait(&n->leaving.entered);
	n->leaving.failed = tree_leave() != 0;
	latch_open(&n->leaving.left);
	return 0;
}

/* A network namespace takes the kernel as long as everything else together:
 * a process of its own makes it while init builds the tree, and then lets go
 * of the host's tree while init goes on.  init reaps it in the end. */
static void
start_network(struct init_args *a, struct network *n)
{
	static char stack[NETWORK_STACK] __attribute__((aligned(16)));
	pid_t pid;

	n->ns_fd = -1;
	if (latch_init(&n->made) != 0 ||
	    latch_init(&n->leaving.entered) != 0 ||
	    latch_init(&n->leaving.left) != 0)
		fail_errno(a, STAGE_POLICY, "eventfd");
	pid = clone(make_network, stack + sizeof stack, CLONE_VM |
	    CLONE_FILES | SIGCHLD, n);
	if (pid == -1)
		fail_errno(a, STAGE_POLICY, "clone");
	a->leaving = &n->leaving;
}

/* If it could not be made init tries itself, and learns why. */
static void
enter_network(struct init_args *a, struct network *n)
{
	latch_wait(&n->made);
	if ((n->ns_fd == -1 ? unshare(CLONE_NEWNET) :
	    setns(n->ns_fd, CLONE_NEWNET)) != 0)
		fail_errno(a, STAGE_NAMESPACES, "network namespace");
	io_close(&n->ns_fd);
	/* A kernel of somebody else's may have brought it up already. */
	if (netns_up() != 0 && errno != EEXIST && errno != EPERM)
		fail_errno(a, STAGE_NAMESPACES, "loopback");
}

/* What the gate accepts on. */
static void
send_listeners(struct init_args *a)
{
	struct confine_listener listeners[CONFINE_LISTENERS_MAX];
	struct error e = {.code = EXIT_SANDBOX};
	size_t count = 0;

	if (a->policy->net == POLICY_NET_ALLOW &&
	    netns_listen(a->policy, listeners, &count, &e) != 0)
		fail(a, STAGE_NAMESPACES, &e);
	for (size_t i = 0; i < count; i++) {
		struct init_message m = {.type = INIT_LISTENER};

		m.listener.kind = listeners[i].kind;
		m.listener.port = listeners[i].port;
		if (channel_send(a->control_fd, &m, listeners[i].fd) != 0)
			_exit(EXIT_SANDBOX);
		io_close(&listeners[i].fd);
	}
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
		if (landlock_allow_file(l, fds[i],
		    (flags & O_ACCMODE) != O_WRONLY,
		    (flags & O_ACCMODE) != O_RDONLY) != 0)
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

static const char *
home_of(const struct policy *p)
{
	for (size_t i = 0; i < p->env_count; i++) {
		if (str_starts(p->env[i], "HOME="))
			return p->env[i] + 5;
	}
	return "/";
}

static int
enter_workdir(const struct init_args *a)
{
	if (a->policy->workdir != NULL)
		return chdir(a->policy->workdir);
	if (a->cwd[0] == '/' && chdir(a->cwd) == 0)
		return 0;
	return chdir(home_of(a->policy)) == 0 ? 0 : chdir("/");
}

/* The full tier: everything happens in namespaces of its own. */
static void
build_full(struct init_args *a, struct landlock *l)
{
	static struct network network;
	struct error e = {.code = EXIT_SANDBOX};
	bool own_network = a->policy->net != POLICY_NET_HOST &&
	    a->policy->netns_fd == -1;

	if (own_network)
		start_network(a, &network);
	enter_ids(a);
	open_files(a);
	if (landlock_open(l, false) != 0)
		fail_errno(a, STAGE_POLICY, "landlock");
	if (tree_build(a->tree, a->policy, l, &e) != 0)
		fail(a, stage_of(a->tree), &e);
	payload_bound_capabilities();
	if (own_network) {
		enter_network(a, &network);
		send_listeners(a);
	}
	if (tree_enter(a->tree) != 0)
		fail_errno(a, stage_of(a->tree), "pivot_root");
	if (!own_network && tree_leave() != 0)
		fail_errno(a, STAGE_NAMESPACES, "umount2");
	if (own_network)
		latch_open(&network.leaving.entered);
}

/* The lower one: the host's tree behind Landlock. */
static void
build_lsm(struct init_args *a, struct landlock *l)
{
	struct error e = {.code = EXIT_SANDBOX};

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		fail_errno(a, STAGE_POLICY, "subreaper");
	if (landlock_open(l, a->policy->net != POLICY_NET_HOST) != 0)
		fail_errno(a, STAGE_POLICY, "landlock");
	if (l->abi == 0) {
		error_set(&e, "neither user namespaces nor Landlock are to be "
		    "had here");
		fail(a, STAGE_POLICY, &e);
	}
	if (lsm_allow(a->policy, a->scratch, l, &e) != 0)
		fail(a, STAGE_POLICY, &e);
	payload_bound_capabilities();
	if (a->owner.map && become(a->owner.uid, a->owner.gid) != 0)
		fail_errno(a, STAGE_POLICY, "ids");
}

/* The first thing that is not as a full sandbox has it, or NULL. */
static const char *
find_shortfall(const struct tree *t)
{
	return t->no_proc ? "the kernel refuses a new /proc" :
	    t->no_idmap ? "the file system of a path cannot map owners" :
	    t->cut ? "too many files to look for all repositories" : NULL;
}

static void
check_required(struct init_args *a, const struct landlock *l)
{
	struct error e = {.code = EXIT_SANDBOX};
	bool landlock = (a->policy->require & REQUIRE_LANDLOCK) != 0;
	const char *shortfall = find_shortfall(a->tree);

	if (landlock && l->abi == 0) {
		error_set(&e, "landlock is required, and the kernel has "
		    "none");
		fail(a, STAGE_POLICY, &e);
	}
	if (a->policy->require == REQUIRE_FULL && shortfall != NULL) {
		error_set(&e, "full isolation is required: %s", shortfall);
		fail(a, STAGE_POLICY, &e);
	}
}

static void
build(struct init_args *a, struct landlock *l)
{
	if (limits_join(a->limits, a->join_v2) != 0)
		fail_errno(a, STAGE_POLICY, "cgroup");
	if (a->tier == CONFINE_FULL)
		build_full(a, l);
	else
		build_lsm(a, l);
	check_required(a, l);
	if (allow_stdio(l, a->io) != 0)
		fail_errno(a, STAGE_POLICY, "standard descriptors");
	if (allow_exe(l, a->io) != 0)
		fail_errno(a, STAGE_POLICY, "this program's file");
	if (enter_workdir(a) != 0)
		fail_errno(a, STAGE_POLICY, a->policy->workdir);
}

static void
send_ready(const struct init_args *a, const struct landlock *l)
{
	struct init_message m = {.type = INIT_READY};

	if (getcwd(m.ready.workdir, sizeof m.ready.workdir) == NULL)
		str_format(m.ready.workdir, sizeof m.ready.workdir, "/");

	m.ready.no_proc = a->tree->no_proc;
	m.ready.no_idmap = a->tree->no_idmap;
	m.ready.cut = a->tree->cut;
	m.ready.landlock_abi = l->abi;
	channel_send(a->control_fd, &m, -1);
}

_Noreturn void
init_end(const struct init_args *a)
{
	if (a->tier == CONFINE_LSM) {
		lsm_kill_all();
		lsm_remove_scratch(a->scratch);
	}
	_exit(EXIT_OK);
}

/* Reaps everything; the payload's end is ours. */
static void
reap(const struct init_args *a, pid_t payload)
{
	struct init_message m = {.type = INIT_END};
	pid_t pid;

	while ((pid = wait4(-1, &m.end.wait_status, WNOHANG,
	    &m.end.rusage)) > 0) {
		if (pid != payload)
			continue;
		channel_send(a->control_fd, &m, -1);
		init_end(a);
	}
}

static void
receive(const struct init_args *a, pid_t payload)
{
	struct init_message m;
	int fd;

	if (channel_receive(a->control_fd, &m, &fd) == 0)
		init_end(a); /* the supervisor is gone, or wants us to */
	if (m.type == INIT_SIGNAL)
		kill(m.signal.group ? -payload : payload, m.signal.number);
}

static void
on_child(int sig)
{
	(void)sig;
}

static _Noreturn void
watch(const struct init_args *a, pid_t payload)
{
	struct pollfd control = {.fd = a->control_fd, .events = POLLIN};
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		reap(a, payload);
		if (ppoll(&control, 1, NULL, &none) > 0)
			receive(a, payload);
	}
}

/* Keeps the control channel, the lock on a network that was made before, and
 * nothing else: a pipe of the caller's that we held would never end for its
 * reader. */
static void
let_go(struct init_args *a)
{
	int fd = a->control_fd, lock_fd = a->policy->netns_fd;

	if (fd != 0 && dup2(fd, 0) == 0)
		a->control_fd = 0;
	close_range(lock_fd != -1 && dup2(lock_fd, 1) == 1 ? 2 : 1, ~0U, 0);
	payload_drop_capabilities();
}

static _Noreturn void
fail_leaving(struct init_args *a)
{
	struct error e = {.code = EXIT_SANDBOX};

	error_set(&e, "the host's tree cannot be unmounted");
	errno = EPERM;
	fail(a, STAGE_NAMESPACES, &e);
}

/* Before something runs in a copy of our memory, in which what fails later
 * is not known. */
static void
wait_left(struct init_args *a)
{
	if (a->leaving == NULL)
		return;
	latch_wait(&a->leaving->left);
	if (a->leaving->failed)
		fail_leaving(a);
	a->leaving = NULL;
}

void
init_run(struct init_args *a)
{
	struct error e = {.code = EXIT_SANDBOX};
	struct sigaction action = {.sa_handler = on_child};
	struct landlock l = {.fd = -1};
	sigset_t child;
	pid_t payload;

	prctl(PR_SET_NAME, "sandbox-init", 0, 0, 0);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	sigaction(SIGCHLD, &action, NULL);
	build(a, &l);
	/* From here on nothing of ours can be read or traced, and the
	 * supervisor's death is ours; but where we are no PID 1 we have to
	 * live on to kill the rest. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    (a->tier == CONFINE_FULL &&
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0))
		fail_errno(a, STAGE_POLICY, "prctl");
	if (a->io->argv == NULL)
		wait_left(a);
	if (a->io->argv == NULL && a->io->probe == NULL) {
		send_ready(a, &l);
		commands_serve(a, &l);
	}
	payload = payload_start(a, &l, &e);
	if (payload == -1 && a->leaving != NULL && a->leaving->failed)
		fail_leaving(a);
	if (payload == -1)
		fail(a, STAGE_POLICY, &e);
	send_ready(a, &l);
	let_go(a);
	watch(a, payload);
}
