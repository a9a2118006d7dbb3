/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/downstream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/mcp-proxy/metadata.h"
#include "cmd/mcp-proxy/rules.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/str.h"

static const struct wire_events wire_events;

static void on_expired(void *user);

/* ---- birth and death ---- */

static struct downstream *
downstream_new(struct proxy *p, const char *trace, const char *peer)
{
	struct downstream *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	d->proxy = p;
	watchdog_init(&d->watchdog, on_expired, d);
	exchange_init(&d->exchange, d);
	buf_init(&d->rx, PROXY_OUT_MAX);
	if (str_format(d->trace, sizeof d->trace, "%s", trace) != 0 ||
	    d->trace[0] == '\0')
		random_hex(d->trace, DOWNSTREAM_TRACE_LEN);
	str_format(d->peer, sizeof d->peer, "%s", peer);
	return d;
}

static void
wait_end(struct downstream *d)
{
	struct proxy *p = d->proxy;

	if (d->waits_ms == 0)
		return;
	d->waits_ms = 0;
	if (d->waiting_prev != NULL)
		d->waiting_prev->waiting_next = d->waiting_next;
	else
		p->waiting_first = d->waiting_next;
	if (d->waiting_next != NULL)
		d->waiting_next->waiting_prev = d->waiting_prev;
	else
		p->waiting_last = d->waiting_prev;
	d->waiting_next = d->waiting_prev = NULL;
}

static void
list_add(struct downstream *d)
{
	struct proxy *p = d->proxy;

	d->next = p->downstreams;
	if (d->next != NULL)
		d->next->prev = d;
	p->downstreams = d;
	p->downstream_count++;
	p->counts.connections++;
}

static void
list_remove(struct downstream *d)
{
	struct proxy *p = d->proxy;

	if (d->prev != NULL)
		d->prev->next = d->next;
	else
		p->downstreams = d->next;
	if (d->next != NULL)
		d->next->prev = d->prev;
	if (--p->downstream_count == 0)
		p->emptied(p);
}

/* d has no whole request any more, or yet. */
static void
wait_begin(struct downstream *d)
{
	struct proxy *p = d->proxy;

	wait_end(d);
	d->waits_ms = clock_ms();
	d->waiting_prev = p->waiting_last;
	if (d->waiting_prev != NULL)
		d->waiting_prev->waiting_next = d;
	else
		p->waiting_first = d;
	p->waiting_last = d;
}

/* Frees everything; the wire is closed already. */
static void
bury(struct downstream *d, const char *end)
{
	if (d->state == DOWNSTREAM_CLOSED)
		return;
	d->state = DOWNSTREAM_CLOSED;
	watchdog_stop(d->proxy->ev, &d->watchdog);
	exchange_done(&d->exchange);
	buf_reset(&d->rx);
	diag_info("agent closed: trace=%s requests=%" PRIu64 " end=%s",
	    d->trace, d->request_count, end);
	wait_end(d);
	list_remove(d);
	proxy_bury(d->proxy, &d->corpse);
}

/* Closes a connection whose both directions have ended. */
static void
close_ended(struct downstream *d, const char *end)
{
	struct chan *chan = d->wire.chan;
	uint32_t id = d->wire.stream == NULL ? 0 : d->wire.stream->id;

	wire_close(&d->wire);
	if (id != 0)
		leaving_add(&d->proxy->leaving, chan, id);
	bury(d, end);
}

/* Whether the agent would take what it has of a response for all of it, if the
 * connection ended cleanly now. */
static bool
is_cut_short(const struct downstream *d)
{
	return wire_unwritten(&d->wire) != 0 ||
	    (d->state == DOWNSTREAM_EXCHANGE && d->exchange.answered &&
	    d->exchange.response_framing == BODY_TO_END);
}

/* Ends a request that runs.  Closing the wire may yet find it broken: then
 * there is none left to end. */
static void
cancel(struct downstream *d)
{
	if (d->state != DOWNSTREAM_EXCHANGE)
		return;
	d->state = DOWNSTREAM_HEAD;
	exchange_cancel(&d->exchange);
}

/* The agent reads no more; with it goes a request that runs. */
static void
give_up(struct downstream *d, const char *end)
{
	cancel(d);
	wire_abort(&d->wire, FRAME_CANCELLED, BLAME_CLIENT, "");
	bury(d, end);
}

/* The agent ended the connection, or its side of it. */
static void
close_by_agent(struct downstream *d, const char *end)
{
	if (is_cut_short(d)) {
		give_up(d, end);
		return;
	}
	cancel(d);
	close_ended(d, end);
}

/* How long the agent may take to read our last words.  A stream that is reset
 * loses what the agent has not read, so there it is up to the agent; a closed
 * socket goes on sending. */
static int64_t
linger_ms(const struct downstream *d)
{
	if (wire_unwritten(&d->wire) != 0 || d->wire.stream != NULL)
		return d->proxy->config->idle_ms;
	return DOWNSTREAM_LINGER_MS;
}

/* Ends our direction cleanly and drops what the agent still sends, so that it
 * can read our last words before the connection goes. */
static void
finish(struct downstream *d)
{
	if (d->waits_ms == 0)
		wait_begin(d);
	d->state = DOWNSTREAM_LINGER;
	watchdog_set(d->proxy->ev, &d->watchdog, linger_ms(d));
	wire_resume(&d->wire);
	wire_finish(&d->wire);
}

static void
start(struct downstream *d)
{
	struct error e;

	list_add(d);
	wait_begin(d);
	watchdog_set(d->proxy->ev, &d->watchdog, d->proxy->config->header_ms);
	diag_info("agent connected: trace=%s peer=%s", d->trace, d->peer);
	if (wire_start_tls(&d->wire, d->proxy->server_tls, NULL, &e) == 0)
		return;
	diag_warning("%s: %s", d->peer, e.text);
	wire_abort(&d->wire, FRAME_INTERNAL, BLAME_PROXY, e.text);
	bury(d, "internal/proxy");
}

void
downstream_start_fd(struct proxy *p, int fd, const struct sock_addr *peer)
{
	char text[SOCK_TEXT_MAX];
	struct downstream *d = downstream_new(p, "",
	    sock_format(&peer->any, text));

	if (d == NULL) {
		close(fd);
		return;
	}
	wire_init_fd(&d->wire, p->ev, fd, true, &wire_events, d);
	start(d);
}

void
downstream_start_stream(struct proxy *p, struct chan *c,
    struct chan_stream *s, const char *trace, const char *peer)
{
	struct downstream *d = downstream_new(p, trace, peer);

	if (d == NULL) {
		chan_reset(c, s, FRAME_INTERNAL, BLAME_PROXY, "out of memory");
		return;
	}
	s->user = d;
	wire_init_stream(&d->wire, p->ev, c, s, &wire_events, d);
	start(d);
}

void
downstream_lost(struct downstream *d, const struct frame_reason *why)
{
	char end[64] = "clean";

	wire_lost(&d->wire);
	if (why != NULL)
		str_format(end, sizeof end, "%s/%s",
		    frame_code_name(why->code), frame_blame_name(why->blame));
	close_by_agent(d, end);
}

void
downstream_make_room(struct proxy *p)
{
	struct downstream *d = p->waiting_first;
	bool cut;

	if (d == NULL || clock_ms() - d->waits_ms < DOWNSTREAM_GRACE_MS)
		return;
	cut = d->request_count == 0 || d->state == DOWNSTREAM_EXCHANGE ||
	    is_cut_short(d);
	cancel(d);
	if (cut) {
		wire_abort(&d->wire, FRAME_LIMIT, BLAME_PROXY,
		    "others came first");
		bury(d, "limit/proxy");
	} else {
		wire_finish(&d->wire);
		close_ended(d, "limit/proxy");
	}
}

void
downstream_drain_all(struct proxy *p)
{
	struct downstream *next;

	for (struct downstream *d = p->downstreams; d != NULL; d = next) {
		next = d->next;
		if (d->state == DOWNSTREAM_SHAKING ||
		    (d->state == DOWNSTREAM_HEAD && !d->head_begun))
			finish(d);
	}
}

void
downstream_abort_all(struct proxy *p)
{
	while (p->downstreams != NULL) {
		struct downstream *d = p->downstreams;

		cancel(d);
		wire_abort(&d->wire, FRAME_DRAINING, BLAME_PROXY,
		    "shutting down");
		bury(d, "draining/proxy");
	}
}

void
downstream_leave_routes(struct proxy *p)
{
	struct downstream *next;

	for (struct downstream *d = p->downstreams; d != NULL; d = next) {
		next = d->next;
		if (d->state == DOWNSTREAM_EXCHANGE)
			exchange_leave_route(&d->exchange);
	}
}

void
downstream_leave_agents(struct proxy *p)
{
	struct downstream *next;

	for (struct downstream *d = p->downstreams; d != NULL; d = next) {
		next = d->next;
		if (d->state == DOWNSTREAM_EXCHANGE)
			exchange_leave_agent(&d->exchange);
	}
}

/* ---- for the exchange ---- */

void
downstream_watch(struct downstream *d, int64_t ms)
{
	watchdog_set(d->proxy->ev, &d->watchdog, ms);
}

void
downstream_resume(struct downstream *d)
{
	wire_resume(&d->wire);
	wire_kick(&d->wire);
}

int
downstream_send(struct downstream *d, struct bytes in)
{
	bool none;

	if (wire_write(&d->wire, in, &none) == 0)
		return 0;
	give_up(d, strerror(errno));
	return -1;
}

/* Waits for the next request, which may be there. */
static void
next_request(struct downstream *d)
{
	wait_begin(d);
	d->state = DOWNSTREAM_HEAD;
	d->scan = (struct http_scan){0};
	d->blank_skipped = d->head_begun = false;
	if (d->proxy->draining && buf_len(&d->rx) == 0) {
		finish(d);
		return;
	}
	watchdog_set(d->proxy->ev, &d->watchdog, d->proxy->config->idle_ms);
	if (buf_len(&d->rx) != 0)
		downstream_resume(d);
	else
		wire_resume(&d->wire);
}

void
downstream_finished(struct downstream *d, bool keep)
{
	if (keep)
		next_request(d);
	else
		finish(d);
}

/* Anybody can cause a client's failure, so those are not shown unasked; and
 * whoever can call an upstream that fails can cause the others. */
static void
log_failure(const struct downstream *d, const struct failure *why)
{
	unsigned kind = why->code <= FRAME_DENIED ? why->code : 0;
	char text[ERROR_TEXT_MAX];

	str_format(text, sizeof text, "request failed: trace=%s status=%d "
	    "code=%s blame=%s: %s", d->trace, why->status,
	    frame_code_name(why->code), frame_blame_name(why->blame),
	    why->text);
	if (why->blame == BLAME_CLIENT)
		diag_info("%s", text);
	else if (quiet_allows(&d->proxy->quiet, kind, 0, clock_ms()))
		diag_warning("%s", text);
}

/* Sends a response of our own; close: the connection is of no more use.  The
 * state is the caller's to set. */
static int
answer(struct downstream *d, const struct failure *why, bool to_head,
    bool close)
{
	struct buf *out = &d->proxy->out;

	log_failure(d, why);
	buf_clear(out);
	if (reply_write(out, why, d->trace, to_head, close) != 0) {
		wire_abort(&d->wire, why->code, why->blame, why->text);
		bury(d, "internal/proxy");
		return -1;
	}
	return downstream_send(d, buf_bytes(out));
}

void
downstream_failed(struct downstream *d, const struct failure *why)
{
	struct exchange *x = &d->exchange;
	/* When memory is short, what was read of a body may be offered again;
	 * it is no request. */
	bool close = x->client_closes || x->request.state != BODY_DONE ||
	    d->proxy->draining || why->blame == BLAME_CLIENT ||
	    why->code == FRAME_INTERNAL;

	exchange_ended(x, why);
	d->state = DOWNSTREAM_HEAD; /* no exchange to cancel */
	if (answer(d, why, x->to_head, close) != 0)
		return;
	exchange_done(x);
	if (close)
		finish(d);
	else
		next_request(d);
}

void
downstream_cut(struct downstream *d, const struct failure *why)
{
	exchange_ended(&d->exchange, why);
	log_failure(d, why);
	wire_abort(&d->wire, why->code, why->blame, why->text);
	bury(d, frame_blame_name(why->blame));
}

/* ---- requests ---- */

/* Refuses what can not be passed on; the connection ends with it, because
 * where the next request would begin is not known. */
static void
refuse(struct downstream *d, struct failure *why)
{
	struct audit_decision decision = {
		.who = {.trace = d->trace, .peer = d->peer},
		.verdict = AUDIT_DENY, .rule = "request", .why = why,
	};

	if (audit_decide(&d->proxy->audit, &decision) != 0)
		audit_refusal(why);
	if (answer(d, why, false, true) == 0)
		finish(d);
}

static void
refuse_bad(struct downstream *d, const struct error *e)
{
	struct failure why;

	failure_set(&why, e->code, FRAME_PROTOCOL, BLAME_CLIENT, "%s",
	    e->text);
	refuse(d, &why);
}

/* The route of the request, or NULL and why.  An agent that asked TLS for one
 * host may not ask HTTP for one of another upstream: what stands between may
 * have let it through for the first. */
static const struct config_route *
find_route(struct downstream *d, const struct http_head *h,
    struct failure *ret_why)
{
	const struct config *config = d->proxy->config;
	const struct config_route *route = config_route(config, h->host);
	const struct config_route *named = !d->named ? route
	    : config_route(config, bytes_cstr(tls_server_name(d->wire.tls)));
	char host[128];

	if (route != NULL && named != NULL && config_is_same(named, route))
		return route;
	diag_quote(host, sizeof host, h->host);
	if (route == NULL)
		failure_set(ret_why, 502, FRAME_NO_ROUTE, BLAME_PROXY,
		    "No route configured for host %s", host);
	else
		failure_set(ret_why, 421, FRAME_NO_ROUTE, BLAME_CLIENT,
		    "TLS was for another host than %s", host);
	return NULL;
}

/* The same if it has a place for the target: who may ask for what is below
 * a prefix may not leave it. */
static const struct config_route *
find_place(struct downstream *d, const struct http_head *h,
    struct failure *ret_why)
{
	const struct config_route *route = find_route(d, h, ret_why);

	if (route == NULL || route->prefix == NULL ||
	    !rules_goes_up(h->target))
		return route;
	failure_set(ret_why, 400, FRAME_PROTOCOL, BLAME_CLIENT,
	    "target: '..' in a path that has a prefix");
	return NULL;
}

static void
start_request(struct downstream *d, const struct body *body)
{
	const struct config_route *route;
	struct exchange *x = &d->exchange;
	struct http_head *h = &d->proxy->head;
	struct admitted agent;
	struct failure why;

	d->request_count++;
	route = find_place(d, h, &why);
	if (route != NULL && d->proxy->draining) {
		failure_set(&why, 503, FRAME_DRAINING, BLAME_PROXY,
		    "shutting down");
	} else if (route != NULL && metadata_is_asked(route, h)) {
		d->state = DOWNSTREAM_EXCHANGE;
		exchange_tell_metadata(x, route, body);
		return;
	} else if (route != NULL && admit(route, d->has_cert ? &d->cert : NULL,
	    h, &agent, &why) == 0) {
		d->state = DOWNSTREAM_EXCHANGE;
		exchange_start(x, route, &agent, body);
		return;
	}
	exchange_refuse(x, body, &why);
}

/* Takes a head.  Returns its length, or 0 when it is not complete or the
 * connection is over. */
static size_t
take_head(struct downstream *d, struct bytes in)
{
	const struct config *config = d->proxy->config;
	struct error e;
	struct body body;
	ssize_t n;

	if (in.len == 0)
		return 0;
	if (!d->head_begun) {
		d->head_begun = true;
		wait_begin(d);
		watchdog_set(d->proxy->ev, &d->watchdog, config->header_ms);
	}
	/* RFC 9112 section 2.2: one empty line before a request is skipped. */
	if (!d->blank_skipped && d->scan.seen == 0 && in.ptr[0] == '\r') {
		if (in.len == 1)
			return 0;
		if (in.ptr[1] == '\n') {
			d->blank_skipped = true;
			return 2;
		}
	}
	n = http_scan_head(&d->scan, in, (size_t)config->header_max, &e);
	if (n == 0)
		return 0;
	if (n < 0 || http_parse_request(bytes_of(in.ptr, (size_t)n),
	    &d->proxy->head, &body, &e) != 0) {
		refuse_bad(d, &e);
		return 0;
	}
	start_request(d, &body);
	return (size_t)n;
}

/* Offers in to whatever the connection is at.  Returns how much was used. */
static size_t
take(struct downstream *d, struct bytes in)
{
	size_t used = 0, n;

	for (;;) {
		struct bytes rest = bytes_after(in, used);

		switch (d->state) {
		case DOWNSTREAM_HEAD:
			n = take_head(d, rest);
			used += n;
			if (n == 0 && d->state == DOWNSTREAM_HEAD)
				return used;
			break;
		case DOWNSTREAM_EXCHANGE:
			n = exchange_request(&d->exchange, rest);
			used += n;
			if (d->state != DOWNSTREAM_EXCHANGE)
				break;
			if (d->exchange.request.state == BODY_DONE)
				wait_end(d);
			return used;
		case DOWNSTREAM_SHAKING:
		case DOWNSTREAM_LINGER:
		case DOWNSTREAM_CLOSED:
			return in.len;
		}
	}
}

/* Takes new bytes after those that wait. */
static void
deliver(struct downstream *d, struct bytes in)
{
	bool kept = buf_len(&d->rx) != 0;
	size_t used;

	if (kept) {
		if (buf_add(&d->rx, in) != 0)
			goto full;
		in = buf_bytes(&d->rx);
	}
	used = take(d, in);
	if (d->state == DOWNSTREAM_CLOSED)
		return;
	if (kept)
		buf_drop(&d->rx, used);
	else if (used < in.len && buf_add(&d->rx, bytes_after(in, used)) != 0)
		goto full;
	if (buf_len(&d->rx) == 0)
		buf_reset(&d->rx);
	return;
full:
	cancel(d);
	wire_abort(&d->wire, FRAME_LIMIT, BLAME_PROXY, "out of memory");
	bury(d, "limit/proxy");
}

/* ---- events ---- */

/* Remembers which host TLS was for.  An address is no name (RFC 6066 section
 * 3), though some clients send one. */
static void
take_server_name(struct downstream *d)
{
	const char *name = tls_server_name(d->wire.tls);
	struct sock_addr address;

	d->named = name[0] != '\0' && sock_parse_ip(name, 0, &address) != 0;
}

static void
shake(struct downstream *d)
{
	struct error e;
	int r = wire_handshake(&d->wire, &e);

	if (r == 0)
		return;
	if (r < 0) {
		diag_info("agent refused: trace=%s peer=%s: %s", d->trace,
		    d->peer, e.text);
		finish(d); /* the alert is on its way */
		return;
	}
	take_server_name(d);
	d->has_cert = tls_peer_fingerprint(d->wire.tls, d->cert.digest);
	next_request(d);
}

/* Whether the agent should not be read at the moment. */
static bool
is_full(const struct downstream *d)
{
	if (wire_unwritten(&d->wire) > WIRE_HIGH &&
	    d->state != DOWNSTREAM_LINGER)
		return true;
	return d->state == DOWNSTREAM_EXCHANGE &&
	    (exchange_is_full(&d->exchange) ||
	    buf_len(&d->rx) >= PROXY_REQUEST_WAITING_MAX);
}

static void
on_end(struct downstream *d, int error)
{
	d->ended = true;
	if (d->state == DOWNSTREAM_LINGER &&
	    wire_unwritten(&d->wire) != 0 && error == 0)
		wire_pause(&d->wire); /* on_drained closes */
	else
		close_by_agent(d, error == 0 ? "clean" : strerror(error));
}

static void
on_input(void *user)
{
	struct downstream *d = user;
	struct proxy *p = d->proxy;

	if (d->state == DOWNSTREAM_SHAKING)
		shake(d);
	if (d->state == DOWNSTREAM_SHAKING)
		return;
	if (buf_len(&d->rx) != 0 || d->state == DOWNSTREAM_EXCHANGE)
		deliver(d, bytes_of(NULL, 0));
	for (int i = 0; i < PROXY_READS_PER_TURN &&
	    d->state != DOWNSTREAM_CLOSED; i++) {
		ssize_t n;

		if (is_full(d)) {
			wire_pause(&d->wire);
			return;
		}
		n = wire_read(&d->wire, p->in, sizeof p->in);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			on_end(d, n == 0 ? 0 : errno);
			return;
		}
		deliver(d, bytes_of(p->in, (size_t)n));
		if ((size_t)n < sizeof p->in)
			break;
	}
	if (d->state != DOWNSTREAM_CLOSED && wire_has_pending(&d->wire))
		wire_kick(&d->wire);
}

static void
on_drained(void *user)
{
	struct downstream *d = user;

	if (d->state == DOWNSTREAM_LINGER) {
		if (d->ended)
			close_ended(d, "clean");
		else
			downstream_watch(d, linger_ms(d));
		return;
	}
	if (d->state == DOWNSTREAM_EXCHANGE)
		exchange_drained(&d->exchange);
	wire_resume(&d->wire);
}

static void
on_broken(void *user, int error)
{
	give_up(user, strerror(error));
}

static void
on_expired(void *user)
{
	struct downstream *d = user;
	struct failure why;

	switch (d->state) {
	case DOWNSTREAM_HEAD:
		if (!d->head_begun) {
			finish(d);
			break;
		}
		failure_set(&why, 408, FRAME_TIMEOUT, BLAME_CLIENT,
		    "the head of the request did not come in time");
		refuse(d, &why);
		break;
	case DOWNSTREAM_EXCHANGE:
		exchange_expired(&d->exchange);
		break;
	case DOWNSTREAM_SHAKING:
		wire_abort(&d->wire, FRAME_TIMEOUT, BLAME_CLIENT,
		    "TLS handshake: timed out");
		bury(d, "timeout/client");
		break;
	case DOWNSTREAM_LINGER:
		if (!is_cut_short(d)) {
			close_ended(d, "clean");
			break;
		}
		wire_abort(&d->wire, FRAME_TIMEOUT, BLAME_CLIENT,
		    "the response was not read in time");
		bury(d, "timeout/client");
		break;
	case DOWNSTREAM_CLOSED:
		break;
	}
}

static const struct wire_events wire_events = {
	.input = on_input, .drained = on_drained, .broken = on_broken,
};
