/* SPDX-License-Identifier: ISC */
/* The response of an exchange: its head is written anew, its body framed anew,
 * or judged, and the end of the one is the end of the other. */
#include <errno.h>

#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/exchange.h"
#include "cmd/mcp-proxy/response.h"
#include "cmd/mcp-proxy/upstream.h"

/* The upstream's response is complete and passed on. */
static void
finish(struct exchange *x)
{
	struct upstream *u = x->upstream;
	bool whole = x->request.state == BODY_DONE && x->head_sent &&
	    !x->unread && x->unsent.len == 0;
	bool keep = whole && !x->client_closes && !x->close;

	if (whole && !x->upstream_closes && buf_len(&x->rx) == 0 &&
	    wire_unwritten(&u->wire) == 0)
		upstream_release(u, x->keep_alive_ms);
	else if (whole)
		upstream_close(u);
	else
		upstream_abort(u);
	exchange_finish(x, keep);
}

/* Passes a 1xx on, but not to those who do not know them. */
static int
compose_interim(struct exchange *x, const struct http_head *h)
{
	if (h->status == 101 || ++x->interim_count > EXCHANGE_INTERIM_MAX)
		return -1;
	if (x->client_is_old)
		return 0;
	return http_write_response(&exchange_proxy(x)->out, h, BODY_NONE, false);
}

static void
choose_framing(struct exchange *x, const struct http_head *h)
{
	x->response_framing = h->framing;
	if (h->framing == BODY_CHUNKED || h->framing == BODY_TO_END)
		x->response_framing = x->client_is_old ? BODY_TO_END
						       : BODY_CHUNKED;
}

/* Takes a head from in and appends it to the proxy's out.  Returns its
 * length, 0 if it is not complete, -1 with a text. */
static ssize_t
compose_head(struct exchange *x, struct bytes in, struct error *e)
{
	struct proxy *p = exchange_proxy(x);
	struct http_head *h = &p->head;
	ssize_t n = http_scan_head(&x->scan, in,
	    (size_t)p->config->header_max, e);

	if (n <= 0)
		return n;
	if (http_parse_response(bytes_of(in.ptr, (size_t)n), x->to_head, h,
	    &x->response, e) != 0)
		return -1;
	x->scan = (struct http_scan){0};
	if (h->status < 200) {
		if (compose_interim(x, h) != 0)
			return error_set(e, "status %d: not asked for",
			    h->status);
		return n;
	}
	x->phase = EXCHANGE_STREAMING;
	x->status = h->status;
	x->upstream_closes = h->close;
	x->keep_alive_ms = h->keep_alive_ms;
	/* Some servers mind no Accept. */
	x->listens = x->listens || (x->gets && response_has_events(h));
	choose_framing(x, h);
	x->close = x->client_closes || p->draining ||
	    x->request.state != BODY_DONE;
	if (x->hearing != NULL) {
		int held = exchange_answers_begin(x, bytes_of(in.ptr,
		    (size_t)n), h, e);

		if (held != 0)
			return held < 0 ? -1 : n;
	}
	if (http_write_response(&p->out, h, x->response_framing,
	    x->close) != 0)
		return error_set(e, "head: too long");
	return n;
}

static ssize_t
compose_body(struct exchange *x, struct bytes in, struct error *e)
{
	struct buf *out = &exchange_proxy(x)->out;
	struct bytes run;
	ssize_t n = body_take(&x->response, in, &run, e);

	if (n <= 0)
		return n;
	if (x->answers != NULL)
		return exchange_answers_take(x, run, e) == 0 ? n : -1;
	x->bytes_out += run.len;
	if (body_write(out, x->response_framing, run) != 0)
		return error_set(e, "out of memory");
	if (x->response.state == BODY_DONE &&
	    body_write_end(out, x->response_framing) != 0)
		return error_set(e, "out of memory");
	return n;
}

static bool
is_answered(const struct exchange *x)
{
	return x->phase == EXCHANGE_STREAMING &&
	    x->response.state == BODY_DONE && exchange_answers_ended(x);
}

/* Turns in into what the agent gets, in the proxy's out.  Returns how much
 * was used, or -1 with a text. */
static ssize_t
compose_response(struct exchange *x, struct bytes in, struct error *e)
{
	size_t used = 0;
	ssize_t n = 1;

	buf_clear(&exchange_proxy(x)->out);
	if (x->answers != NULL && exchange_answers_go_on(x, e) != 0)
		return -1;
	while (n > 0 && !is_answered(x) && !exchange_answers_wait(x)) {
		struct bytes rest = bytes_after(in, used);

		n = x->phase == EXCHANGE_WAITING ? compose_head(x, rest, e)
						 : compose_body(x, rest, e);
		if (n > 0)
			used += (size_t)n;
	}
	return n < 0 ? -1 : (ssize_t)used;
}

/* Sends what was composed.  Returns false when x is over. */
static bool
send_response(struct exchange *x)
{
	struct downstream *d = x->downstream;

	if (x->phase == EXCHANGE_STREAMING && !exchange_answers_hold(x))
		x->answered = true;
	if (buf_len(&d->proxy->out) != 0 &&
	    downstream_send(d, buf_bytes(&d->proxy->out)) != 0)
		return false;
	if (is_answered(x)) {
		finish(x);
		return false;
	}
	if (x->phase == EXCHANGE_STREAMING)
		downstream_watch(d, d->proxy->config->idle_ms);
	return true;
}

static void
fail_response(struct exchange *x, const struct error *e)
{
	const struct failure *why = exchange_answers_why(x);
	struct failure copy;

	if (exchange_answers_flush(x)) {
		x->answered = true;
		if (downstream_send(x->downstream,
		    buf_bytes(&exchange_proxy(x)->out)) != 0)
			return;
	}
	if (why == NULL) {
		exchange_fail_upstream(x, FRAME_PROTOCOL, e->text);
		return;
	}
	copy = *why; /* it goes with the answers */
	exchange_fail(x, &copy);
}

/* Takes bytes of the response.  Returns false when x is over. */
static bool
take_part(struct exchange *x, struct bytes in)
{
	bool kept = buf_len(&x->rx) != 0;
	struct error e;
	ssize_t used;

	if (kept) {
		if (buf_add(&x->rx, in) != 0) {
			exchange_fail_internal(x);
			return false;
		}
		in = buf_bytes(&x->rx);
	}
	used = compose_response(x, in, &e);
	if (used < 0) {
		fail_response(x, &e);
		return false;
	}
	if (exchange_leave_route(x))
		return false;
	if (kept)
		buf_drop(&x->rx, (size_t)used);
	else if ((size_t)used < in.len &&
	    buf_add(&x->rx, bytes_after(in, (size_t)used)) != 0) {
		exchange_fail_internal(x);
		return false;
	}
	if (buf_len(&x->rx) == 0)
		buf_reset(&x->rx);
	return send_response(x);
}

/* The same, and lets all of it go that the agent takes now. */
static bool
take_response(struct exchange *x, struct bytes in)
{
	if (!take_part(x, in))
		return false;
	while (exchange_answers_queue(x) && !exchange_is_slow(x)) {
		if (!take_part(x, bytes_of(NULL, 0)))
			return false;
	}
	return true;
}

/* The upstream ended: cleanly when error is 0. */
static void
take_end(struct exchange *x, int error)
{
	struct proxy *p = exchange_proxy(x);

	if (exchange_retry(x, false))
		return;
	if (x->phase == EXCHANGE_STREAMING && error == 0 &&
	    body_may_end(&x->response)) {
		x->response.state = BODY_DONE;
		if (x->answers != NULL) {
			take_response(x, bytes_of(NULL, 0));
			return;
		}
		buf_clear(&p->out);
		if (body_write_end(&p->out, x->response_framing) != 0)
			exchange_fail_internal(x);
		else
			send_response(x);
		return;
	}
	exchange_fail_upstream(x, FRAME_ABORTED, x->phase == EXCHANGE_WAITING
	    ? "closed the connection before a response"
	    : "closed the connection in the middle of a response");
}

void
exchange_on_input(void *user)
{
	struct exchange *x = user;
	struct proxy *p = exchange_proxy(x);
	struct wire *w = &x->upstream->wire;

	for (int i = 0; i < PROXY_READS_PER_TURN; i++) {
		ssize_t n;

		if (exchange_is_slow(x) || exchange_answers_wait(x)) {
			wire_pause(w);
			return;
		}
		n = wire_read(w, p->in, sizeof p->in);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			take_end(x, n == 0 ? 0 : errno);
			return;
		}
		if (!take_response(x, bytes_of(p->in, (size_t)n)))
			return;
		if ((size_t)n < sizeof p->in)
			break;
	}
	if (wire_has_pending(w))
		wire_kick(w);
}

void
exchange_answers_resume(struct exchange *x)
{
	if (take_response(x, bytes_of(NULL, 0)) && !exchange_answers_wait(x))
		wire_resume(&x->upstream->wire);
}
