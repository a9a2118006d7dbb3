/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/output.h"
#include "cmd/sandbox-exec/resident.h"
#include "cmd/sandbox-exec/status.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/proc.h"

enum { EXIT_TIMEOUT = 124, SIGNALS_AT_ONCE = 8 };

/* The order of the descriptors that the loop waits for. */
enum { WAIT_INIT, WAIT_SIGNAL, WAIT_OUTPUT, WAIT_COUNT = WAIT_OUTPUT +
	2 * STREAM_COUNT };

struct run {
	const struct supervise *s;
	struct result *result;
	bool capped;
	int signal_fd;
	int64_t started_ms, deadline_ms; /* 0: none */
	bool killed;                     /* the grace has passed too */
	pid_t gate;
	struct resident_watch memory;
	struct protect_watch watch;
	struct output output[STREAM_COUNT];
};

/* What a terminal or a supervisor sends to end, or to be noticed by,
 * a command. */
static const int forwarded[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
};

static bool
is_forwarded(uint32_t number)
{
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
		if ((uint32_t)forwarded[i] == number)
			return true;
	}
	return false;
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		sigaddset(&set, forwarded[i]);
	sigaddset(&set, PROTECT_SIGNAL);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
open_outputs(struct run *r, struct confine_io *io, int64_t cap)
{
	int *const ends[STREAM_COUNT] = {&io->out, &io->err};

	r->output[0].from = r->output[1].from = -1;
	r->capped = true;
	for (int i = 0; i < STREAM_COUNT; i++) {
		int pair[2];

		if (pipe2(pair, O_CLOEXEC) != 0)
			return -1;
		*ends[i] = pair[1];
		if (output_open(&r->output[i], pair[0], i + 1, cap) != 0)
			return -1;
	}
	return 0;
}

/* Standard descriptors that the caller closed would be given to our own
 * files. */
static int
fill_stdio(void)
{
	for (;;) {
		int fd = open("/dev/null", O_RDWR);

		if (fd == -1)
			return -1;
		if (fd > STDERR_FILENO) {
			close(fd);
			return 0;
		}
	}
}

static int
start(struct run *r, struct error *e)
{
	struct confine_io io = {.in = 0, .out = 1, .err = 2,
		.watch = &r->watch, .argv = r->s->argv};
	const struct policy *p = r->s->policy;
	struct confine *c = &r->result->confine;
	int status;

	e->code = EXIT_SANDBOX;
	if (fcntl(2, F_GETFD) == -1 || fcntl(1, F_GETFD) == -1 ||
	    fcntl(0, F_GETFD) == -1) {
		if (fill_stdio() != 0)
			return error_errno(e, "/dev/null");
	}
	r->signal_fd = open_signals();
	if (r->signal_fd == -1 || (p->limits.out != 0 &&
	    open_outputs(r, &io, p->limits.out) != 0))
		return error_errno(e, "descriptors");
	status = confine_start(p, &io, c, e);
	if (r->capped) {
		close(io.out);
		close(io.err);
	}
	if (status != 0)
		return -1;
	status_audit_start(r->s->audit, p, c);
	if (p->net == POLICY_NET_ALLOW && r->s->gate != NULL) {
		r->gate = r->s->gate(p, c, r->s->audit, e);
		if (r->gate == -1)
			return -1;
		/* Without the gate nothing may even wait to be accepted. */
		for (size_t i = 0; i < c->listener_count; i++)
			io_close(&c->listeners[i].fd);
	}
	r->started_ms = clock_ms();
	if (p->limits.time_ms != 0)
		r->deadline_ms = r->started_ms + p->limits.time_ms;
	return 0;
}

/* First the polite signal, then, a grace later, the other. */
static void
time_out(struct run *r)
{
	struct confine *c = &r->result->confine;

	if (!r->result->timed_out) {
		r->result->timed_out = true;
		r->deadline_ms += r->s->grace_ms;
		status_audit_kill(r->s->audit, "TERM", "time limit");
		confine_signal(c, SIGTERM, true);
		confine_signal(c, SIGCONT, true);
		return;
	}
	r->killed = true;
	status_audit_kill(r->s->audit, "KILL", "time limit");
}

/* Who makes protected names again and again wants to be faster than we. */
static void
look_at_names(struct run *r)
{
	if (r->killed || protect_look(&r->watch, r->s->found, r->s->audit))
		return;
	r->killed = true;
	r->result->persisted = true;
	status_audit_kill(r->s->audit, "KILL", "protected names");
}

/* As many as there are at once, and one look for all: who makes changes faster
 * than they are looked at must not keep us from everything else. */
static void
take_signals(struct run *r)
{
	struct signalfd_siginfo info[SIGNALS_AT_ONCE];
	ssize_t n = read(r->signal_fd, info, sizeof info);
	bool changed = false;

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof *info; i++) {
		unsigned sig = info[i].ssi_signo;

		if (is_forwarded(sig))
			confine_signal(&r->result->confine, (int)sig,
			    sig != SIGUSR1 && sig != SIGUSR2);
		else
			changed = true;
	}
	if (changed)
		look_at_names(r);
}

/* Where no control group holds all processes together they are added up, and
 * ended when they have too much. */
static void
look_at_memory(struct run *r)
{
	if (r->killed || !resident_look(&r->memory))
		return;
	r->killed = true;
	r->result->hit |= 1U << LIMIT_MEM;
	status_audit_kill(r->s->audit, "KILL", "memory limit");
}

static void
open_memory(struct run *r)
{
	const struct confine *c = &r->result->confine;

	if (c->limits.state[LIMIT_MEM] == LIMIT_ADVISORY)
		resident_start(&r->memory, c->init_pid,
		    r->s->policy->limits.mem);
}

static int
wait_ms(const struct run *r)
{
	int memory = resident_wait_ms(&r->memory);
	int64_t left;

	if (r->deadline_ms == 0)
		return memory;
	left = r->deadline_ms - clock_ms();
	left = left < 0 ? 0 : left > 1000000 ? 1000000 : left;
	return memory != -1 && memory < left ? memory : (int)left;
}

/* init has ended: what it said last is in the channel. */
static void
take_end(struct run *r)
{
	struct confine_end end;
	int state;

	do {
		state = confine_receive(&r->result->confine, &end);
	} while (state == 0);
	if (state != 1)
		return;
	r->result->ran = true;
	r->result->wait_status = end.wait_status;
	r->result->rusage = end.rusage;
}

/* Waits once.  Returns whether to go on. */
static bool
step(struct run *r)
{
	struct pollfd at[WAIT_COUNT] = {
		[WAIT_INIT] = {r->result->confine.pidfd, POLLIN, 0},
		[WAIT_SIGNAL] = {r->signal_fd, POLLIN, 0},
	};
	nfds_t count = r->capped ? WAIT_COUNT : WAIT_OUTPUT;

	for (int i = 0; r->capped && i < STREAM_COUNT; i++)
		output_poll(&r->output[i], &at[WAIT_OUTPUT + 2 * i]);
	if (poll(at, count, wait_ms(r)) == -1)
		return errno == EINTR;
	for (int i = 0; r->capped && i < STREAM_COUNT; i++)
		output_work(&r->output[i], &at[WAIT_OUTPUT + 2 * i]);
	if (at[WAIT_SIGNAL].revents != 0)
		take_signals(r);
	if (at[WAIT_INIT].revents != 0) {
		take_end(r);
		return false;
	}
	look_at_memory(r);
	if (r->deadline_ms != 0 && clock_ms() >= r->deadline_ms)
		time_out(r);
	return !r->killed;
}

static void
stop_gate(struct run *r)
{
	if (r->gate <= 0)
		return;
	kill(r->gate, r->killed ? SIGQUIT : SIGTERM);
	while (waitpid(r->gate, NULL, 0) == -1 && errno == EINTR)
		;
}

static void
audit_limits(struct audit *a, unsigned hit)
{
	for (int i = 0; a->fd != -1 && i < LIMIT_COUNT; i++) {
		if ((hit & 1U << i) == 0)
			continue;
		audit_begin(a, "limit");
		jsonw_key_str(&a->w, "limit",
		    limits_name((enum limit_kind)i));
		audit_end(a);
	}
}

/* init does not end before the payload but by a kill: of ours, or of the
 * kernel's when memory ran out. */
static void
conclude(struct run *r)
{
	struct result *ret = r->result;

	ret->hit |= ret->confine.limits.hit;
	if (ret->ran && WIFSIGNALED(ret->wait_status) &&
	    WTERMSIG(ret->wait_status) == SIGXFSZ)
		ret->hit |= 1U << LIMIT_FSIZE;
	for (int i = 0; r->capped && i < STREAM_COUNT; i++) {
		ret->dropped[i] = r->output[i].dropped;
		ret->lost[i] = r->output[i].failed;
		if (ret->dropped[i] != 0)
			ret->hit |= 1U << LIMIT_OUT;
	}
	if (ret->timed_out) {
		ret->hit |= 1U << LIMIT_TIME;
		ret->status = EXIT_TIMEOUT;
	} else {
		ret->status = ret->ran ? proc_exit_status(ret->wait_status) :
		    EXIT_SIGNAL + SIGKILL;
	}
	if (ret->status == EXIT_OK && (ret->lost[STREAM_OUT] != 0 ||
	    ret->lost[STREAM_ERR] != 0))
		ret->status = EXIT_FAILED;
	audit_limits(r->s->audit, ret->hit);
}

void
supervise_run(const struct supervise *s, struct result *ret)
{
	/* Large, and mostly never touched. */
	static struct run r;

	r.s = s;
	r.result = ret;
	r.signal_fd = r.memory.proc_fd = -1;
	protect_start(&r.watch, s->policy);
	if (start(&r, &ret->error) != 0) {
		ret->status = ret->error.code;
		confine_stop(&ret->confine);
		goto out;
	}
	open_memory(&r);
	protect_arm(&r.watch);
	/* Standard error may be the payload's too, and full. */
	diag_hold();
	look_at_names(&r);
	while (!r.killed && step(&r))
		;
	ret->wall_ms = clock_ms() - r.started_ms;
	confine_stop(&ret->confine);
	diag_release();
	for (int i = 0; r.capped && i < STREAM_COUNT; i++)
		output_finish(&r.output[i]);
	conclude(&r);
out:
	stop_gate(&r);
	protect_end(&r.watch, s->found, s->audit);
	for (int i = 0; r.capped && i < STREAM_COUNT; i++)
		output_close(&r.output[i]);
	io_close(&r.signal_fd);
	resident_stop(&r.memory);
}
