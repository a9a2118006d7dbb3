/* SPDX-License-Identifier: ISC */
/* The request of an exchange whose route has a policy: collected, judged, and
 * then sent from memory, byte for byte as it was judged. */
#include "cmd/mcp-proxy/exchange.h"

#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/hearing.h"
#include "cmd/mcp-proxy/upstream.h"
#include "common/field.h"
#include "common/str.h"

enum {
	PIECE_LEN = 64 << 10, /* sent at once */
	LENGTH_LINE_MAX = 64,
};

/* ---- the head ---- */

/* Takes out of the proxy's head what is no longer true of the body, and what
 * would have answers come in a form that can not be judged.  Returns whether
 * it announced a body, perhaps an empty one. */
static bool
strip_head(struct http_head *h)
{
	size_t kept = 0;
	bool announced = h->framing != BODY_NONE;

	for (size_t i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		announced = announced || f->role == HTTP_CONTENT_LENGTH;
		if (f->role != HTTP_CONTENT_LENGTH &&
		    !field_eq_str(f->name, "accept-encoding") &&
		    !field_eq_str(f->name, "expect"))
			h->fields[kept++] = *f;
	}
	h->field_count = kept;
	h->framing = BODY_NONE;
	return announced;
}

int
exchange_judge_head(struct exchange *x)
{
	struct http_head *h = &exchange_proxy(x)->head;
	struct audit_who who = exchange_who(x);

	x->hearing = hearing_new(exchange_proxy(x), x->route, h, &who);
	if (x->hearing == NULL)
		return -1;
	x->expects = exchange_expects_continue(h);
	buf_init(&x->body, (size_t)x->route->policy->message_max);
	x->announced = strip_head(h);
	return 0;
}

/* Announces the body that was judged. */
static int
write_length(struct exchange *x, size_t len)
{
	char line[LENGTH_LINE_MAX];

	if (!x->announced)
		return 0;
	str_format(line, sizeof line, "Content-Length: %zu\r\n\r\n", len);
	if (buf_reserve(&x->head, sizeof line) == NULL)
		return -1;
	x->head.tail -= 2; /* the empty line that ends it goes behind */
	return buf_add_str(&x->head, line);
}

/* ---- the end of the hearing ---- */

/* Answers the agent with what the hearing says. */
static void
send_reply(struct exchange *x)
{
	const struct hearing *h = x->hearing;
	bool empty = buf_len(&h->reply) == 0;

	/* What follows is the rest of this request. */
	x->client_closes = x->client_closes || x->request.state != BODY_DONE;
	exchange_begin(x, h->status, empty ? ""
	    : "Content-Type: application/json\r\nCache-Control: no-store\r\n",
	    (int64_t)buf_len(&h->reply));
	exchange_payload(x, buf_bytes(&h->reply), true);
}

static void
pass(struct exchange *x, struct bytes body)
{
	x->unsent = body;
	if (write_length(x, body.len) != 0)
		exchange_fail_internal(x);
	else
		exchange_open(x);
}

static void
on_heard(void *user)
{
	struct exchange *x = user;

	switch (x->hearing->end) {
	case HEARING_OPEN:
		break;
	case HEARING_PASS:
		pass(x, x->hearing->pass);
		break;
	case HEARING_REPLY:
		send_reply(x);
		break;
	case HEARING_FAIL:
		exchange_fail(x, &x->hearing->why);
		break;
	}
}

/* ---- the body ---- */

static void
fail_size(struct exchange *x)
{
	struct failure why;

	failure_set(&why, 413, FRAME_LIMIT, BLAME_POLICY,
	    "the message is above message_size");
	exchange_fail(x, &why);
}

void
exchange_judge_start(struct exchange *x)
{
	struct downstream *d = x->downstream;

	if (x->hearing->end != HEARING_OPEN) {
		on_heard(x);
	} else if (x->request.state == BODY_DONE) {
		pass(x, bytes_of(NULL, 0)); /* no message */
	} else if (x->request.framing == BODY_LENGTH &&
	    x->request.left > x->body.max) {
		fail_size(x);
	} else {
		downstream_watch(d, d->proxy->config->idle_ms);
		if (x->expects && !x->client_is_old)
			downstream_send(d,
			    bytes_cstr("HTTP/1.1 100 Continue\r\n\r\n"));
	}
}

static bool
collect(struct exchange *x, struct bytes run)
{
	if (buf_add(&x->body, run) == 0)
		return true;
	fail_size(x);
	return false;
}

size_t
exchange_judge_request(struct exchange *x, struct bytes in)
{
	struct downstream *d = x->downstream;
	ssize_t used;

	if (x->request.state == BODY_DONE)
		return 0; /* the verdict is to come */
	used = exchange_take_body(x, in, collect);
	if (used < 0)
		return 0;
	if (x->request.state != BODY_DONE) {
		downstream_watch(d, d->proxy->config->idle_ms);
		return (size_t)used;
	}
	downstream_watch(d, 0);
	if (buf_len(&x->body) == 0)
		pass(x, bytes_of(NULL, 0));
	else
		hearing_run(x->hearing, buf_bytes(&x->body), on_heard, x);
	return (size_t)used;
}

/* ---- sending ---- */

ssize_t
exchange_add_piece(const struct exchange *x)
{
	size_t len = x->unsent.len < PIECE_LEN ? x->unsent.len : PIECE_LEN;

	return buf_add(&exchange_proxy(x)->out, bytes_of(x->unsent.ptr, len))
	    == 0 ? (ssize_t)len : -1;
}

void
exchange_send_rest(struct exchange *x)
{
	while (!x->unread && x->unsent.len != 0 && !exchange_is_full(x)) {
		struct bytes piece = x->unsent;
		bool none;

		if (piece.len > PIECE_LEN)
			piece.len = PIECE_LEN;
		if (wire_write(&x->upstream->wire, piece, &none) != 0)
			x->unread = true;
		else
			x->unsent = bytes_after(x->unsent, piece.len);
	}
}
