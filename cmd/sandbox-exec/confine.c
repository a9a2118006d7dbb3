/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/confine.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/channel.h"
#include "cmd/sandbox-exec/early.h"
#include "cmd/sandbox-exec/ids.h"
#include "cmd/sandbox-exec/init.h"
#include "cmd/sandbox-exec/lsm.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

enum {
	ABI_TRUNCATE = 3, /* of Landlock, Linux 6.2 */
	ABI_SCOPES = 6,   /* Linux 6.12 */
	NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID,
};

/* How an attempt at a tier went; with a text unless the payload runs. */
enum attempt {
	ATTEMPT_RUNS,
	ATTEMPT_REFUSED, /* the host does not let us have namespaces */
	ATTEMPT_SILENT,  /* init ended without a word */
	ATTEMPT_FAILED,
};

static void
degrade(struct confine *c, const char *feature, const char *reason,
    const char *consequence)
{
	if (c->degraded_count < CONFINE_DEGRADED_MAX)
		c->degraded[c->degraded_count++] = (struct confine_degraded){
		    feature, reason, consequence};
}

/* The payload is the caller on the host; or, when that is root, nobody. */
static void
choose_owner(struct init_args *a, struct confine *c)
{
	if (owner_choose(&a->owner) != 0)
		degrade(c, "identity", "the caller's user namespace has no "
		    "id but 0", "the payload runs as the caller");
}

static pid_t
clone_init(struct init_args *a, struct confine *c)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&c->pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	if (a->tier == CONFINE_FULL)
		args.flags |= NAMESPACES;
	if (c->limits.cgroups.v2_fd != -1) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (__u64)c->limits.cgroups.v2_fd;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	/* Container engines hide clone3, whose flags a filter cannot see. */
	if (pid != -1 || errno != ENOSYS)
		return pid;
	a->join_v2 = true;
	args.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
	return (pid_t)syscall(SYS_clone, (args.flags & UINT32_MAX) | SIGCHLD,
	    NULL, &c->pidfd, NULL, NULL);
}

/* Clones with the payload's host ids, so that the child can map them by
 * itself. */
static pid_t
clone_as_owner(struct init_args *a, struct confine *c)
{
	pid_t pid = -1;
	int saved;

	if (!a->owner.map)
		return clone_init(a, c);
	if (ids_take(a->owner.host) == 0)
		pid = clone_init(a, c);
	if (pid == 0)
		return pid;
	saved = errno;
	if (ids_give_back() != 0)
		pid = -1;
	errno = saved;
	return pid;
}

static void
add_listener(struct confine *c, const struct init_message *m, int fd)
{
	if (c->listener_count == CONFINE_LISTENERS_MAX)
		io_close(&fd);
	else
		c->listeners[c->listener_count++] = (struct confine_listener){
		    m->listener.kind, m->listener.port, fd};
}

static void
note_ready(struct confine *c, const struct init_message *m)
{
	c->landlock_abi = m->ready.landlock_abi;
	str_format(c->workdir, sizeof c->workdir, "%.*s",
	    (int)sizeof m->ready.workdir - 1, m->ready.workdir);
	c->layers |= LAYER_SECCOMP | (c->landlock_abi != 0 ?
	    LAYER_LANDLOCK : 0);
	if (c->landlock_abi == 0)
		degrade(c, "landlock", "the kernel does not have it or it is "
		    "off", "files are guarded by one layer instead of two");
	else if (c->tier == CONFINE_LSM && c->landlock_abi < ABI_SCOPES)
		degrade(c, "landlock-abi", "the kernel's Landlock knows no "
		    "signals, or no truncation",
		    c->landlock_abi < ABI_TRUNCATE ? "files that can be read "
		    "can be emptied by who owns them, and the caller's other "
		    "processes be signalled" : "the caller's other processes "
		    "can be signalled");
	if (m->ready.no_proc)
		degrade(c, "proc", "the kernel refuses a new /proc (an outer "
		    "container masks parts of its own)", "/proc is empty");
	if (m->ready.no_idmap[0] != '\0') {
		str_format(c->no_idmap, sizeof c->no_idmap, "the file system "
		    "of %.*s cannot map owners",
		    (int)sizeof m->ready.no_idmap - 1, m->ready.no_idmap);
		degrade(c, "idmap", c->no_idmap, "the command may be unable "
		    "to use what is there");
	}
	if (m->ready.cut)
		degrade(c, "protection", "too many files to look for all "
		    "repositories", "hooks and settings of those that were "
		    "not seen can be changed");
}

/* What a host says that does not let us have namespaces: for want of
 * permission, of a kernel option, of one more of them, or of a /proc to write
 * their ids to. */
static bool
is_refusal(int number)
{
	return number == EPERM || number == EACCES || number == ENOSPC ||
	    number == EINVAL || number == EUSERS || number == ENOSYS ||
	    number == ENOENT || number == EROFS;
}

/* Takes a message if there is one before init ends. */
static bool
receive(struct confine *c, struct init_message *m, int *fd)
{
	struct pollfd at[] = {{c->control_fd, POLLIN, 0}, {c->pidfd, POLLIN,
		0}};

	while (poll(at, 2, -1) == -1) {
		if (errno != EINTR)
			return false;
	}
	return at[0].revents != 0 && channel_receive(c->control_fd, m,
	    fd) == 1;
}

/* Waits until the payload runs. */
static enum attempt
wait_ready(const struct init_args *a, struct confine *c, struct error *e)
{
	struct protect_watch *w = a->io->watch;
	struct init_message m;
	int fd;

	while (receive(c, &m, &fd)) {
		switch (m.type) {
		case INIT_LISTENER:
			add_listener(c, &m, fd);
			break;
		case INIT_WATCH:
			m.watch.path[sizeof m.watch.path - 1] = '\0';
			if (w != NULL)
				protect_add(w, a->policy, m.watch.path,
				    &m.watch.state);
			break;
		case INIT_READY:
			note_ready(c, &m);
			return ATTEMPT_RUNS;
		case INIT_FAILED:
			*e = m.failed.error;
			return m.failed.stage == STAGE_NAMESPACES &&
			    is_refusal(m.failed.number) ?
			    ATTEMPT_REFUSED : ATTEMPT_FAILED;
		case INIT_END:
		case INIT_SIGNAL:
		case INIT_SPAWN:
		case INIT_KILL:
		case INIT_STARTED:
		case INIT_REFUSED:
		case INIT_EXITED:
			break;
		}
	}
	e->code = EXIT_SANDBOX;
	error_set(e, "init ended without a word");
	return ATTEMPT_SILENT;
}

static void
note_layers(struct confine *c, const struct policy *p)
{
	if (c->tier != CONFINE_FULL)
		return;
	c->layers = LAYER_USER | LAYER_MOUNT | LAYER_PID | LAYER_IPC |
	    LAYER_UTS | LAYER_CGROUP;
	if (p->net != POLICY_NET_HOST)
		c->layers |= LAYER_NET;
}

static void
stop_init(struct confine *c)
{
	if (c->init_pid > 0) {
		if (c->tier == CONFINE_FULL)
			syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL,
			    NULL, 0);
		while (waitpid(c->init_pid, NULL, 0) == -1 && errno == EINTR)
			;
		c->init_pid = -1;
		if (c->adopts) {
			cgroup_dismiss(&c->limits.cgroups);
			lsm_kill_all();
		}
	}
	if (c->pidfd > 0)
		io_close(&c->pidfd);
	if (c->control_fd > 0)
		io_close(&c->control_fd);
	/* With init gone our memory is our own again. */
	if (c->shares_memory)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	c->shares_memory = false;
}

static enum attempt
fail_errno(struct error *e, const char *what)
{
	error_errno(e, "%s", what);
	return ATTEMPT_FAILED;
}

/* With the init that was started early; ATTEMPT_SILENT: there is none of use,
 * and nothing has happened yet. */
static enum attempt
start_early(struct init_args *a, struct confine *c, struct error *e)
{
	enum attempt r = ATTEMPT_SILENT;

	switch (early_take(a, c)) {
	case EARLY_NONE:
		break;
	case EARLY_LOST:
		return fail_errno(e, "ids");
	case EARLY_TAKEN:
		note_layers(c, a->policy);
		r = wait_ready(a, c, e);
		if (r != ATTEMPT_RUNS)
			stop_init(c);
		if (early_taken() && r == ATTEMPT_SILENT)
			r = ATTEMPT_FAILED;
		break;
	}
	early_cancel();
	return r;
}

static enum attempt
start_tier(struct init_args *a, struct confine *c, struct error *e)
{
	int pair[2];
	enum attempt r = start_early(a, c, e);

	if (r != ATTEMPT_SILENT)
		return r;
	if (channel_open(pair) != 0)
		return fail_errno(e, "socketpair");
	a->control_fd = pair[1];
	c->control_fd = pair[0];
	c->init_pid = clone_as_owner(a, c);
	if (c->init_pid == 0) {
		close(pair[0]);
		init_run(a);
	}
	close(pair[1]);
	if (c->init_pid == -1) {
		r = is_refusal(errno) ? ATTEMPT_REFUSED : ATTEMPT_FAILED;
		error_errno(e, "namespaces");
		return r;
	}
	note_layers(c, a->policy);
	return wait_ready(a, c, e);
}

static void
reset(struct confine *c)
{
	memset(c, 0, offsetof(struct confine, workdir));
	c->workdir[0] = '\0';
	c->pidfd = c->control_fd = c->init_pid = -1;
	cgroup_init(&c->limits.cgroups);
}

static void
degrade_limits(struct confine *c)
{
	if (c->limits.state[LIMIT_MEM] == LIMIT_ADVISORY)
		degrade(c, "limit-mem", "no control group can be made",
		    "the limit is that of each process; what all have is "
		    "added up from time to time");
	if (c->limits.state[LIMIT_CPU] == LIMIT_ADVISORY)
		degrade(c, "limit-cpu", "no control group can be made",
		    "the command can take more processors than asked for");
	if (c->limits.state[LIMIT_PIDS] == LIMIT_ADVISORY)
		degrade(c, "limit-pids", "no control group can be made",
		    "the caller's other processes count too");
}

static bool
has_writable(const struct policy *p)
{
	for (size_t i = 0; i < p->path_count; i++) {
		if (p->paths[i].access == POLICY_RW)
			return true;
	}
	return false;
}

static void
degrade_tier(struct confine *c, const struct policy *p)
{
	degrade(c, "namespaces", c->refused, "names of files outside and "
	    "other processes can be seen; /proc is closed");
	degrade(c, "tmp-size", "there is no mount namespace", "the private "
	    "directory is on the host's disk and can fill it");
	if (geteuid() == 0 && has_writable(p))
		degrade(c, "idmap", "there is no mount namespace", "the "
		    "command, which is not root, may be unable to write "
		    "what root owns");
	if (lsm_lacks(p))
		degrade(c, "masks", "Landlock cannot take back what it "
		    "grants", "masks, overlays, private directories, "
		    "protected names and read-only parts of what is "
		    "writable are not there");
	if (p->net == POLICY_NET_ALLOW)
		degrade(c, "gate", "there is no network namespace",
		    "no host can be reached at all");
}

/* A pipe of root's is opened again by whoever writes to /dev/stderr, so it
 * becomes the payload's.  It has no name that others could use. */
static void
give_pipes(const struct init_args *a)
{
	const int fds[] = {a->io->in, a->io->out, a->io->err};

	for (size_t i = 0; i < 3; i++) {
		struct statfs fs;

		if (fstatfs(fds[i], &fs) == 0 && fs.f_type == PIPEFS_MAGIC &&
		    fchown(fds[i], a->owner.host.uid, a->owner.host.gid) != 0)
			return;
	}
}

/* Only root with every capability can map owners; another root's payload has
 * to do with what its own id can open. */
static int
open_as_root(struct init_args *a, struct confine *c, struct error *e)
{
	if (tree_open(a->tree, a->policy, &a->owner, e) == 0)
		return 0;
	if (!a->tree->refused)
		return -1;
	tree_done(a->tree);
	a->open_in_init = true;
	if (a->policy->path_count != 0)
		degrade(c, "idmap", "root here has no right to mount", "the "
		    "command can use of its paths only what everybody can");
	return 0;
}

/* An init that is no PID 1 and is killed leaves all that it has to us, who kill
 * all our children then: if there were some before, whose are they? */
static void
adopt(struct confine *c)
{
	siginfo_t info;

	c->adopts = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) ==
	    -1 && errno == ECHILD && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0,
	    0) == 0;
}

/* 0 without Landlock. */
static int
find_landlock_abi(void)
{
	struct landlock l;
	int abi = landlock_open(&l, false) == 0 ? l.abi : 0;

	landlock_close(&l);
	return abi;
}

/* Where a descriptor may lead: bits. */
enum { WAY_NETWORK = 1, WAY_UNIX = 2 };

/* -1 if it has none. */
static int
socket_option(int fd, int name)
{
	int value;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value :
	    -1;
}

/* Whether a Unix socket can be turned to another one than it is connected to:
 * by abstract names to any of the network that it was made in. */
static bool
is_turnable(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;

	return socket_option(fd, SO_TYPE) == SOCK_DGRAM ||
	    (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 &&
	    socket_option(fd, SO_ACCEPTCONN) == 0);
}

/* A socket belongs to the network that it was made in, and can be connected
 * again. */
static unsigned
find_ways(int fd)
{
	int domain = socket_option(fd, SO_DOMAIN);

	if (domain == AF_UNIX)
		return is_turnable(fd) ? WAY_UNIX : 0;
	return domain == -1 ? 0 : WAY_NETWORK;
}

static unsigned
find_all_ways(const struct policy *p, const struct confine_io *io)
{
	unsigned ways = find_ways(io->in) | find_ways(io->out) |
	    find_ways(io->err);

	for (size_t i = 0; i < p->fd_count; i++)
		ways |= find_ways(p->fds[i]);
	return ways;
}

/* Returns 0, or -1 with a text if that is required not to be. */
static int
check_sockets(const struct init_args *a, struct confine *c, struct error *e)
{
	unsigned ways = a->policy->net == POLICY_NET_HOST ? 0 :
	    find_all_ways(a->policy, a->io);

	/* By their paths only what is shown is reached, in a tree. */
	if (ways == WAY_UNIX && a->tier == CONFINE_FULL &&
	    find_landlock_abi() >= ABI_SCOPES)
		ways = 0;
	if (ways == 0)
		return 0;
	if ((ways & WAY_NETWORK) != 0)
		degrade(c, "net", "a descriptor that the command gets is a "
		    "network socket", "it can be connected to other hosts");
	else
		degrade(c, "net", "a descriptor that the command gets is a "
		    "Unix socket of datagrams, or not connected",
		    "it reaches other sockets of the host");
	return (a->policy->require & REQUIRE_NET) == 0 ? 0 :
	    error_set(e, "the network is required to be closed: %s",
	    c->degraded[c->degraded_count - 1].reason);
}

/* What a tier needs of the host.  Returns 0, or -1 with a text. */
static int
open_tier(struct init_args *a, struct confine *c, struct error *e)
{
	bool full = a->tier == CONFINE_FULL;
	int r = 0;

	if (!full)
		adopt(c);
	limits_open(&c->limits, a->policy, full);
	degrade_limits(c);
	if (!full && c->limits.cgroups.v2_fd == -1)
		degrade(c, "kill", "there is no process namespace and no "
		    "control group", "a process that escapes a search for "
		    "descendants would survive");
	if (check_sockets(a, c, e) != 0)
		return -1;
	if ((a->policy->require & REQUIRE_LIMITS) != 0 &&
	    (!limits_all_enforced(&c->limits) ||
	    (!full && a->policy->limits.has_tmpfs)))
		return error_set(e, "limits are required, and one of them "
		    "cannot be enforced here");
	a->open_in_init = !a->owner.map;
	if (a->owner.map)
		give_pipes(a);
	if (full && a->owner.map)
		r = open_as_root(a, c, e);
	if (!full)
		r = lsm_open_scratch(c->scratch, a->owner.host.uid, a->owner.host.gid,
		    e);
	if (r == 0 && a->policy->require == REQUIRE_FULL &&
	    c->degraded_count != 0)
		r = error_set(e, "full isolation is required: %s: %s",
		    c->degraded[0].feature, c->degraded[0].reason);
	return r;
}

static enum attempt
attempt_tier(struct init_args *a, struct confine *c, struct error *e)
{
	enum attempt r = ATTEMPT_FAILED;

	if (open_tier(a, c, e) == 0)
		r = start_tier(a, c, e);
	tree_done(a->tree);
	return r;
}

/* After a refusal of namespaces, if the policy lets it.  Returns whether it
 * may be attempted; else with a text. */
static bool
choose_lower_tier(struct init_args *a, struct confine *c, struct error *e)
{
	struct error refused = *e;

	confine_stop(c);
	if ((a->policy->require & REQUIRE_NAMESPACES) != 0) {
		error_prefix(e, "namespaces are required");
		return false;
	}
	if ((a->policy->require & REQUIRE_NET) != 0 &&
	    a->policy->net == POLICY_NET_ALLOW) {
		error_prefix(e, "the network gate is required");
		return false;
	}
	reset(c);
	memcpy(c->refused, refused.text, sizeof c->refused);
	c->tier = a->tier = CONFINE_LSM;
	choose_owner(a, c);
	degrade_tier(c, a->policy);
	return true;
}

/* What the lower tier would have had less of does not count where that cannot
 * be either. */
static void
degrade_to_nothing(struct confine *c)
{
	static const char consequence[] = "nothing is run";

	c->degraded_count = 0;
	degrade(c, "namespaces", c->refused, consequence);
	degrade(c, "landlock", "the kernel does not have it or it is off",
	    consequence);
}

int
confine_start(const struct policy *policy, const struct confine_io *io,
    struct confine *ret, struct error *e)
{
	static struct tree tree;
	static struct init_args a;
	enum attempt r;

	reset(ret);
	e->code = EXIT_SANDBOX;
	a = (struct init_args){.policy = policy, .io = io, .tree = &tree,
		.limits = &ret->limits, .tier = CONFINE_FULL,
		.scratch = ret->scratch};
	if (getcwd(a.cwd, sizeof a.cwd) == NULL)
		a.cwd[0] = '\0';
	tree_init(&tree);
	choose_owner(&a, ret);
	r = attempt_tier(&a, ret, e);
	if (r == ATTEMPT_REFUSED && choose_lower_tier(&a, ret, e))
		r = attempt_tier(&a, ret, e);
	if (r == ATTEMPT_RUNS) {
		ret->owner_uid = a.owner.host.uid;
		ret->owner_gid = a.owner.host.gid;
		e->text[0] = '\0';
		return 0;
	}
	confine_stop(ret);
	if (ret->tier == CONFINE_LSM && find_landlock_abi() == 0)
		degrade_to_nothing(ret);
	return -1;
}

int
confine_receive(struct confine *c, struct confine_end *ret)
{
	struct init_message m;
	int fd;

	if (channel_receive(c->control_fd, &m, &fd) == 0)
		return -1;
	io_close(&fd);
	if (m.type != INIT_END)
		return 0;
	*ret = m.end;
	return 1;
}

void
confine_signal(struct confine *c, int sig, bool group)
{
	struct init_message m = {.type = INIT_SIGNAL};

	m.signal.number = sig;
	m.signal.group = group;
	channel_send(c->control_fd, &m, -1);
}

void
confine_stop(struct confine *c)
{
	/* As PID 1 init takes everything along; else it has to be asked, and
	 * our end may have copies. */
	if (c->tier == CONFINE_LSM && c->control_fd > 0) {
		shutdown(c->control_fd, SHUT_RDWR);
		io_close(&c->control_fd);
	}
	stop_init(c);
	for (size_t i = 0; i < c->listener_count; i++)
		io_close(&c->listeners[i].fd);
	c->listener_count = 0;
	limits_close(&c->limits);
	lsm_remove_scratch(c->scratch);
	c->scratch[0] = '\0';
}
