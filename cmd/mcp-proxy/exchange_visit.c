/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/exchange.h"

#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/diag.h"
#include "common/field.h"

bool
exchange_expects_continue(const struct http_head *h)
{
	for (size_t i = 0; i < h->field_count; i++) {
		if (field_eq_str(h->fields[i].name, "expect"))
			return field_eq_str(h->fields[i].value,
			    "100-continue");
	}
	return false;
}

/* The agent waits for a word before it sends the body (RFC 9110 section
 * 10.1.1): that it may, or why it need not. */
static void
answer_expectation(struct exchange *x)
{
	if (x->visit->refusal == 0) {
		downstream_send(x->downstream,
		    bytes_cstr("HTTP/1.1 100 Continue\r\n\r\n"));
		return;
	}
	x->head_sent = true;
	x->client_closes = true; /* what follows may be the body, or not */
	visit_run(x->visit);
}

void
exchange_visit_start(struct exchange *x)
{
	const struct http_head *h = &exchange_proxy(x)->head;

	x->visit = visit_new(x);
	if (x->visit == NULL || (diag_shows(DIAG_INFO) &&
	    http_write_request(&x->head, &exchange_proxy(x)->head) != 0)) {
		exchange_fail_internal(x);
		return;
	}
	downstream_watch(x->downstream, exchange_proxy(x)->config->idle_ms);
	if (x->request.state != BODY_DONE && !x->client_is_old &&
	    exchange_expects_continue(h))
		answer_expectation(x);
}

static bool
give(struct exchange *x, struct bytes run)
{
	visit_take(x->visit, run);
	return true;
}

size_t
exchange_visit_request(struct exchange *x, struct bytes in)
{
	ssize_t used;

	if (x->head_sent)
		return 0;
	used = exchange_take_body(x, in, give);
	if (used < 0)
		return 0;
	if (x->request.state != BODY_DONE) {
		downstream_watch(x->downstream,
		    exchange_proxy(x)->config->idle_ms);
		return (size_t)used;
	}
	x->head_sent = true;
	visit_run(x->visit);
	return (size_t)used;
}

void
exchange_begin(struct exchange *x, int status, const char *fields,
    int64_t length)
{
	struct proxy *p = exchange_proxy(x);

	x->phase = EXCHANGE_STREAMING;
	x->status = status;
	x->response_framing = length >= 0 ? BODY_LENGTH
	    : x->client_is_old ? BODY_TO_END : BODY_CHUNKED;
	x->close = x->client_closes || p->draining ||
	    x->response_framing == BODY_TO_END;
	buf_clear(&p->out);
	buf_format(&p->out, "HTTP/1.1 %d %s\r\n%s", status,
	    http_status_str((enum http_status)status), fields);
	if (length >= 0)
		buf_format(&p->out, "Content-Length: %lld\r\n",
		    (long long)length);
	else if (x->response_framing == BODY_CHUNKED)
		buf_add_str(&p->out, "Transfer-Encoding: chunked\r\n");
	if (x->close)
		buf_add_str(&p->out, "Connection: close\r\n");
	buf_add_str(&p->out, "\r\n");
}

static void
finish_response(struct exchange *x)
{
	bool keep = !x->client_closes && !x->close;

	if (x->visit != NULL)
		visit_free(x->visit);
	exchange_finish(x, keep);
}

bool
exchange_payload(struct exchange *x, struct bytes run, bool last)
{
	struct downstream *d = x->downstream;
	struct buf *out = &d->proxy->out;

	if (x->answered)
		buf_clear(out); /* else it holds the head */
	x->answered = true;
	x->bytes_out += run.len;
	if (!x->to_head && (body_write(out, x->response_framing, run) != 0 ||
	    (last && body_write_end(out, x->response_framing) != 0))) {
		exchange_fail_internal(x);
		return false;
	}
	if (downstream_send(d, buf_bytes(out)) != 0)
		return false;
	if (!last)
		return true;
	finish_response(x);
	return false;
}

void
exchange_watch(struct exchange *x, int64_t ms)
{
	downstream_watch(x->downstream, ms);
}
