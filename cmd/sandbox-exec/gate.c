/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-exec/gate_client.h"
#include "cmd/sandbox-exec/gate_confine.h"
#include "cmd/sandbox-exec/gate_resolver.h"
#include "common/exit.h"
#include "common/io.h"

enum {
	ACCEPTS_PER_TURN = 16,
	FDS_OWN = 32,   /* listeners, the loop, the audit file */
	FDS_CLIENT = 4, /* itself, its server, a pipe or to ask for a name */
};

#define GATE_DRAIN_S 2.0 /* for what a command has sent before it ended */
#define RETRY_S 0.1 /* for want of something, or of lines in this second */

static void
pause_accepts(struct gate *g)
{
	g->paused = true;
	for (size_t i = 0; i < g->listener_count; i++) {
		if (g->listeners[i].kind != LISTENER_DNS_UDP)
			ev_io_stop(g->ev, &g->listeners[i].io);
	}
}

void
gate_resume(struct gate *g)
{
	if (!g->paused || g->draining || g->client_count >= g->client_max)
		return;
	g->paused = false;
	for (size_t i = 0; i < g->listener_count; i++)
		ev_io_start(g->ev, &g->listeners[i].io);
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	gate_resume(w->data);
}

static void
pause_for(struct gate *g)
{
	pause_accepts(g);
	ev_timer_stop(g->ev, &g->retry);
	ev_timer_set(&g->retry, RETRY_S, 0.0);
	ev_timer_start(g->ev, &g->retry);
}

/* Returns whether there may be another. */
static bool
accept_one(struct gate_listener *l)
{
	struct gate *g = l->gate;
	int fd;

	if (g->client_count >= g->client_max) {
		pause_accepts(g);
		return false;
	}
	fd = sock_accept(l->io.fd, NULL);
	if (fd != -1)
		return gate_client_start(g, l->kind, fd) == 0;
	if (errno == ECONNABORTED || errno == EINTR)
		return true;
	if (errno != EAGAIN)
		pause_for(g);
	return false;
}

static void
accept_some(struct gate_listener *l)
{
	if (gate_log_is_full(l->gate)) {
		pause_for(l->gate);
		return;
	}
	for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(l); i++)
		;
}

static void
on_listener(struct ev_loop *loop, ev_io *w, int revents)
{
	struct gate_listener *l = w->data;

	(void)loop;
	(void)revents;
	if (l->kind == LISTENER_DNS_UDP)
		gate_resolver_serve(l->gate, w->fd);
	else
		accept_some(l);
}

static void
on_drained(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* The command was killed. */
static void
on_quit(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* The command is dead.  What waits to be accepted may be its last words. */
static void
on_term(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct gate *g = w->data;

	(void)revents;
	ev_signal_stop(loop, w);
	for (size_t i = 0; i < g->listener_count; i++) {
		struct gate_listener *l = &g->listeners[i];

		while (l->kind != LISTENER_DNS_UDP && accept_one(l))
			;
		ev_io_stop(loop, &l->io);
	}
	ev_timer_start(loop, &g->drained);
	gate_client_drain(g);
}

/* What is accepted never leaves the machine: nothing is lost there that a
 * sender should find its pace by, and what paces by the clock (BBR) only
 * holds back.  Reno is in every kernel and open to every user; where it can
 * not be had all is as it was. */
static void
set_congestion(int listener)
{
	static const char name[] = "reno";

	setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, name,
	    sizeof name - 1);
}

/* Who may have few descriptors has fewer clients, which then wait for each
 * other instead of being told that there are none. */
static size_t
count_places(void)
{
	struct rlimit files;
	size_t n = 1;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return GATE_CLIENTS_MAX;
	if (files.rlim_max > FDS_OWN + FDS_CLIENT)
		n = (files.rlim_max - FDS_OWN) / FDS_CLIENT;
	return n < GATE_CLIENTS_MAX ? n : GATE_CLIENTS_MAX;
}

static int
open_gate(struct gate *g, const struct policy *p, const struct confine *c,
    struct audit *audit)
{
	struct error e;

	g->policy = p;
	g->audit = audit;
	g->client_max = count_places();
	g->ev = ev_default_loop(EVFLAG_NOENV);
	if (g->ev == NULL || resolve_init(&e) != 0)
		return -1;
	http_set_head_max(GATE_HEAD_MAX);
	ev_timer_init(&g->retry, on_retry, 0.0, 0.0);
	g->retry.data = g;
	ev_timer_init(&g->drained, on_drained, GATE_DRAIN_S, 0.0);
	ev_signal_init(&g->term, on_term, SIGTERM);
	g->term.data = g;
	ev_signal_start(g->ev, &g->term);
	ev_signal_init(&g->quit, on_quit, SIGQUIT);
	ev_signal_start(g->ev, &g->quit);
	for (size_t i = 0; i < c->listener_count; i++) {
		struct gate_listener *l = &g->listeners[i];

		l->kind = c->listeners[i].kind;
		l->gate = g;
		ev_io_init(&l->io, on_listener, c->listeners[i].fd, EV_READ);
		l->io.data = l;
		set_congestion(l->io.fd);
		ev_io_start(g->ev, &l->io);
	}
	g->listener_count = c->listener_count;
	return 0;
}

/* What a terminal, or who has our group's number, sends is for the supervisor,
 * which passes it on to a command that may live on and need us.  Ignoring it
 * forgets what came between fork and here. */
static void
leave_terminal(void)
{
	static const int others[] = {
		SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE,
	};
	sigset_t none;

	setsid();
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		signal(others[i], SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The gate's process.  It exists because the payload's bytes are parsed here,
 * far from the supervisor's rights; it holds the listeners, the audit file
 * and what it dials; it ends soon after the supervisor's signal, or with its
 * death. */
static _Noreturn void
run_gate(const struct policy *p, const struct confine *c,
    struct audit *audit, pid_t parent, int ready_fd)
{
	static struct gate g;
	int keep[GATE_FDS_MAX] = {audit->fd, ready_fd};
	size_t count = 2;
	int failed = 0;

	for (size_t i = 0; i < c->listener_count; i++)
		keep[count++] = c->listeners[i].fd;
	leave_terminal();
	if (gate_confine_fds(keep, count) != 0 ||
	    open_gate(&g, p, c, audit) != 0 || gate_confine(parent) != 0)
		failed = errno != 0 ? errno : ENOMEM;
	io_write_all(ready_fd, bytes_of(&failed, sizeof failed));
	io_close(&ready_fd);
	if (failed == 0) {
		ev_run(g.ev, 0);
		gate_client_stop(&g);
		gate_log_skipped(&g);
	}
	_exit(EXIT_OK);
}

/* Waits until the gate is in its cage.  Returns 0, or -1 with errno. */
static int
wait_ready(int fd)
{
	int failed = 0;
	ssize_t n;

	do {
		n = read(fd, &failed, sizeof failed);
	} while (n == -1 && errno == EINTR);
	errno = n == (ssize_t)sizeof failed ? failed : ECHILD;
	return errno == 0 ? 0 : -1;
}

pid_t
gate_start(const struct policy *policy, const struct confine *c,
    struct audit *audit, struct error *e)
{
	pid_t parent = getpid(), pid = -1;
	int pair[2];
	int r = -1;

	if (pipe2(pair, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0)
			run_gate(policy, c, audit, parent, pair[1]);
		close(pair[1]);
		if (pid > 0)
			r = wait_ready(pair[0]);
		close(pair[0]);
	}
	if (r == 0)
		return pid;
	error_errno(e, "the gate could not be started");
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return -1;
}
