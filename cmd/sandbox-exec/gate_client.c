/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_client.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/io.h"

enum { DNS_IDLE_S = 10 };

void
gate_client_set_timer(struct client *c, double seconds)
{
	c->timer.repeat = seconds;
	ev_timer_again(c->gate->ev, &c->timer);
}

void
gate_client_close(struct client *c)
{
	gate_side_close(c, &c->server);
	c->state = CLIENT_CLOSING;
	gate_client_set_timer(c, GATE_LINGER_S);
}

int
gate_client_log(struct client *c, enum gate_outcome outcome, const char *text)
{
	char host[ALLOW_HOST_MAX + 1], address[SOCK_TEXT_MAX];
	const struct gate_decision d = {
		.via = c->via,
		.outcome = outcome,
		.host = gate_target_host(&c->target, host),
		.port = c->target.port,
		.rule = c->verdict.rule,
		.address = outcome == GATE_ALLOWED ?
		    sock_format(&c->addrs[c->addr_next - 1].any, address) :
		    NULL,
		.text = text,
	};

	return gate_log(c->gate, &d);
}

static void
log_end(struct client *c)
{
	char host[ALLOW_HOST_MAX + 1];
	const struct gate_ended d = {
		.host = gate_target_host(&c->target, host),
		.port = c->target.port,
		.sent = c->server.sent,
		.received = c->client.sent,
		.ms = clock_ms() - c->allowed_ms,
	};

	gate_log_end(c->gate, &d);
}

static void
free_client(struct client *c)
{
	struct gate *g = c->gate;

	if (c->allowed_ms != 0)
		log_end(c);
	if (c->query != NULL)
		resolve_cancel(c->query);
	ev_timer_stop(g->ev, &c->timer);
	gate_side_close(c, &c->client);
	gate_side_close(c, &c->server);
	buf_reset(&c->from_client);
	buf_reset(&c->to_server);
	buf_reset(&c->from_server);
	buf_reset(&c->to_client);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		g->clients = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	free(c);
	g->client_count--;
	gate_resume(g);
	if (g->draining && g->client_count == 0)
		ev_break(g->ev, EVBREAK_ALL);
}

/* Does what the state makes of what there is, until that changes nothing. */
static void
advance(struct client *c)
{
	enum client_state before;

	do {
		before = c->state;
		switch (c->state) {
		case CLIENT_GREETING:
		case CLIENT_SOCKS:
		case CLIENT_HEAD:
		case CLIENT_DNS:
			gate_request_take(c);
			break;
		case CLIENT_PEEKING:
			gate_peek(c);
			break;
		case CLIENT_RELAYING:
			gate_relay(c);
			break;
		case CLIENT_REFUSING:
			gate_refuse_tell(c);
			break;
		case CLIENT_CLOSING:
			buf_clear(&c->from_client);
			break;
		case CLIENT_RESOLVING:
		case CLIENT_DIALING:
		case CLIENT_OVER:
			break;
		}
	} while (c->state != before && c->state != CLIENT_OVER);
	/* A client that leaves before it has asked is gone. */
	if (c->client.eof && (c->state == CLIENT_GREETING ||
	    c->state == CLIENT_SOCKS || c->state == CLIENT_HEAD))
		c->state = CLIENT_OVER;
}

/* Passes the end on, once what came before it is out. */
static void
pass_end(const struct client *c, const struct side *from, struct side *to)
{
	if (from->eof && !to->shut && gate_side_is_passed(c, from) &&
	    to->fd != -1) {
		to->shut = true;
		shutdown(to->fd, SHUT_WR);
	}
}

static void
pass_ends(struct client *c)
{
	if (c->state == CLIENT_RELAYING && !c->http)
		pass_end(c, &c->client, &c->server);
	if (c->state == CLIENT_RELAYING)
		pass_end(c, &c->server, &c->client);
	if (c->state == CLIENT_RELAYING && c->client.shut &&
	    (c->server.shut || c->http))
		gate_client_close(c);
	if (c->state != CLIENT_CLOSING || buf_len(&c->to_client) != 0)
		return;
	if (!c->client.shut) {
		c->client.shut = true;
		shutdown(c->client.fd, SHUT_WR);
	}
	if (c->client.eof)
		c->state = CLIENT_OVER;
}

/* A broken side breaks the other. */
static void
break_off(struct client *c)
{
	if (c->client.fd != -1)
		sock_set_abort(c->client.fd);
	if (c->server.fd != -1)
		sock_set_abort(c->server.fd);
	free_client(c);
}

/* Whether nobody waits for anything of it but what has gone already. */
static bool
is_drained(const struct client *c)
{
	if (c->state == CLIENT_RELAYING)
		return c->client.eof && gate_side_is_passed(c, &c->client);
	return c->state == CLIENT_DNS || c->state == CLIENT_REFUSING ||
	    c->state == CLIENT_CLOSING;
}

void
gate_client_continue(struct client *c)
{
	advance(c);
	if (!gate_side_flush(c)) {
		break_off(c);
		return;
	}
	pass_ends(c);
	if (c->state == CLIENT_OVER || (c->gate->draining && is_drained(c)))
		free_client(c);
	else
		gate_side_watch(c);
}

static void
on_client(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;

	(void)loop;
	if ((revents & EV_READ) != 0 && !c->client.eof &&
	    !gate_side_read(c, &c->client)) {
		break_off(c);
		return;
	}
	if (c->state == CLIENT_RELAYING)
		ev_timer_again(loop, &c->timer);
	gate_client_continue(c);
}

static void
on_server(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;

	if (c->state == CLIENT_DIALING) {
		gate_dial_progress(c);
		gate_client_continue(c);
		return;
	}
	if ((revents & EV_READ) != 0 && !c->server.eof &&
	    !gate_side_read(c, &c->server)) {
		break_off(c);
		return;
	}
	ev_timer_again(loop, &c->timer);
	gate_client_continue(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct client *c = w->data;

	(void)loop;
	(void)revents;
	if (c->state == CLIENT_DIALING)
		gate_dial_timeout(c);
	else if (c->state == CLIENT_PEEKING)
		gate_peek_timeout(c);
	else
		c->state = CLIENT_OVER;
	gate_client_continue(c);
}

static void
init_client(struct client *c, struct gate *g, int fd)
{
	struct buf *const bufs[] = {&c->from_client, &c->to_server,
		&c->from_server, &c->to_client};

	c->gate = g;
	c->next = g->clients;
	if (c->next != NULL)
		c->next->prev = c;
	g->clients = c;
	c->client.fd = fd;
	c->server.fd = -1;
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		buf_init(bufs[i], GATE_BUFFER_MAX);
	ev_init(&c->client.io, on_client);
	ev_init(&c->server.io, on_server);
	ev_init(&c->timer, on_timer);
	c->client.io.data = c->server.io.data = c->timer.data = c;
}

int
gate_client_start(struct gate *g, enum confine_listener_kind kind, int fd)
{
	struct client *c = calloc(1, sizeof *c);

	if (c == NULL) {
		io_close(&fd);
		return -1;
	}
	init_client(c, g, fd);
	g->client_count++;
	gate_client_set_timer(c, kind == LISTENER_DNS_TCP ? DNS_IDLE_S :
	    GATE_GREETING_S);
	c->state = kind == LISTENER_DNS_TCP ? CLIENT_DNS : CLIENT_GREETING;
	if (kind == LISTENER_CAPTURE)
		gate_request_capture(c);
	/* Most have sent something by now. */
	if (gate_side_read(c, &c->client))
		gate_client_continue(c);
	else
		break_off(c);
	return 0;
}

void
gate_client_drain(struct gate *g)
{
	struct client *next;

	g->draining = true;
	for (struct client *c = g->clients; c != NULL; c = next) {
		next = c->next;
		if (is_drained(c))
			free_client(c);
	}
	if (g->client_count == 0)
		ev_break(g->ev, EVBREAK_ALL);
}

void
gate_client_stop(struct gate *g)
{
	while (g->clients != NULL)
		free_client(g->clients);
}
