/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/exchange.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/headers.h"
#include "cmd/mcp-proxy/hearing.h"
#include "cmd/mcp-proxy/metadata.h"
#include "cmd/mcp-proxy/service.h"
#include "cmd/mcp-proxy/upstream.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/str.h"

enum { LOG_TARGET_MAX = 200 };

static const struct upstream_events upstream_events;

struct proxy *
exchange_proxy(const struct exchange *x)
{
	return x->downstream->proxy;
}

/* ---- the end ---- */

/* Method and path, without the query, from the head that was sent. */
static void
format_request(const struct exchange *x, char out[static LOG_TARGET_MAX + 40])
{
	struct bytes head = buf_bytes(&x->head);
	const uint8_t *method_end = head.len == 0 ? NULL
	    : memchr(head.ptr, ' ', head.len);
	struct bytes method, path;
	char quoted[LOG_TARGET_MAX];
	size_t n = 0;

	if (method_end == NULL) {
		out[0] = '\0';
		return;
	}
	method = bytes_of(head.ptr, (size_t)(method_end - head.ptr));
	path = bytes_after(head, method.len + 1);
	while (n < path.len && path.ptr[n] > ' ' && path.ptr[n] != '?')
		n++;
	path.len = n;
	diag_quote(quoted, sizeof quoted, path);
	snprintf(out, LOG_TARGET_MAX + 40, " method=%.*s path=%s",
	    (int)method.len, (const char *)method.ptr, quoted);
}

static void
log_end(const struct exchange *x, const struct failure *why)
{
	char request[LOG_TARGET_MAX + 40], end[64] = "clean";
	char agent[LOG_TARGET_MAX] = "";

	if (!diag_shows(DIAG_INFO))
		return;
	format_request(x, request);
	if (why != NULL && why->code == FRAME_CANCELLED)
		str_format(end, sizeof end, "cancelled");
	else if (why != NULL)
		str_format(end, sizeof end, "%s/%s",
		    frame_code_name(why->code), frame_blame_name(why->blame));
	if (x->agent.name[0] != '\0')
		diag_quote(agent, sizeof agent, bytes_cstr(x->agent.name));
	diag_info("request: trace=%s route=%s%s%s%s status=%d bytes_in=%"
	    PRIu64 " bytes_out=%" PRIu64 " ms=%lld end=%s",
	    x->downstream->trace, x->route == NULL ? "-" : x->route->name,
	    agent[0] == '\0' ? "" : " agent=", agent, request, x->status,
	    x->bytes_in, x->bytes_out,
	    (long long)(clock_ms() - x->started_ms), end);
}

static void
count(const struct exchange *x, const struct failure *why)
{
	struct counts *c = &exchange_proxy(x)->counts;

	c->requests++;
	c->failures += why != NULL && why->blame != BLAME_CLIENT;
	c->bytes_in += x->bytes_in;
	c->bytes_out += x->bytes_out;
	c->request_ms += clock_ms() - x->started_ms;
}

void
exchange_ended(const struct exchange *x, const struct failure *why)
{
	count(x, why);
	exchange_audit_end(x, why);
	log_end(x, why);
}

/* Makes x ready for the next request. */
static void
reset(struct exchange *x)
{
	exchange_answers_free(x);
	service_drop(x->route);
	x->route = NULL;
	x->phase = EXCHANGE_NONE;
	x->upstream = NULL;
	x->visit = NULL;
	hearing_free(x->hearing);
	x->hearing = NULL;
	buf_reset(&x->head);
	buf_reset(&x->body);
	buf_reset(&x->rx);
}

static void
abort_upstream(struct exchange *x)
{
	exchange_answers_free(x);
	if (x->upstream != NULL)
		upstream_abort(x->upstream);
	x->upstream = NULL;
	if (x->visit != NULL)
		visit_free(x->visit);
	x->visit = NULL;
}

/* Ends x because of why: with a response of ours if none has begun. */
void
exchange_fail(struct exchange *x, const struct failure *why)
{
	abort_upstream(x);
	if (x->answered) {
		downstream_cut(x->downstream, why);
		return;
	}
	x->status = why->status;
	downstream_failed(x->downstream, why);
}

/* What is to happen can not be written to the audit. */
static void
fail_audit(struct exchange *x)
{
	struct failure why;

	audit_refusal(&why);
	exchange_fail(x, &why);
}

void
exchange_fail_internal(struct exchange *x)
{
	struct failure why;

	failure_set(&why, 503, FRAME_INTERNAL, BLAME_PROXY,
	    "a message is too long or memory is short");
	exchange_fail(x, &why);
}

void
exchange_fail_request(struct exchange *x, const struct error *e)
{
	struct failure why;

	failure_set(&why, 400, FRAME_PROTOCOL, BLAME_CLIENT, "request %s",
	    e->text);
	exchange_fail(x, &why);
}

void
exchange_fail_upstream(struct exchange *x, enum frame_code code,
    const char *text)
{
	struct failure why;

	failure_set(&why, code == FRAME_TIMEOUT ? 504 : 502, code,
	    BLAME_UPSTREAM, "%s: %s", x->route->origin, text);
	exchange_fail(x, &why);
}

void
exchange_finish(struct exchange *x, bool keep)
{
	exchange_ended(x, NULL);
	reset(x);
	downstream_finished(x->downstream, keep);
}

void
exchange_cancel(struct exchange *x)
{
	struct failure why;

	failure_set(&why, 0, FRAME_CANCELLED, BLAME_CLIENT, "cancelled");
	abort_upstream(x);
	exchange_ended(x, &why);
	reset(x);
}

void
exchange_fail_route(struct exchange *x)
{
	struct failure why;

	failure_set(&why, 503, FRAME_DRAINING, BLAME_PROXY,
	    "its route was changed");
	exchange_fail(x, &why);
}

bool
exchange_leave_route(struct exchange *x)
{
	if (x->visit != NULL || x->route == NULL || !x->listens ||
	    service_is_current(x->route))
		return false;
	exchange_fail_route(x);
	return true;
}

bool
exchange_leave_agent(struct exchange *x)
{
	struct failure why;

	if (x->route == NULL || admit_holds(x->route, &x->agent))
		return false;
	failure_set(&why, 401, FRAME_REVOKED, BLAME_CLIENT,
	    "the agent's credential was taken back or is over");
	exchange_fail(x, &why);
	return true;
}

/* ---- beginning ---- */

void
exchange_init(struct exchange *x, struct downstream *d)
{
	*x = (struct exchange){.downstream = d};
	buf_init(&x->head, PROXY_OUT_MAX);
	buf_init(&x->rx, PROXY_OUT_MAX);
}

void
exchange_done(struct exchange *x)
{
	abort_upstream(x);
	reset(x);
}

/* There is no connection, perhaps because no address may be dialed. */
static void
fail_open(struct exchange *x, const struct failure *because)
{
	struct failure why = *because;

	if (why.code == FRAME_DENIED)
		exchange_deny_address(x, &why);
	exchange_fail(x, &why);
}

/* Gets a connection for the request.  Returns whether there was one that fits;
 * if not, x may be over. */
static bool
open_upstream(struct exchange *x, bool fresh)
{
	struct failure why;

	x->head_sent = false;
	x->phase = EXCHANGE_DIALING;
	x->upstream = upstream_open(exchange_proxy(x), x->route, fresh,
	    &upstream_events, x, &why);
	if (x->upstream == NULL) {
		fail_open(x, &why);
		return false;
	}
	if (x->upstream->state != UPSTREAM_READY)
		return false;
	x->phase = EXCHANGE_WAITING;
	return true;
}

/* Begins with the request in the proxy's head. */
static void
begin(struct exchange *x, const struct body *body)
{
	struct downstream *d = x->downstream;
	const struct http_head *h = &d->proxy->head;
	struct buf head = x->head, rx = x->rx;

	*x = (struct exchange){.downstream = d, .head = head, .rx = rx,
	    .request = *body, .keep_alive_ms = -1};
	x->started_ms = clock_ms();
	x->to_head = bytes_eq(h->method, bytes_cstr("HEAD"));
	x->client_is_old = h->minor == 0;
	x->client_closes = h->close || h->minor == 0;
	x->retryable = http_is_idempotent(h->method) &&
	    body->state == BODY_DONE;
}

/* Gives the request in the proxy's head the host, the path and the fields that
 * the route asks for.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
static int
rewrite(struct proxy *p, const struct config_route *route)
{
	struct http_head *h = &p->head;

	for (size_t i = 0; i < h->field_count && route->as_host != NULL; i++) {
		if (h->fields[i].role == HTTP_HOST)
			h->fields[i].value = bytes_cstr(route->as_host);
	}
	if (route->service->headers != NULL)
		headers_put(kept_value(route->service->headers), h);
	if (route->prefix == NULL || bytes_eq(h->target, bytes_cstr("*")))
		return 0;
	buf_clear(&p->out);
	if (buf_add_str(&p->out, route->prefix) != 0 ||
	    buf_add(&p->out, h->target) != 0)
		return -1;
	h->target = buf_bytes(&p->out);
	return 0;
}

void
exchange_start(struct exchange *x, const struct config_route *route,
    const struct admitted *agent, const struct body *body)
{
	begin(x, body);
	service_hold(route);
	x->route = route;
	x->agent = *agent;
	exchange_answers_expect(x);
	if (exchange_allow(x, "route") != 0) {
		fail_audit(x);
		return;
	}
	if (route->kind == CONFIG_STDIO) {
		exchange_visit_start(x);
		return;
	}
	if ((route->policy != NULL && exchange_judge_head(x) != 0) ||
	    rewrite(exchange_proxy(x), route) != 0 ||
	    http_write_request(&x->head, &exchange_proxy(x)->head) != 0) {
		exchange_fail_internal(x);
		return;
	}
	downstream_watch(x->downstream, 0);
	if (x->hearing != NULL)
		exchange_judge_start(x);
	else
		open_upstream(x, false);
}

void
exchange_tell_metadata(struct exchange *x, const struct config_route *route,
    const struct body *body)
{
	const struct http_head *h = &exchange_proxy(x)->head;
	struct buf text;

	begin(x, body);
	service_hold(route);
	x->route = route;
	/* What follows may be its body. */
	x->client_closes = x->client_closes || body->state != BODY_DONE;
	buf_init(&text, METADATA_MAX);
	if (exchange_allow(x, "metadata") != 0) {
		fail_audit(x);
	} else if (metadata_write(&text, route, h) != 0 ||
	    http_write_request(&x->head, h) != 0) {
		exchange_fail_internal(x);
	} else {
		exchange_begin(x, 200, "Content-Type: application/json\r\n"
		    "Access-Control-Allow-Origin: *\r\n",
		    (int64_t)buf_len(&text));
		exchange_payload(x, buf_bytes(&text), true);
	}
	buf_reset(&text);
}

void
exchange_refuse(struct exchange *x, const struct body *body,
    struct failure *why)
{
	begin(x, body);
	exchange_deny(x, why);
	http_write_request(&x->head, &exchange_proxy(x)->head); /* for the log */
	exchange_fail(x, why);
}

static void
on_ready(void *user)
{
	struct exchange *x = user;

	x->phase = EXCHANGE_WAITING;
	downstream_resume(x->downstream);
	if (x->request.state == BODY_DONE)
		exchange_request(x, bytes_of(NULL, 0));
}

void
exchange_open(struct exchange *x)
{
	if (open_upstream(x, false))
		on_ready(x);
}

static void
on_failed(void *user, const struct failure *why)
{
	struct exchange *x = user;

	x->upstream = NULL;
	fail_open(x, why);
}

/* ---- the request ---- */

bool
exchange_retry(struct exchange *x, bool nothing_left)
{
	if (!x->upstream->reused || x->retried ||
	    x->phase != EXCHANGE_WAITING || x->interim_count != 0 ||
	    buf_len(&x->rx) != 0 || !(x->retryable || nothing_left))
		return false;
	x->retried = true;
	upstream_close(x->upstream);
	if (open_upstream(x, true))
		downstream_resume(x->downstream);
	return true;
}

ssize_t
exchange_take_body(struct exchange *x, struct bytes in, exchange_take *take)
{
	struct error e;
	size_t used = 0;

	while (x->request.state != BODY_DONE) {
		struct bytes run;
		ssize_t n = body_take(&x->request, bytes_after(in, used),
		    &run, &e);

		if (n == 0)
			break;
		if (n < 0) {
			exchange_fail_request(x, &e);
			return -1;
		}
		used += (size_t)n;
		x->bytes_in += run.len;
		if (!take(x, run))
			return -1;
	}
	return (ssize_t)used;
}

/* Appends bytes of the body to the proxy's out. */
static bool
compose_run(struct exchange *x, struct bytes run)
{
	struct buf *out = &exchange_proxy(x)->out;

	if (body_write(out, x->request.framing, run) == 0 &&
	    (x->request.state != BODY_DONE ||
	    body_write_end(out, x->request.framing) == 0))
		return true;
	exchange_fail_internal(x);
	return false;
}

/* Sends the proxy's out, to which the body went on from before.  Returns 0,
 * 1 if nothing of it was used and another connection is tried, or -1 if the
 * upstream takes no more; its answer may still come. */
static int
send_request(struct exchange *x, const struct body *before)
{
	struct proxy *p = exchange_proxy(x);
	bool first = !x->head_sent, none;
	struct body after = x->request;

	x->head_sent = true;
	if (wire_write(&x->upstream->wire, buf_bytes(&p->out), &none) == 0)
		return 0;
	/* Should that fail as well, the agent's body is still unread, and what
	 * follows is no request. */
	x->request = *before;
	if (first && none && exchange_retry(x, true))
		return 1;
	x->request = after;
	x->unread = true;
	return -1;
}

size_t
exchange_request(struct exchange *x, struct bytes in)
{
	struct proxy *p = exchange_proxy(x);
	struct body before = x->request;
	uint64_t bytes_before = x->bytes_in;
	ssize_t used, piece;

	if (x->visit != NULL)
		return exchange_visit_request(x, in);
	if (x->hearing != NULL && x->phase == EXCHANGE_NONE)
		return exchange_judge_request(x, in);
	if (x->phase == EXCHANGE_DIALING)
		return 0;
	if (x->request.state == BODY_DONE && x->head_sent) {
		exchange_send_rest(x);
		return 0;
	}
	buf_clear(&p->out);
	if (!x->head_sent && buf_add(&p->out, buf_bytes(&x->head)) != 0) {
		exchange_fail_internal(x);
		return 0;
	}
	used = exchange_take_body(x, in, compose_run);
	if (used < 0)
		return 0;
	piece = exchange_add_piece(x);
	if (piece < 0) {
		exchange_fail_internal(x);
		return 0;
	}
	if (buf_len(&p->out) != 0 && !x->unread &&
	    send_request(x, &before) == 1) {
		x->bytes_in = bytes_before;
		return 0;
	}
	x->unsent = bytes_after(x->unsent, (size_t)piece);
	exchange_send_rest(x);
	if (x->phase == EXCHANGE_WAITING)
		downstream_watch(x->downstream,
		    x->request.state == BODY_DONE ? p->config->response_ms
						  : p->config->idle_ms);
	return (size_t)used;
}

bool
exchange_is_slow(const struct exchange *x)
{
	return wire_unwritten(&x->downstream->wire) > WIRE_HIGH;
}

bool
exchange_is_full(const struct exchange *x)
{
	return x->upstream != NULL && x->phase != EXCHANGE_DIALING &&
	    wire_unwritten(&x->upstream->wire) > WIRE_HIGH;
}

static void
on_upstream_drained(void *user)
{
	struct exchange *x = user;

	downstream_resume(x->downstream);
}

/* The upstream takes no more bytes.  What it has sent may still be read, and
 * the end of that says what to do. */
static void
on_broken(void *user, int error)
{
	struct exchange *x = user;

	(void)error;
	x->unread = true;
	wire_kick(&x->upstream->wire);
	downstream_resume(x->downstream);
}

void
exchange_drained(struct exchange *x)
{
	if (x->visit != NULL)
		visit_drained(x->visit);
	else if (exchange_answers_wait(x))
		exchange_answers_resume(x);
	else if (x->upstream != NULL && x->phase != EXCHANGE_DIALING)
		wire_resume(&x->upstream->wire);
}

void
exchange_fail_slow(struct exchange *x)
{
	struct failure why;

	failure_set(&why, 408, FRAME_TIMEOUT, BLAME_CLIENT,
	    "the response was not read in time");
	exchange_fail(x, &why);
}

void
exchange_expired(struct exchange *x)
{
	struct failure why;

	if (x->visit != NULL && x->head_sent) {
		visit_expired(x->visit);
	} else if (exchange_is_slow(x)) {
		exchange_fail_slow(x);
	} else if (exchange_is_full(x)) {
		exchange_fail_upstream(x, FRAME_TIMEOUT,
		    "the request was not read in time");
	} else if (x->request.state != BODY_DONE) {
		failure_set(&why, 408, FRAME_TIMEOUT, BLAME_CLIENT,
		    "the rest of the request did not come");
		exchange_fail(x, &why);
	} else {
		exchange_fail_upstream(x, FRAME_TIMEOUT,
		    x->phase == EXCHANGE_WAITING ? "no response in time"
		    : "the response went silent");
	}
}

static const struct upstream_events upstream_events = {
	.ready = on_ready, .failed = on_failed, .input = exchange_on_input,
	.drained = on_upstream_drained, .broken = on_broken,
};
