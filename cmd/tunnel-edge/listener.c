/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/listener.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "common/clock.h"
#include "common/diag.h"
#include "common/io.h"

enum {
	ACCEPT_BATCH = 64,
	KEEPALIVE_S = 60,      /* of silence, before the first probe */
	KEEPALIVE_STEP_S = 15,
	KEEPALIVE_PROBES = 4,
};

static const double pause_seconds = 0.25;

/* Whether accept(2) failed for want of something that others may free; the
 * connection then stays in the queue and would wake us at once again. */
static bool
is_exhaustion(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOBUFS ||
	    code == ENOMEM;
}

/* A timer that has run out begins with no time left unless it is set. */
static void
rest(struct listener *l)
{
	ev_timer_set(&l->pause, pause_seconds, 0);
	ev_timer_start(l->ev, &l->pause);
}

static void
warn(struct listener *l, int code)
{
	if (quiet_allows(l->quiet, l->line, 0, clock_ms()))
		diag_warning("%s: accept: %s, going on in a moment", l->who,
		    strerror(code));
}

static void
on_connection(struct ev_loop *ev, ev_io *w, int revents)
{
	struct listener *l = w->data;

	(void)revents;
	for (int i = 0; i < ACCEPT_BATCH && l->fd != -1; i++) {
		struct sock_addr peer;
		int fd = sock_accept(l->fd, &peer);

		if (fd != -1) {
			l->accepted(l->user, fd, &peer);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			int code = errno;

			warn(l, code);
			if (is_exhaustion(code)) {
				ev_io_stop(ev, &l->io);
				rest(l);
			}
		}
		break;
	}
}

static void
on_pause_end(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct listener *l = w->data;

	(void)revents;
	ev_io_start(ev, &l->io);
}

/* Has the kernel notice peers that vanished; what it accepts inherits it. */
static void
set_keepalive(int fd)
{
	static const int on = 1, idle = KEEPALIVE_S, step = KEEPALIVE_STEP_S,
	    probes = KEEPALIVE_PROBES;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &step, sizeof step);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void
listener_adopt(struct listener *l, struct ev_loop *ev, int fd)
{
	l->ev = ev;
	l->fd = fd;
	ev_io_init(&l->io, on_connection, fd, EV_READ);
	ev_init(&l->pause, on_pause_end);
	l->io.data = l->pause.data = l;
}

int
listener_open(struct listener *l, struct ev_loop *ev, const char *where,
    struct error *e)
{
	int fd = sock_listen_tcp(where, &l->port, e);

	if (fd == -1)
		return -1;
	set_keepalive(fd);
	listener_adopt(l, ev, fd);
	return 0;
}

void
listener_start(struct listener *l)
{
	ev_io_start(l->ev, &l->io);
}

void
listener_close(struct listener *l)
{
	if (l->fd == -1)
		return;
	ev_io_stop(l->ev, &l->io);
	ev_timer_stop(l->ev, &l->pause);
	io_close(&l->fd);
}
