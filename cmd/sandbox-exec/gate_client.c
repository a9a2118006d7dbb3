/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-exec/gate_resolver.h"
#include "cmd/sandbox-exec/gate_socks.h"
#include "common/clienthello.h"
#include "common/io.h"

enum {
	TLS_HANDSHAKE = 22,
	FORBIDDEN = 403,
	BAD_GATEWAY = 502,
	GREETING_S = 30, /* for a request, a head, the first bytes */
	DNS_IDLE_S = 10,
	LINGER_S = 5,
	RELAY_IDLE_S = 3600,
};

void
gate_client_set_timer(struct client *c, double seconds)
{
	c->timer.repeat = seconds;
	ev_timer_again(c->gate->ev, &c->timer);
}

static void
free_client(struct client *c)
{
	struct gate *g = c->gate;

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

/* ---- refusals ---- */

static int
log_outcome(struct client *c, enum gate_outcome outcome, const char *text)
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
close_softly(struct client *c)
{
	gate_side_close(c, &c->server);
	c->state = CLIENT_CLOSING;
	gate_client_set_timer(c, LINGER_S);
}

/* Answers in what the client has begun to speak; a reset is all that others
 * understand. */
static void
answer_in_kind(struct client *c, int status, const char *sentence)
{
	struct bytes in = buf_bytes(&c->from_client);
	uint8_t alert[CLIENTHELLO_ALERT_LEN];

	if (in.len != 0 && in.ptr[0] == TLS_HANDSHAKE) {
		clienthello_put_alert(alert, ALERT_UNRECOGNIZED_NAME);
		buf_add(&c->to_client, bytes_of(alert, sizeof alert));
	} else if (in.len != 0 && gate_head_begins(in.ptr[0])) {
		gate_head_refuse(&c->to_client, status, sentence);
	} else {
		sock_set_abort(c->client.fd);
		c->state = CLIENT_OVER;
		return;
	}
	close_softly(c);
}

static void
answer(struct client *c, enum gate_outcome outcome, const char *sentence)
{
	int status = outcome == GATE_REFUSED ? FORBIDDEN : BAD_GATEWAY;
	bool reached = c->state == CLIENT_PEEKING ||
	    c->state == CLIENT_RELAYING;
	uint8_t reply[SOCKS_REPLY_MAX];
	size_t len;

	if ((c->via == VIA_HTTP || (c->via == VIA_CONNECT && !reached))) {
		gate_head_refuse(&c->to_client, status, sentence);
		close_softly(c);
	} else if (c->via == VIA_SOCKS && !reached) {
		len = gate_socks_reply(outcome == GATE_REFUSED ?
		    SOCKS_NOT_ALLOWED : SOCKS_UNREACHABLE, sentence, reply);
		buf_add(&c->to_client, bytes_of(reply, len));
		close_softly(c);
	} else if (c->via == VIA_CAPTURE && !reached &&
	    buf_len(&c->from_client) == 0 && !c->client.eof) {
		c->state = CLIENT_REFUSING;
		c->captured_refused = outcome == GATE_REFUSED;
		gate_client_set_timer(c, LINGER_S);
	} else {
		answer_in_kind(c, status, sentence);
	}
}

static void
make_sentence(const struct client *c, enum gate_outcome outcome,
    char out[static GATE_SENTENCE_MAX])
{
	char host[ALLOW_HOST_MAX + 1];

	if (outcome == GATE_REFUSED)
		gate_target_sentence(&c->target, &c->verdict, out);
	else
		str_format(out, GATE_SENTENCE_MAX, "%s port %u is allowed "
		    "but could not be reached: %s.",
		    gate_target_host(&c->target, host), c->target.port,
		    c->verdict.reason);
}

void
gate_client_refuse(struct client *c, enum gate_outcome outcome,
    const char *format, ...)
{
	char sentence[GATE_SENTENCE_MAX];
	struct error why;
	va_list ap;

	va_start(ap, format);
	vsnprintf(why.text, sizeof why.text, format, ap);
	va_end(ap);
	str_format(c->verdict.reason, sizeof c->verdict.reason, "%s",
	    why.text);
	make_sentence(c, outcome, sentence);
	log_outcome(c, outcome, sentence);
	answer(c, outcome, sentence);
}

/* A captured connection that was refused has said what it speaks. */
static void
tell_refused(struct client *c)
{
	char sentence[GATE_SENTENCE_MAX];
	bool refused = c->captured_refused;

	if (buf_len(&c->from_client) == 0) {
		if (c->client.eof)
			c->state = CLIENT_OVER;
		return;
	}
	make_sentence(c, refused ? GATE_REFUSED : GATE_FAILED, sentence);
	answer_in_kind(c, refused ? FORBIDDEN : BAD_GATEWAY, sentence);
}

/* ---- requests ---- */

static void
decide(struct client *c)
{
	gate_target_decide(&c->target, c->gate->policy, &c->verdict);
	if (!c->verdict.allowed)
		gate_client_refuse(c, GATE_REFUSED, "%s",
		    c->verdict.reason);
	else
		gate_dial_start(c);
}

/* A host that is none has no target; it is shown as it came, without what
 * could break a line. */
static void
refuse_host(struct client *c, const struct error *why)
{
	char sentence[GATE_SENTENCE_MAX];
	const struct gate_decision d = {.via = c->via,
		.outcome = GATE_REFUSED, .host = "", .rule = "",
		.text = sentence};

	str_format(sentence, sizeof sentence, "The request is refused by the "
	    "sandbox: its host is not valid: %s.", why->text);
	gate_log(c->gate, &d);
	answer(c, GATE_REFUSED, sentence);
}

static void
decide_host(struct client *c, const char *host, uint16_t port)
{
	struct error e;

	if (gate_target_parse(bytes_cstr(host), port, &c->gate->fakes,
	    &c->target, &e) != 0)
		refuse_host(c, &e);
	else
		decide(c);
}

static void
take_greeting(struct client *c)
{
	struct bytes in = buf_bytes(&c->from_client);
	const uint8_t refusal[] = {SOCKS_VERSION, 0xff};
	const uint8_t accepted[] = {SOCKS_VERSION, 0};
	bool ok;
	ssize_t n;

	if (in.len == 0)
		return;
	if (in.ptr[0] != SOCKS_VERSION) {
		c->state = gate_head_begins(in.ptr[0]) ? CLIENT_HEAD :
		    CLIENT_OVER;
		return;
	}
	c->via = VIA_SOCKS;
	n = gate_socks_greeting(in, &ok);
	if (n < 0)
		c->state = CLIENT_OVER;
	if (n <= 0)
		return;
	buf_drop(&c->from_client, (size_t)n);
	buf_add(&c->to_client, bytes_of(ok ? accepted : refusal, 2));
	if (ok)
		c->state = CLIENT_SOCKS;
	else
		close_softly(c);
}

static void
take_socks(struct client *c)
{
	uint8_t reply[SOCKS_REPLY_MAX];
	struct gate_socks request;
	enum socks_reply why;
	size_t len;
	ssize_t n = gate_socks_request(buf_bytes(&c->from_client), &request,
	    &why);

	if (n > 0) {
		buf_drop(&c->from_client, (size_t)n);
		decide_host(c, request.host, request.port);
	} else if (n < 0) {
		len = gate_socks_reply(why, why == SOCKS_BAD_COMMAND ?
		    "The sandbox has no UDP and accepts no connections." :
		    "", reply);
		buf_add(&c->to_client, bytes_of(reply, len));
		close_softly(c);
	}
}

/* Makes the request the one that goes out. */
static int
forward_head(struct client *c, struct gate_head *h)
{
	char host[ALLOW_HOST_MAX + 1], authority[ALLOW_HOST_MAX + 16];
	bool v6 = strchr(gate_target_host(&c->target, host), ':') != NULL;
	char port[8] = "";

	if (c->target.port != GATE_HTTP_PORT)
		str_format(port, sizeof port, ":%u", c->target.port);
	str_format(authority, sizeof authority, "%s%s%s%s", v6 ? "[" : "",
	    host, v6 ? "]" : "", port);
	c->http = true;
	c->body = h->body;
	c->to_head = bytes_eq(h->http.method, bytes_cstr("HEAD"));
	return gate_head_write(&c->to_server, h, authority);
}

static void
answer_bad_head(struct client *c, const struct error *e)
{
	gate_head_refuse(&c->to_client, e->code, e->text);
	close_softly(c);
}

static void
take_head(struct client *c)
{
	struct bytes in = buf_bytes(&c->from_client);
	struct gate_head h;
	struct error e;
	ssize_t n = http_scan_head(&c->scan, in, GATE_HEAD_MAX, &e);

	if (n == 0)
		return;
	if (n < 0 || gate_head_parse(bytes_of(in.ptr, (size_t)n), &h,
	    &e) != 0) {
		answer_bad_head(c, &e);
		return;
	}
	c->via = h.form == FORM_CONNECT ? VIA_CONNECT : VIA_HTTP;
	if (h.form == FORM_ORIGIN) {
		e.code = FORBIDDEN;
		error_set(&e, "This is the sandbox's proxy: ask it for an "
		    "absolute URL or CONNECT");
		answer_bad_head(c, &e);
		return;
	}
	if (gate_target_parse(bytes_cstr(h.host), h.port, &c->gate->fakes,
	    &c->target, &e) != 0) {
		refuse_host(c, &e);
		return;
	}
	if (h.form == FORM_ABSOLUTE && forward_head(c, &h) != 0) {
		c->state = CLIENT_OVER;
		return;
	}
	buf_drop(&c->from_client, (size_t)n);
	decide(c);
}

static void
take_dns(struct client *c)
{
	uint8_t out[2 + GATE_DNS_ANSWER_MAX];

	for (;;) {
		struct bytes in = buf_bytes(&c->from_client);
		size_t len, n;

		if (in.len < 2 || buf_len(&c->to_client) > GATE_BUFFER_HIGH)
			break;
		len = be16_get(in.ptr);
		if (len > GATE_DNS_QUERY_MAX) {
			c->state = CLIENT_OVER;
			return;
		}
		if (in.len < 2 + len)
			break;
		n = gate_resolver_answer(c->gate, bytes_of(in.ptr + 2, len),
		    out + 2);
		be16_put(out, (uint16_t)n);
		buf_drop(&c->from_client, 2 + len);
		if (n != 0)
			buf_add(&c->to_client, bytes_of(out, 2 + n));
	}
	if (c->client.eof)
		close_softly(c);
}

/* ---- what is said to the server ---- */

static void
peek_tls(struct client *c)
{
	struct clienthello hello;
	int r = clienthello_parse(buf_bytes(&c->from_client), &hello);

	if (r < 0)
		gate_client_refuse(c, GATE_REFUSED, "its TLS hello is not "
		    "accepted: %s", hello.text);
	else if (r > 0 && !str_eq(hello.name, c->target.name))
		gate_client_refuse(c, GATE_REFUSED, "the TLS server name is "
		    "%s, not %s", hello.name, c->target.name);
	else if (r > 0)
		gate_relay_start(c);
}

/* The request has to be for the name that the connection is for. */
static bool
is_same_host(struct client *c, const struct gate_head *h)
{
	struct gate_target t;
	struct error e;

	if (gate_target_parse(bytes_cstr(h->host), h->port, &c->gate->fakes,
	    &t, &e) == 0 && str_eq(t.name, c->target.name))
		return true;
	gate_client_refuse(c, GATE_REFUSED, "the request's Host is not %s",
	    c->target.name);
	return false;
}

static void
peek_http(struct client *c)
{
	struct bytes in = buf_bytes(&c->from_client);
	struct gate_head h;
	struct error e;
	ssize_t n = http_scan_head(&c->scan, in, GATE_HEAD_MAX, &e);

	if (n == 0)
		return;
	if (n < 0 || gate_head_parse(bytes_of(in.ptr, (size_t)n), &h,
	    &e) != 0) {
		gate_client_refuse(c, GATE_REFUSED, "its request is not "
		    "accepted: %s", e.text);
		return;
	}
	if (h.form == FORM_CONNECT) {
		gate_client_refuse(c, GATE_REFUSED, "a proxy cannot be asked "
		    "for through the sandbox's own");
		return;
	}
	if (!is_same_host(c, &h))
		return;
	if (forward_head(c, &h) != 0) {
		c->state = CLIENT_OVER;
		return;
	}
	buf_drop(&c->from_client, (size_t)n);
	gate_relay_start(c);
}

void
gate_peek(struct client *c)
{
	enum { HTTPS_PORT = 443 };
	struct bytes in = buf_bytes(&c->from_client);

	if (in.len == 0) {
		if (c->client.eof)
			c->state = CLIENT_OVER;
	} else if (in.ptr[0] == TLS_HANDSHAKE) {
		peek_tls(c);
	} else if (gate_head_begins(in.ptr[0]) &&
	    c->target.port != HTTPS_PORT) {
		peek_http(c);
	} else {
		gate_client_refuse(c, GATE_REFUSED, "what is sent is %s; "
		    "anything else needs an entry tcp:%s:%u",
		    c->target.port == HTTPS_PORT ? "not TLS" :
		    "neither TLS nor HTTP", c->target.name, c->target.port);
	}
	/* What is incomplete at the end never gets complete. */
	if (c->state == CLIENT_PEEKING && c->client.eof)
		c->state = CLIENT_OVER;
}

void
gate_client_reached(struct client *c)
{
	static const char established[] =
	    "HTTP/1.1 200 Connection established\r\n\r\n";
	uint8_t reply[SOCKS_REPLY_MAX];

	if (c->via == VIA_CONNECT)
		buf_add_str(&c->to_client, established);
	else if (c->via == VIA_SOCKS)
		buf_add(&c->to_client, bytes_of(reply,
		    gate_socks_reply(SOCKS_OK, "", reply)));
	if (c->via == VIA_HTTP || c->verdict.opaque) {
		gate_relay_start(c);
		return;
	}
	c->state = CLIENT_PEEKING;
	memset(&c->scan, 0, sizeof c->scan);
	gate_client_set_timer(c, GREETING_S);
}

void
gate_relay_start(struct client *c)
{
	/* Who fills the audit file's disk gets no further. */
	if (log_outcome(c, GATE_ALLOWED, NULL) != 0) {
		sock_set_abort(c->client.fd);
		c->state = CLIENT_OVER;
		return;
	}
	c->state = CLIENT_RELAYING;
	memset(&c->scan, 0, sizeof c->scan);
	gate_client_set_timer(c, RELAY_IDLE_S);
}

/* ---- events ---- */

/* Does what the state makes of what there is, until that changes nothing. */
static void
advance(struct client *c)
{
	enum client_state before;

	do {
		before = c->state;
		switch (c->state) {
		case CLIENT_GREETING:
			take_greeting(c);
			break;
		case CLIENT_SOCKS:
			take_socks(c);
			break;
		case CLIENT_HEAD:
			take_head(c);
			break;
		case CLIENT_DNS:
			take_dns(c);
			break;
		case CLIENT_PEEKING:
			gate_peek(c);
			break;
		case CLIENT_RELAYING:
			gate_relay(c);
			break;
		case CLIENT_REFUSING:
			tell_refused(c);
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
		close_softly(c);
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
		gate_client_refuse(c, GATE_REFUSED, "nothing was sent in %d "
		    "seconds; where the server speaks first an entry "
		    "tcp:%s:%u is needed", GREETING_S, c->target.name,
		    c->target.port);
	else
		c->state = CLIENT_OVER;
	gate_client_continue(c);
}

static void
start_capture(struct client *c)
{
	struct sock_addr a = {.len = sizeof a.v6};

	c->via = VIA_CAPTURE;
	if (getsockname(c->client.fd, &a.any, &a.len) != 0) {
		c->state = CLIENT_OVER;
		return;
	}
	gate_target_from_address(&a.any, &c->gate->fakes, &c->target);
	decide(c);
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
	    GREETING_S);
	c->state = kind == LISTENER_DNS_TCP ? CLIENT_DNS : CLIENT_GREETING;
	if (kind == LISTENER_CAPTURE)
		start_capture(c);
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
