/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/sandbox-worker/delivery.h"
#include "cmd/sandbox-worker/log.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/sock.h"
#include "common/str.h"

enum {
	READ_LEN = 16 * 1024,
	ANSWER_CAP = 256,
	UNAVAILABLE = 503,
};

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_READING,
	CONNECTION_WRITING,
	CONNECTION_ENDING, /* answered: waits for the peer's end */
};

struct connection {
	struct endpoint *endpoint;
	enum connection_state state;
	int fd;
	ev_io io;
	ev_timer limit;
	struct delivery delivery;
	char answer[ANSWER_CAP];
	size_t answered; /* bytes of it that are sent */
};

struct endpoint {
	struct ev_loop *loop;
	struct endpoint_settings settings;
	bool refusing;
	int fd;
	ev_io io;
	struct connection connections[ENDPOINT_CONNECTIONS_MAX];
};

/* ---- judging ---- */

int
endpoint_judge(const struct webhook_key *key,
    const struct webhook_delivery *d, bool *ret_work)
{
	struct error e = {.code = WEBHOOK_MALFORMED};
	int r = -1;

	*ret_work = false;
	if (webhook_verify(key, d, clock_wall_s(), &e) == 0)
		r = webhook_is_work(d->body, &e);
	if (r < 0) {
		log_line(DIAG_WARNING, "delivery refused: %s", e.text);
		return e.code;
	}
	*ret_work = r == 1;
	log_line(DIAG_INFO, "delivery taken: id=%.*s work=%s", (int)d->id.len,
	    (const char *)d->id.ptr, r == 1 ? "yes" : "no");
	return WEBHOOK_OK;
}

/* ---- connections ---- */

static const char *
reason_of(int status)
{
	static const struct { int status; const char *reason; } known[] = {
		{WEBHOOK_OK, "OK"}, {WEBHOOK_MALFORMED, "Bad Request"},
		{WEBHOOK_UNAUTHORIZED, "Unauthorized"},
		{DELIVERY_BAD_METHOD, "Method Not Allowed"},
		{DELIVERY_TOO_LARGE, "Content Too Large"},
		{UNAVAILABLE, "Service Unavailable"},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].status == status)
			return known[i].reason;
	return "Error";
}

static void
watch(struct connection *c, enum connection_state state, int events)
{
	struct ev_loop *loop = c->endpoint->loop;

	c->state = state;
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(loop, &c->io);
}

static void
close_connection(struct connection *c)
{
	if (c->state == CONNECTION_FREE)
		return;
	ev_io_stop(c->endpoint->loop, &c->io);
	ev_timer_stop(c->endpoint->loop, &c->limit);
	delivery_done(&c->delivery);
	io_close(&c->fd);
	c->state = CONNECTION_FREE;
	ev_io_start(c->endpoint->loop, &c->endpoint->io);
}

/* Sends what is left of the answer.  A peer that still sends must read it
 * before the connection is closed, or a reset would take it away. */
static void
send_answer(struct connection *c)
{
	size_t len = strlen(c->answer);
	ssize_t n = send(c->fd, c->answer + c->answered, len - c->answered,
	    MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		close_connection(c);
		return;
	}
	c->answered += n > 0 ? (size_t)n : 0;
	if (c->answered < len)
		return;
	shutdown(c->fd, SHUT_WR);
	watch(c, CONNECTION_ENDING, EV_READ);
}

static void
answer(struct connection *c, int status)
{
	str_format(c->answer, sizeof c->answer, "HTTP/1.1 %d %s\r\n%s%s"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n", status,
	    reason_of(status), status == DELIVERY_BAD_METHOD
	    ? "Allow: POST\r\n" : "", status == UNAVAILABLE
	    ? "Retry-After: 30\r\n" : "");
	c->answered = 0;
	watch(c, CONNECTION_WRITING, EV_WRITE);
	send_answer(c);
}

static void
take_delivery(struct connection *c)
{
	struct endpoint *ep = c->endpoint;
	bool work = false;
	int status;

	if (ep->refusing) {
		answer(c, UNAVAILABLE);
		return;
	}
	status = endpoint_judge(ep->settings.key, &c->delivery.found, &work);
	answer(c, status);
	if (work)
		ep->settings.work(ep->settings.user);
}

/* Reads some.  Returns how much, 0 for nothing yet, -1 at the end. */
static ssize_t
read_some(struct connection *c, uint8_t in[static READ_LEN])
{
	ssize_t n = read(c->fd, in, READ_LEN);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n <= 0 ? -1 : n;
}

static void
on_connection(struct ev_loop *loop, ev_io *io, int events)
{
	struct connection *c = io->data;
	uint8_t in[READ_LEN];
	struct error e;
	ssize_t n;
	int r;

	(void)loop;
	(void)events;
	if (c->state == CONNECTION_WRITING) {
		send_answer(c);
		return;
	}
	n = read_some(c, in);
	if (n < 0) {
		close_connection(c);
		return;
	}
	if (n == 0 || c->state == CONNECTION_ENDING)
		return;
	r = delivery_feed(&c->delivery, bytes_of(in, (size_t)n), &e);
	if (r == 1)
		take_delivery(c);
	else if (r < 0) {
		log_line(DIAG_WARNING, "delivery refused: %s", e.text);
		answer(c, e.code);
	}
}

static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	close_connection(timer->data);
}

static void
open_connection(struct endpoint *ep, struct connection *c, int fd)
{
	c->endpoint = ep;
	c->fd = fd;
	delivery_init(&c->delivery);
	ev_io_init(&c->io, on_connection, fd, EV_READ);
	ev_timer_init(&c->limit, on_limit, ENDPOINT_TIMEOUT_MS / 1000.0, 0);
	c->io.data = c->limit.data = c;
	ev_timer_start(ep->loop, &c->limit);
	watch(c, CONNECTION_READING, EV_READ);
}

static void
on_listener(struct ev_loop *loop, ev_io *io, int events)
{
	struct endpoint *ep = io->data;

	(void)events;
	for (size_t i = 0; i < ENDPOINT_CONNECTIONS_MAX; i++) {
		int fd;

		if (ep->connections[i].state != CONNECTION_FREE)
			continue;
		fd = sock_accept(ep->fd, NULL);
		if (fd == -1)
			return;
		open_connection(ep, &ep->connections[i], fd);
	}
	ev_io_stop(loop, io); /* until one of them is closed */
}

struct endpoint *
endpoint_start(struct ev_loop *loop, const struct endpoint_settings *s,
    uint16_t *ret_port, struct error *e)
{
	struct endpoint *ep = calloc(1, sizeof *ep);

	if (ep == NULL) {
		error_errno(e, "%s", s->listen);
		return NULL;
	}
	http_set_head_max(DELIVERY_HEAD_MAX);
	ep->loop = loop;
	ep->settings = *s;
	ep->fd = sock_listen_tcp(s->listen, ret_port, e);
	if (ep->fd == -1) {
		free(ep);
		return NULL;
	}
	ev_io_init(&ep->io, on_listener, ep->fd, EV_READ);
	ep->io.data = ep;
	ev_io_start(loop, &ep->io);
	return ep;
}

void
endpoint_refuse(struct endpoint *ep)
{
	ep->refusing = true;
}

void
endpoint_free(struct endpoint *ep)
{
	if (ep == NULL)
		return;
	for (size_t i = 0; i < ENDPOINT_CONNECTIONS_MAX; i++)
		close_connection(&ep->connections[i]);
	ev_io_stop(ep->loop, &ep->io);
	io_close(&ep->fd);
	free(ep);
}
