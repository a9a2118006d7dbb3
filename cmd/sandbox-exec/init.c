/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/init.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/sandbox-exec/builder.h"
#include "cmd/sandbox-exec/channel.h"
#include "cmd/sandbox-exec/commands.h"
#include "cmd/sandbox-exec/ids.h"
#include "cmd/sandbox-exec/lsm.h"
#include "cmd/sandbox-exec/netns.h"
#include "cmd/sandbox-exec/raw.h"
#include "cmd/sandbox-exec/userns.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

/* Tells the supervisor and ends, and with it the sandbox. */
static _Noreturn void
fail(const struct init_args *a, enum init_stage stage, int number,
    const struct error *e)
{
	struct init_message m = {.type = INIT_FAILED};

	m.failed.number = number;
	m.failed.stage = stage;
	m.failed.error = *e;
	channel_send(a->control_fd, &m, -1);
	_exit(EXIT_SANDBOX);
}

static _Noreturn void
fail_errno(const struct init_args *a, enum init_stage stage,
    const char *what)
{
	struct error e = {.code = EXIT_SANDBOX};
	int number = errno;

	error_errno(&e, "%s", what);
	fail(a, stage, number, &e);
}

void
init_prepare(struct init_start *s, bool is_command, bool own_network)
{
	*s = (struct init_start){
		.owner = s->owner,
		.args = s->args,
		.landlock.fd = -1,
		.is_command = is_command,
		.own_network = own_network,
		.capabilities = payload_capabilities(),
		.supervisor_fd = -1,
		.sysctl_fd = -1,
		.error.code = EXIT_SANDBOX,
		.running = 1,
	};
}

void
init_close(struct init_start *s)
{
	io_close(&s->landlock.fd);
	io_close(&s->supervisor_fd);
	io_close(&s->sysctl_fd);
}

static void
on_child(int sig)
{
	(void)sig;
}

/* The caller may have ignored their end, which the command would inherit and
 * nobody be woken by. */
static int
catch_children(void)
{
	struct sigaction action = {.sa_handler = on_child};

	return sigaction(SIGCHLD, &action, NULL);
}

/* What needs no policy, while the builder does what needs it or not. */
static int
begin(struct init_start *s)
{
	sigset_t all;

	raw_call(SYS_prctl, PR_SET_NAME, (long)(uintptr_t)"sandbox-init", 0,
	    0, 0);
	/* Until they know what to do with it no signal ends one of ours. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (catch_children() != 0)
		return -1;
	/* The builder, whose root is ours too, takes it away. */
	s->sysctl_fd = userns_open();
	if (builder_start(s) != 0)
		return -1;
	s->network_number = (int)-raw_call(SYS_unshare, INIT_NAMESPACES |
	    (s->own_network ? CLONE_NEWNET : 0), 0, 0, 0, 0);
	latch_open(&s->network);
	if (s->network_number == 0 && s->own_network)
		s->loopback_number = netns_up();
	return 0;
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
		fail(a, STAGE_NAMESPACES, errno, &e);
	for (size_t i = 0; i < count; i++) {
		struct init_message m = {.type = INIT_LISTENER};

		m.listener.kind = listeners[i].kind;
		m.listener.port = listeners[i].port;
		if (channel_send(a->control_fd, &m, listeners[i].fd) != 0)
			_exit(EXIT_SANDBOX);
		io_close(&listeners[i].fd);
	}
}

/* The supervisor, which may share our memory, puts down what it hears: this is
 * when nothing is allocated or freed here any more. */
static void
send_watches(const struct init_args *a, const struct masks_watches *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct init_message m = {.type = INIT_WATCH};

		m.watch.state = w->at[i].state;
		str_format(m.watch.path, sizeof m.watch.path, "%s",
		    w->at[i].path);
		if (channel_send(a->control_fd, &m, -1) != 0)
			_exit(EXIT_SANDBOX);
	}
}

static void
format_ready(const struct init_args *a, const struct landlock *l,
    struct init_message *m)
{
	m->type = INIT_READY;
	m->ready.no_proc = a->tree->no_proc;
	str_format(m->ready.no_idmap, sizeof m->ready.no_idmap, "%s",
	    a->tree->no_idmap == NULL ? "" : a->tree->no_idmap);
	m->ready.cut = a->tree->cut;
	m->ready.landlock_abi = l->abi;
	if (getcwd(m->ready.workdir, sizeof m->ready.workdir) == NULL)
		str_format(m->ready.workdir, sizeof m->ready.workdir, "/");
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

static _Noreturn void
watch(const struct init_args *a, pid_t payload)
{
	struct pollfd control = {.fd = a->control_fd, .events = POLLIN};
	uint64_t none = 0; /* the kernel's own set of signals */

	for (;;) {
		long n;

		reap(a, payload);
		n = raw_call(SYS_ppoll, (long)(uintptr_t)&control, 1, 0,
		    (long)(uintptr_t)&none, sizeof none);
		if (n > 0)
			receive(a, payload);
		else if (n != -EINTR)
			init_end(a);
	}
}

/* What init keeps; KEPT_NETNS is a lock on a network that was made before. */
enum { KEPT_CONTROL, KEPT_NETNS, KEPT_COUNT };

static int
keep(int fd, int at)
{
	if (fd != -1 && (fd == at || dup2(fd, at) == at))
		return at;
	close_range((unsigned)at, (unsigned)at, 0);
	return -1;
}

/* A pipe of the caller's that we held would never end for its reader.  Of the
 * table of descriptors that may be the supervisor's too we leave what it
 * closes itself. */
static void
let_go(struct init_start *s)
{
	struct init_args *a = s->args;

	tree_done(a->tree);
	/* Closes none; unshare(2) is refused more often. */
	if (close_range(~0U, ~0U, CLOSE_RANGE_UNSHARE) != 0)
		fail_errno(a, STAGE_POLICY, "descriptors");
	a->control_fd = keep(a->control_fd, KEPT_CONTROL);
	keep(a->policy->netns_fd, KEPT_NETNS);
	close_range(KEPT_COUNT, ~0U, 0);
}

/* What has not taken the policy has touched nothing: the supervisor, which may
 * not listen yet, begins anew. */
static _Noreturn void
fail_with_builder(const struct init_start *s)
{
	if (s->early && !s->began)
		_exit(EXIT_SANDBOX);
	fail(s->args, s->stage, s->number, &s->error);
}

/* The full tier: lets go of the host's tree, and becomes the payload's user as
 * the builder has done. */
static void
finish_full(struct init_start *s)
{
	int left;

	if (builder_wait(s, BUILDER_ENTERED) != 0)
		fail_with_builder(s);
	left = tree_leave();
	/* Nothing of the payload's may be faster than its limits. */
	userns_limit(&s->sysctl_fd);
	if (builder_wait(s, BUILDER_BUILT) != 0)
		fail_with_builder(s);
	errno = left;
	if (errno != 0)
		fail_errno(s->args, STAGE_NAMESPACES, "umount2");
	errno = s->loopback_number;
	if (errno != 0)
		fail_errno(s->args, STAGE_NAMESPACES, "loopback");
	if (s->owner.map && ids_become(s->owner.inside) != 0)
		fail_errno(s->args, STAGE_NAMESPACES, "ids");
	send_listeners(s->args);
	if (!s->is_command)
		payload_bound_capabilities(s->capabilities);
}

/* From here on nothing of ours can be read or traced, and the supervisor's
 * death is ours; but where we are no PID 1 we have to live on to kill the
 * rest. */
static void
protect(const struct init_args *a)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    (a->tier == CONFINE_FULL &&
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0))
		fail_errno(a, STAGE_POLICY, "prctl");
}

static pid_t
start_payload(struct init_start *s, struct error *e)
{
	struct init_args *a = s->args;

	if (a->io->argv == NULL && a->io->probe == NULL) {
		struct init_message m;

		send_watches(a, &a->tree->watches);
		format_ready(a, &s->landlock, &m);
		channel_send(a->control_fd, &m, -1);
		commands_serve(a, &s->landlock);
	}
	return a->tier == CONFINE_FULL && s->is_command ? builder_run(s, e) :
	    payload_start(a, &s->landlock, e);
}

/* To the end.  Once INIT_WATCH or INIT_READY is sent the supervisor, which may
 * share errno, goes on: no call fails from there on. */
static _Noreturn void
go_on(struct init_start *s)
{
	bool full = s->args == NULL || s->args->tier == CONFINE_FULL;
	struct error e = {.code = EXIT_SANDBOX};
	struct init_message m;
	struct masks_watches watches;
	struct init_args *a;
	sigset_t child;
	pid_t payload;

	if (full)
		finish_full(s);
	else if (builder_lower(s) != 0)
		fail_with_builder(s);
	a = s->args;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	protect(a);
	if (!full)
		lsm_scope();
	payload = start_payload(s, &e);
	if (payload == -1)
		fail(a, STAGE_POLICY, errno, &e);
	format_ready(a, &s->landlock, &m);
	watches = a->tree->watches;
	let_go(s);
	send_watches(a, &watches);
	channel_send(a->control_fd, &m, -1);
	payload_drop_capabilities();
	watch(a, payload);
}

void
init_run(struct init_args *a)
{
	static struct init_start s;

	s.args = a;
	s.owner = a->owner;
	if (limits_join(a->limits, a->join_v2) != 0)
		fail_errno(a, STAGE_POLICY, "cgroup");
	init_prepare(&s, a->io->argv != NULL && a->io->probe == NULL,
	    policy_has_own_network(a->policy));
	if ((a->tier == CONFINE_FULL ? begin(&s) : catch_children()) != 0)
		fail_errno(a, STAGE_POLICY, "init");
	go_on(&s);
}

/* Ends with the supervisor; also if it has died already, when nobody would
 * ever tell the policy. */
static bool
follow_supervisor(const struct init_start *s)
{
	struct pollfd at = {s->supervisor_fd, POLLIN, 0};
	const struct timespec now = {0, 0};

	raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return raw_call(SYS_ppoll, (long)(uintptr_t)&at, 1,
	    (long)(uintptr_t)&now, 0, 0) == 0;
}

int
init_run_early(void *start)
{
	struct init_start *s = start;

	if (!follow_supervisor(s) || begin(s) != 0)
		return EXIT_SANDBOX;
	go_on(s);
}
