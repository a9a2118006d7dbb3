/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/gate.h"
#include "cmd/sandbox-exec/netns.h"
#include "cmd/sandbox-exec/packet.h"
#include "cmd/sandbox-exec/report.h"
#include "cmd/sandbox-exec/resident.h"
#include "cmd/sandbox-exec/status.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

/* One sandbox; the process ends with it. */
struct kept {
	const struct keeper *k;
	int fd;
	struct audit audit;
	struct confine confine;
	struct protect_watch watch;
	struct resident_watch memory;
	pid_t gate;    /* 0: none */
	int signal_fd; /* -1: none */
	unsigned hit;  /* limits, bits 1 << enum limit_kind */
};

static void
answer(const struct kept *s, struct keeper_answer *a)
{
	struct packet p = {.head = a, .head_len = sizeof *a};

	packet_send(s->fd, &p);
}

/* Waits for the request.  Returns 0, or -1 when nobody wants anything. */
static int
take_request(struct kept *s, struct buf *settings)
{
	struct keeper_request r;
	struct packet p = {.head = &r, .head_len = sizeof r,
		.more_len = KEEPER_POLICY_MAX};

	p.more = buf_reserve(settings, KEEPER_POLICY_MAX);
	if (p.more == NULL || packet_receive(s->fd, &p) != 1)
		return -1;
	buf_commit(settings, p.more_len);
	s->audit = *s->k->audit;
	r.id[sizeof r.id - 1] = '\0';
	str_format(s->audit.id, sizeof s->audit.id, "%s", r.id);
	return 0;
}

static int
start_gate(struct kept *s, struct error *e)
{
	const struct policy *p = &s->k->options->policy;
	struct confine *c = &s->confine;

	if (p->net != POLICY_NET_ALLOW || c->listener_count == 0)
		return 0;
	s->gate = gate_start(p, c, &s->audit, e);
	if (s->gate == -1)
		return -1;
	for (size_t i = 0; i < c->listener_count; i++)
		io_close(&c->listeners[i].fd);
	return 0;
}

static void
stop_gate(struct kept *s)
{
	if (s->gate <= 0)
		return;
	kill(s->gate, SIGTERM);
	while (waitpid(s->gate, NULL, 0) == -1 && errno == EINTR)
		;
	s->gate = 0;
}

/* Into the network that was made ahead, if this sandbox is to have one. */
static int
enter_network(const struct kept *s, struct error *e)
{
	struct policy *p = &s->k->options->policy;

	if (s->k->netns_fd == -1 || p->net != POLICY_NET_NONE ||
	    p->netns_fd != -1)
		return 0;
	p->netns_fd = s->k->netns_fd;
	return netns_join(p->netns_fd, e);
}

static int
build(struct kept *s, struct bytes settings, struct error *e)
{
	struct options *o = s->k->options;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct confine_io io = {.in = null, .out = null, .err = null,
		.watch = &s->watch, .exe_fd = s->k->exe_fd};
	int r;

	if (options_extend(o, settings, e) != 0)
		return -1;
	if (enter_network(s, e) != 0)
		return error_prefix(e, "network");
	protect_start(&s->watch, &o->policy);
	r = confine_start(&o->policy, &io, &s->confine, e);
	io_close(&null);
	return r == 0 ? start_gate(s, e) : -1;
}

static void
take_down(struct kept *s)
{
	struct keeper_answer a = {.type = KEEPER_ENDED};

	confine_stop(&s->confine);
	s->hit |= s->confine.limits.hit;
	if ((s->hit & 1U << LIMIT_MEM) != 0)
		diag_error("memory limit: a process was killed");
	a.hit = s->hit;
	answer(s, &a);
	stop_gate(s);
	protect_end(&s->watch, s->k->found, &s->audit);
	status_audit_stop(&s->audit, s->hit);
	resident_stop(&s->memory);
}

static void
tell_ready(struct kept *s)
{
	const struct policy *policy = &s->k->options->policy;
	struct keeper_answer a = {.type = KEEPER_READY,
		.uid = s->confine.owner_uid, .gid = s->confine.owner_gid,
		.time_ms = policy->limits.time_ms,
		.files = policy->limits.files};
	int kills_fd = cgroup_open_kills(&s->confine.limits.cgroups);
	struct packet p = {.head = &a, .head_len = sizeof a,
		.fds = {s->confine.control_fd, kills_fd},
		.fd_count = kills_fd == -1 ? 1 : 2};
	struct jsonw w;
	struct buf b;

	str_format(a.workdir, sizeof a.workdir, "%s", s->confine.workdir);
	buf_init(&b, KEEPER_ISOLATION_MAX);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	status_add_isolation(&w, &s->confine);
	jsonw_close(&w, '}');
	status_audit_start(&s->audit, policy, &s->confine);
	p.more = (void *)(uintptr_t)buf_bytes(&b).ptr;
	p.more_len = buf_len(&b);
	packet_send(s->fd, &p);
	buf_reset(&b);
	io_close(&kills_fd);
}

/* The signals of protect.h, as a descriptor.  Without it only the end is left
 * for protected names. */
static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, PROTECT_SIGNAL);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Who makes protected names again and again wants to be faster than we.
 * Returns whether the sandbox may go on. */
static bool
look_at_names(struct kept *s)
{
	if (protect_look(&s->watch, s->k->found, &s->audit))
		return true;
	diag_error("protected names: a session made them again and again and "
	    "was ended");
	status_audit_kill(&s->audit, "KILL", "protected names");
	return false;
}

/* As for one command: supervise.c. */
static bool
look_at_memory(struct kept *s)
{
	if (!resident_look(&s->memory))
		return true;
	s->hit |= 1U << LIMIT_MEM;
	status_audit_kill(&s->audit, "KILL", "memory limit");
	return false;
}

/* Until the other end closes or says anything, or init is gone. */
static void
hold(struct kept *s)
{
	struct pollfd at[] = {
		{s->fd, POLLIN, 0}, {s->confine.pidfd, POLLIN, 0},
		{s->signal_fd, POLLIN, 0},
	};
	struct signalfd_siginfo info;

	protect_arm(&s->watch);
	if (s->confine.limits.state[LIMIT_MEM] == LIMIT_ADVISORY)
		resident_start(&s->memory, s->confine.init_pid,
		    s->k->options->policy.limits.mem);
	while (look_at_names(s)) {
		do {
			at[0].revents = at[1].revents = 0;
			poll(at, 3, resident_wait_ms(&s->memory));
			if ((at[0].revents | at[1].revents) != 0 ||
			    !look_at_memory(s))
				return;
		} while (read(s->signal_fd, &info, sizeof info) !=
		    sizeof info);
	}
}

void
keeper_run(const struct keeper *k, int fd)
{
	static struct kept s;
	struct keeper_answer failed = {.type = KEEPER_FAILED};
	struct buf settings;

	prctl(PR_SET_NAME, "sandbox-keeper", 0, 0, 0);
	signal(SIGCHLD, SIG_DFL);
	/* Who reads what the server says may not be there. */
	diag_hold();
	s.k = k;
	s.fd = fd;
	s.signal_fd = open_signals();
	s.memory.proc_fd = -1;
	s.confine.init_pid = s.confine.pidfd = s.confine.control_fd = -1;
	cgroup_init(&s.confine.limits.cgroups);
	buf_init(&settings, KEEPER_POLICY_MAX);
	if (take_request(&s, &settings) != 0)
		_exit(EXIT_OK);
	if (build(&s, buf_bytes(&settings), &failed.error) == 0) {
		/* A client of frames is told in its own words. */
		if (k->options->mode == OPTIONS_MCP)
			report_degraded(&s.confine);
		tell_ready(&s);
		hold(&s);
	} else {
		answer(&s, &failed);
	}
	take_down(&s);
	_exit(EXIT_OK);
}
