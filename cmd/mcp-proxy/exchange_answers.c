/* SPDX-License-Identifier: ISC */
/* The body of a response before the policy of its route: a JSON text is
 * collected and judged before its head goes on; of a stream, each event goes on
 * when it was judged, and what is no message at once. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/mcp-proxy/answer.h"
#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/event.h"
#include "cmd/mcp-proxy/media.h"
#include "cmd/mcp-proxy/response.h"
#include "common/field.h"

enum {
	PIECE_LEN = 64 << 10,      /* sent at once */
	QUEUE_MAX = 32 << 20,      /* unsent: the answer to what was asked */
	FIELD_SLACK = 64 << 10,    /* of an event, besides its data */
	LENGTH_LEN = 24,
	ACCEPTED = 202,
};

struct answers {
	struct exchange *exchange;
	struct answer_context context;
	struct answer answer;
	bool events;
	bool head_held;      /* until the body was judged */
	bool pending;        /* the verdict is not there */
	bool judged;         /* it is, and was not used */
	bool begun, ended;   /* the end of the body was seen, and written */
	struct failure why;  /* if it failed otherwise than by a text */
	bool failed;
	struct buf head;     /* of the response, while it is held */
	struct buf in;       /* the body, or what of a stream was not used */
	struct sse sse;
	struct buf raw;      /* of the event that is read */
	struct buf escaped;
	struct buf out;      /* of the body, as the agent gets it */
};

/* ---- its life ---- */

static struct answers *
answers_new(struct exchange *x, bool events)
{
	struct answers *s = calloc(1, sizeof *s);
	size_t max = (size_t)x->route->policy->message_max;

	if (s == NULL)
		return NULL;
	s->exchange = x;
	s->events = events;
	answer_hear(&s->context, x->hearing);
	s->context.who = exchange_who(x);
	answer_init(&s->answer, &s->context, max);
	buf_init(&s->head, PROXY_OUT_MAX);
	buf_init(&s->in, events ? (size_t)PROXY_OUT_MAX : max);
	sse_init(&s->sse, max + FIELD_SLACK);
	buf_init(&s->raw, 2 * max + FIELD_SLACK);
	buf_init(&s->escaped, 2 * (max + FIELD_SLACK));
	buf_init(&s->out, QUEUE_MAX);
	return s;
}

void
exchange_answers_free(struct exchange *x)
{
	struct answers *s = x->answers;

	x->answers = NULL;
	if (s == NULL)
		return;
	answer_done(&s->answer);
	sse_done(&s->sse);
	buf_reset(&s->head);
	buf_reset(&s->in);
	buf_reset(&s->raw);
	buf_reset(&s->escaped);
	buf_reset(&s->out);
	free(s);
}

/* ---- the request ---- */

void
exchange_answers_expect(struct exchange *x)
{
	const struct http_head *h = &exchange_proxy(x)->head;
	bool accepts = false, subscribes = false;

	/* Some servers mind the path alone. */
	x->asks_message = bytes_eq(h->method, bytes_cstr("POST")) ||
	    x->request.state != BODY_DONE;
	x->gets = bytes_eq(h->method, bytes_cstr("GET"));
	for (size_t i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		if (field_eq_str(f->name, "accept") &&
		    media_mentions(f->value, "event-stream"))
			accepts = true;
		if (field_eq_str(f->name, "mcp-method") &&
		    bytes_eq(f->value, bytes_cstr("subscriptions/listen")))
			subscribes = true;
	}
	x->asks_events = x->gets && accepts;
	x->listens = x->asks_events || subscribes;
}

/* ---- the head ---- */

int
exchange_answers_begin(struct exchange *x, struct bytes head,
    struct http_head *h, struct error *e)
{
	struct answers *s;
	int how = x->response.state == BODY_DONE ? RESPONSE_OTHER
	    : response_choose(h, x->asks_message, x->asks_events, e);

	if (how == RESPONSE_OTHER || how == -1)
		return how == -1 ? -1 : 0;
	s = x->answers = answers_new(x, how == RESPONSE_EVENTS);
	if (s == NULL)
		return error_set(e, "out of memory");
	if (s->events) {
		x->response_framing = x->client_is_old ? BODY_TO_END
		    : BODY_CHUNKED;
		response_drop_digests(h);
		return 0;
	}
	s->head_held = true;
	return buf_add(&s->head, head) == 0 ? 1
	    : error_set(e, "out of memory");
}

bool
exchange_answers_hold(const struct exchange *x)
{
	return x->answers != NULL && x->answers->head_held;
}

bool
exchange_answers_queue(const struct exchange *x)
{
	return x->answers != NULL && buf_len(&x->answers->out) != 0;
}

bool
exchange_answers_wait(const struct exchange *x)
{
	return exchange_answers_queue(x) ||
	    (x->answers != NULL && x->answers->pending);
}

bool
exchange_answers_ended(const struct exchange *x)
{
	return x->answers == NULL || x->answers->ended;
}

const struct failure *
exchange_answers_why(const struct exchange *x)
{
	return x->answers != NULL && x->answers->failed ? &x->answers->why
	    : NULL;
}

static int
fail(struct answers *s, const struct failure *why, struct error *e)
{
	s->why = *why;
	s->failed = true;
	return error_set(e, "%s", why->text);
}

static int
fail_memory(struct error *e)
{
	return error_set(e, "memory is short");
}

static void
on_judged(void *user)
{
	struct answers *s = user;

	s->pending = false;
	s->judged = true;
	exchange_answers_resume(s->exchange);
}

static void
judge(struct answers *s, struct bytes text)
{
	s->pending = !answer_run(&s->answer, text, on_judged, s);
	s->judged = !s->pending;
}

/* ---- events ---- */

/* Passes the event on that was judged. */
static int
use_event(struct answers *s)
{
	struct bytes raw = buf_bytes(&s->raw);

	if (s->answer.end == ANSWER_DROP)
		return sse_strip(&s->out, raw);
	return event_write(&s->out, raw, s->answer.pass, s->answer.changed,
	    &s->escaped);
}

/* Takes an event that is complete.  Returns 0, or -1 with a text. */
static int
take_event(struct answers *s, struct error *e)
{
	struct bytes data = buf_bytes(&s->sse.data), raw = buf_bytes(&s->raw);
	const char *name = s->sse.name;
	int r;

	if (data.len > (size_t)s->context.route->policy->message_max)
		return error_set(e, "an event above message_size");
	if (data.len != 0 && (name[0] == '\0' ||
	    bytes_eq(bytes_cstr(name), bytes_cstr("message")))) {
		judge(s, data);
		return 0;
	}
	if ((data.len == 0 && sse_is_plain(raw)) || event_is_endpoint(&s->sse, raw))
		r = buf_add(&s->out, raw);
	else
		r = sse_strip(&s->out, raw);
	buf_clear(&s->raw);
	return r == 0 ? 0 : fail_memory(e);
}

/* Takes bytes of the stream up to the end of an event. */
static int
read_event(struct answers *s, struct error *e)
{
	struct bytes in = buf_bytes(&s->in);
	enum sse_result r;
	size_t n = sse_take(&s->sse, in, &r);

	if (r == SSE_OVERSIZE)
		return error_set(e, "an event above message_size");
	if (r == SSE_FAILED || buf_add(&s->raw, bytes_of(in.ptr, n)) != 0)
		return error_set(e, "an event that is too long");
	buf_drop(&s->in, n);
	if (r == SSE_EVENT)
		return take_event(s, e);
	if (r != SSE_PASSED)
		return 0;
	if ((sse_is_plain(buf_bytes(&s->raw))
	    ? buf_add(&s->out, buf_bytes(&s->raw))
	    : sse_strip(&s->out, buf_bytes(&s->raw))) != 0)
		return fail_memory(e);
	buf_clear(&s->raw);
	return 0;
}

/* ---- JSON ---- */

/* Gives the head the length of the body.  Returns 0, or -1 if there is no
 * room. */
static int
set_length(struct http_head *h, struct bytes digits)
{
	struct http_field *f = NULL;

	for (size_t i = 0; i < h->field_count; i++) {
		if (h->fields[i].role == HTTP_CONTENT_LENGTH ||
		    h->fields[i].role == HTTP_TRANSFER_ENCODING)
			f = &h->fields[i];
	}
	if (f == NULL && h->field_count == HTTP_FIELDS_MAX)
		return -1;
	if (f == NULL)
		f = &h->fields[h->field_count++];
	*f = (struct http_field){bytes_cstr("Content-Length"), digits,
	    HTTP_CONTENT_LENGTH};
	return 0;
}

/* Writes the head that was held, for the body in out. */
static int
write_head(struct answers *s, struct error *e)
{
	struct exchange *x = s->exchange;
	struct proxy *p = exchange_proxy(x);
	struct http_head *h = &p->head;
	char digits[LENGTH_LEN];
	struct body body;

	if (http_parse_response(buf_bytes(&s->head), false, h, &body, e) != 0)
		return -1;
	if (s->answer.changed)
		response_drop_digests(h);
	if (s->answer.end == ANSWER_DROP) {
		h->status = x->status = ACCEPTED;
		h->reason = bytes_cstr("Accepted");
	}
	snprintf(digits, sizeof digits, "%zu", buf_len(&s->out));
	x->response_framing = BODY_LENGTH;
	if (set_length(h, bytes_cstr(digits)) != 0 ||
	    http_write_response(&p->out, h, BODY_LENGTH, x->close) != 0)
		return error_set(e, "head: too long");
	s->head_held = false;
	return 0;
}

/* All of it has come. */
static int
judge_body(struct answers *s)
{
	struct bytes body = buf_bytes(&s->in);
	int status = s->exchange->status;

	s->begun = true;
	if (response_is_no_message(status, body) ||
	    response_is_waste(status, body)) {
		s->answer.end = response_is_waste(status, body) ? ANSWER_DROP
		    : ANSWER_PASS;
		s->answer.pass = body;
		s->judged = true;
	} else {
		judge(s, body);
	}
	return 0;
}

/* ---- going on ---- */

/* Takes what was judged to out. */
static int
use_verdict(struct answers *s, struct error *e)
{
	struct answer *a = &s->answer;
	int r = 0;

	s->judged = false;
	if (a->end == ANSWER_FAIL)
		return fail(s, &a->why, e);
	if (s->events) {
		r = use_event(s);
		buf_clear(&s->raw);
	} else if (a->end == ANSWER_PASS) {
		r = buf_add(&s->out, a->pass);
	}
	if (r != 0)
		return fail_memory(e);
	return s->events ? 0 : write_head(s, e);
}

/* Whether there is something to read now. */
static bool
can_read(const struct answers *s)
{
	return !s->pending && buf_len(&s->out) < PIECE_LEN &&
	    (s->events ? buf_len(&s->in) != 0
	    : !s->begun && s->exchange->response.state == BODY_DONE);
}

/* Moves a piece of out to the agent's. */
static int
write_piece(struct answers *s, struct error *e)
{
	struct exchange *x = s->exchange;
	struct buf *out = &exchange_proxy(x)->out;
	struct bytes piece = buf_bytes(&s->out);

	if (piece.len > PIECE_LEN)
		piece.len = PIECE_LEN;
	if (body_write(out, x->response_framing, piece) != 0)
		return fail_memory(e);
	x->bytes_out += piece.len;
	buf_drop(&s->out, piece.len);
	if (buf_len(&s->out) != 0 || s->pending || s->head_held ||
	    x->response.state != BODY_DONE || (s->events &&
	    buf_len(&s->in) != 0))
		return 0;
	s->ended = true;
	return body_write_end(out, x->response_framing) == 0 ? 0
	    : fail_memory(e);
}

bool
exchange_answers_flush(struct exchange *x)
{
	struct answers *s = x->answers;
	struct bytes left;

	if (s == NULL || s->head_held)
		return false;
	left = buf_bytes(&s->out);
	if (left.len != 0 && body_write(&exchange_proxy(x)->out,
	    x->response_framing, left) == 0) {
		x->bytes_out += left.len;
		buf_clear(&s->out);
	}
	return x->bytes_out != 0;
}

int
exchange_answers_go_on(struct exchange *x, struct error *e)
{
	struct answers *s = x->answers;
	int r = 0;

	do {
		if (s->judged)
			r = use_verdict(s, e);
		else if (can_read(s))
			r = s->events ? read_event(s, e) : judge_body(s);
	} while (r == 0 && (s->judged || can_read(s)));
	return r == 0 ? write_piece(s, e) : -1;
}

int
exchange_answers_take(struct exchange *x, struct bytes run, struct error *e)
{
	struct answers *s = x->answers;
	struct failure why;

	if (buf_add(&s->in, run) == 0)
		return exchange_answers_go_on(x, e);
	failure_set(&why, 502, FRAME_LIMIT, BLAME_UPSTREAM,
	    "%s: the answer is above message_size", x->route->origin);
	return fail(s, &why, e);
}
