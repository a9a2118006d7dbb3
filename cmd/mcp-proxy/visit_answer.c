/* SPDX-License-Identifier: ISC */
/* The response to a visit: one JSON text, or a stream of events that begins
 * when there is more to say than the answer. */

#include "cmd/mcp-proxy/exchange.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/diag.h"
#include "common/str.h"

enum {
	FIELDS_LEN = 320,
	PIECE_LEN = 64 << 10, /* sent at once */
	CANCELLED = 499,      /* of our errors, outside of what JSON-RPC and
	                       * MCP have reserved: statuses of HTTP */
};

#define JSON "application/json"
#define SESSION_FIELD "Mcp-Session-Id: "

/* ---- sending ---- */

/* Puts no more on a slow agent than it takes; what its own process says in
 * excess waits there. */
static void
hold_process(struct visit *v)
{
	struct process *p = v->session == NULL ? NULL : v->session->owned;

	if (p != NULL && p->slow == NULL && buf_len(&v->out) > VISIT_HIGH) {
		p->slow = v;
		child_pause(&p->child);
	}
}

static void
release_process(struct visit *v)
{
	struct process *p = v->session == NULL ? NULL : v->session->owned;

	if (p != NULL && p->slow == v) {
		p->slow = NULL;
		process_resume(p);
	}
}

/* Sends what the agent takes.  Returns false when v is gone. */
static bool
pump(struct visit *v)
{
	struct exchange *x = v->exchange;

	while (v->unsent_head || buf_len(&v->out) != 0 || v->ending) {
		struct bytes out = buf_bytes(&v->out);
		bool last;

		if (!v->unsent_head && exchange_is_slow(x)) {
			hold_process(v);
			return true;
		}
		if (out.len > PIECE_LEN)
			out.len = PIECE_LEN;
		last = v->ending && out.len == buf_len(&v->out);
		v->unsent_head = false;
		if (last)
			release_process(v);
		if (!exchange_payload(x, out, last))
			return false;
		v->moved_ms = clock_ms();
		buf_drop(&v->out, out.len);
	}
	if (v->out.size > PIECE_LEN)
		buf_reset(&v->out);
	release_process(v);
	return true;
}

void
visit_drained(struct visit *v)
{
	if (v->begun)
		pump(v);
}

/* ---- heads ---- */

static void
begin(struct visit *v, int status, const char *fields, int64_t length)
{
	char all[FIELDS_LEN];

	str_format(all, sizeof all, "%s%s%s%s", fields,
	    v->new_session == NULL ? "" : SESSION_FIELD,
	    v->new_session == NULL ? "" : v->new_session,
	    v->new_session == NULL ? "" : "\r\n");
	v->begun = true;
	v->unsent_head = true;
	exchange_begin(v->exchange, status, all, length);
}

static void
begin_events(struct visit *v)
{
	v->sse = true;
	begin(v, 200, "Content-Type: text/event-stream\r\n"
	    "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n", -1);
}

static char
stream_kind(const struct visit *v)
{
	return v->method == VISIT_GET && v->session != NULL &&
	    v->session->listener == v ? 'g' : 'p';
}

/* Gives the stream a number, so that it can be resumed.  Since 2025-11-25 it
 * begins with an event that only tells its id. */
static void
begin_stream(struct visit *v)
{
	struct session *s = v->session;
	struct message_event_id id;

	/* The head is the only place to announce a session, which begins if
	 * the answer agrees. */
	if (s != NULL && v->calls != NULL &&
	    v->calls->purpose == CALL_INITIALIZE)
		v->new_session = s->id;
	begin_events(v);
	if (s == NULL || s->version[0] == '\0')
		return;
	v->stream = ++s->last_stream;
	for (struct call *c = v->calls; c != NULL; c = c->visit_next)
		c->stream = v->stream;
	id = (struct message_event_id){stream_kind(v), v->stream,
	    s->last_event_number};
	if (strcmp(s->version, "2025-11-25") >= 0 &&
	    (buf_add_str(&v->out, "id: ") != 0 ||
	    message_write_event_id(&v->out, &id) != 0 ||
	    buf_add_str(&v->out, "\ndata: \n\n") != 0))
		diag_debug("%s: no first event", v->bridge->route->origin);
}

bool
visit_begin_stream(struct visit *v)
{
	begin_stream(v);
	if (!pump(v))
		return false;
	visit_watch(v);
	return true;
}

bool
visit_resume(struct visit *v, struct process *p)
{
	struct session *s = v->session;

	v->stream = v->resume.stream;
	/* The old stream ends before the head is written, for which there is
	 * one scratch buffer. */
	if (v->resume.kind == 'p' && p != NULL)
		process_adopt(p, s, v->stream, v);
	begin_events(v);
	if (session_replay(s, &v->resume, &v->out) != 0) {
		exchange_fail_internal(v->exchange);
		return false;
	}
	v->ending = v->resume.kind == 'p' && v->left == 0;
	if (!pump(v))
		return false;
	visit_watch(v);
	return true;
}

/* Sends out, which is all of the response. */
static void
reply_out(struct visit *v, int status, const char *type)
{
	char fields[FIELDS_LEN];

	str_format(fields, sizeof fields, "%s%s%s%s%s",
	    type == NULL ? "" : "Content-Type: ", type == NULL ? "" : type,
	    type == NULL ? "" : "\r\n",
	    status == 405 ? "Allow: GET, POST, DELETE\r\n" : "",
	    type == NULL ? "" : "Cache-Control: no-store\r\n");
	begin(v, status, fields, (int64_t)buf_len(&v->out));
	v->ending = true;
	pump(v);
}

void
visit_reply(struct visit *v, int status, const char *type, struct bytes body)
{
	if (buf_add(&v->out, body) != 0)
		exchange_fail_internal(v->exchange);
	else
		reply_out(v, status, type);
}

void
visit_refuse(struct visit *v, int status, struct bytes id, int code,
    const char *text, const char *data)
{
	if (message_write_error(&v->out, id, code, text, data) != 0)
		exchange_fail_internal(v->exchange);
	else
		reply_out(v, status, JSON);
}

/* Sends the answers of a batch that get no more company. */
static void
end_array(struct visit *v)
{
	if (buf_add_str(&v->out, "]") == 0)
		reply_out(v, 200, JSON);
	else
		exchange_fail_internal(v->exchange);
}

void
visit_end(struct visit *v)
{
	if (!v->begun && v->batch && buf_len(&v->out) != 0) {
		end_array(v);
		return;
	} else if (!v->begun && v->takes_sse) {
		begin_stream(v);
	} else if (!v->begun) {
		visit_refuse(v, 200, bytes_of(NULL, 0), CANCELLED,
		    "cancelled", NULL);
		return;
	}
	v->ending = true;
	pump(v);
}

/* ---- events ---- */

bool
visit_is_open(const struct visit *v)
{
	return v->takes_sse && !v->ending && (!v->begun || v->sse) &&
	    (v->calls != NULL || v->method == VISIT_GET);
}

static int
add_event(struct visit *v, struct bytes text, struct message_edit *edits,
    size_t count)
{
	static const char before[] = "data: ", after[] = "\n\n";
	size_t room = text.len + MESSAGE_EDITS_MAX * RPC_ID_MAX +
	    sizeof before + sizeof after;

	if (v->stream != 0 && v->session != NULL)
		return session_add_event(v->session, stream_kind(v),
		    v->stream, &v->out, text, edits, count);
	/* Room for all of it first, so that no half of it stays. */
	if (buf_reserve(&v->out, room) == NULL ||
	    buf_add_str(&v->out, before) != 0 ||
	    message_write(&v->out, text, edits, count) != 0)
		return -1;
	return buf_add_str(&v->out, after);
}

int
visit_event(struct visit *v, struct bytes text, struct message_edit *edits,
    size_t count)
{
	int r;

	if (!visit_is_open(v))
		return -1;
	if (buf_len(&v->out) > VISIT_HIGH &&
	    (v->session == NULL || v->session->owned == NULL)) {
		diag_info("%s: a message for an agent that does not read: "
		    "dropped", v->bridge->route->origin);
		return -1;
	}
	if (!v->begun)
		begin_stream(v);
	r = add_event(v, text, edits, count);
	/* Without memory for the event, too: the head is in a scratch buffer
	 * that others use. */
	if (pump(v))
		visit_watch(v);
	return r;
}

/* ---- answers ---- */

/* What HTTP says of an answer: the errors that clients of 2026-07-28 look for
 * in the status. */
static int
status_of(const struct visit *v, const struct rpc *m)
{
	int64_t code = v->modern ? message_error_code(m) : 0;

	if (code == RPC_METHOD_NOT_FOUND)
		return 404;
	return code <= RPC_HEADER_MISMATCH &&
	    code >= RPC_UNSUPPORTED_VERSION ? 400 : 200;
}

/* Adds an answer to the array of those who take no stream. */
static int
add_member(struct visit *v, struct bytes text, struct message_edit *edits,
    size_t count)
{
	if (buf_add_str(&v->out, buf_len(&v->out) == 0 ? "[" : ",") != 0 ||
	    message_write(&v->out, text, edits, count) != 0)
		return -1;
	return v->left == 0 ? buf_add_str(&v->out, "]") : 0;
}

/* Returns whether v is still there, with answers to come. */
static bool
take_answer(struct visit *v, int status, struct bytes text,
    struct message_edit *edits, size_t count)
{
	bool stream = v->begun || !v->takes_json ||
	    (v->batch && v->takes_sse);
	int r;

	v->left--;
	if (stream && !v->begun)
		begin_stream(v);
	if (stream)
		r = add_event(v, text, edits, count);
	else if (v->batch)
		r = add_member(v, text, edits, count);
	else
		r = message_write(&v->out, text, edits, count);
	if (r != 0) {
		exchange_fail_internal(v->exchange);
		return false;
	}
	if (!stream && v->left == 0) {
		reply_out(v, status, JSON);
		return false;
	}
	v->ending = v->left == 0;
	if (!stream)
		return true;
	if (!pump(v))
		return false;
	visit_watch(v);
	return !v->ending;
}

void
visit_answer(struct visit *v, const struct rpc *m, struct message_edit *edits,
    size_t count)
{
	take_answer(v, status_of(v, m), m->text, edits, count);
}

/* Answers a call with an error of ours, in a response that has begun.
 * Returns as take_answer. */
static bool
answer_error(struct visit *v, struct bytes id, int code, const char *text)
{
	struct buf error;
	bool more = false;

	buf_init(&error, RPC_ID_MAX + PIECE_LEN);
	if (message_write_error(&error, id, code, text, NULL) == 0)
		more = take_answer(v, 200, buf_bytes(&error), NULL, 0);
	else
		exchange_fail_internal(v->exchange);
	buf_reset(&error);
	return more;
}

void
visit_fail(struct visit *v, const struct failure *why)
{
	exchange_fail(v->exchange, why);
}

void
visit_lost(struct visit *v, struct call *c, const struct failure *why)
{
	if (c->purpose == CALL_LISTEN && v->begun)
		exchange_fail(v->exchange, why); /* no clean end */
	else if (v->begun || v->left > 1)
		answer_error(v, c->id, why->status, why->text);
	else
		visit_fail(v, why);
}

/* In a batch the others still come. */
void
visit_cancelled(struct visit *v)
{
	if (v->left > 1)
		v->left--;
	else
		visit_end(v);
}

/* ---- time ---- */

void
visit_watch(struct visit *v)
{
	int64_t now_ms = clock_ms(), ms = VISIT_ALIVE_MS;

	if (!v->begun && v->takes_sse)
		ms = VISIT_PATIENCE_MS;
	if (v->deadline_ms != 0 && v->deadline_ms - now_ms < ms)
		ms = v->deadline_ms > now_ms ? v->deadline_ms - now_ms : 1;
	exchange_watch(v->exchange, ms);
}

static void
time_out(struct visit *v)
{
	struct failure why;

	failure_set(&why, 504, FRAME_TIMEOUT, BLAME_UPSTREAM,
	    "%s: no response in time", v->bridge->route->origin);
	if (!v->begun && !v->batch) {
		if (v->calls != NULL)
			process_cancel(v->calls);
		visit_fail(v, &why);
		return;
	}
	while (v->calls != NULL) {
		struct call *c = v->calls;
		uint8_t id[RPC_ID_MAX];
		size_t len = c->id.len;

		memcpy(id, c->id.ptr, len);
		process_cancel(c);
		if (!answer_error(v, bytes_of(id, len), why.status, why.text))
			return;
	}
}

void
visit_expired(struct visit *v)
{
	static const char comment[] = ":\n\n";
	int64_t now_ms = clock_ms();

	if (v->deadline_ms != 0 && now_ms >= v->deadline_ms &&
	    v->calls != NULL) {
		time_out(v);
		return;
	}
	if (buf_len(&v->out) != 0 && v->begun) {
		if (now_ms - v->moved_ms >= v->bridge->proxy->config->idle_ms) {
			exchange_fail_slow(v->exchange);
			return;
		}
	} else if (!v->begun && v->takes_sse && v->calls != NULL) {
		begin_stream(v);
		if (!pump(v))
			return;
	} else if (v->sse && buf_add_str(&v->out, comment) == 0) {
		if (v->session != NULL && v->session->listener == v)
			v->session->used_ms = now_ms;
		if (!pump(v))
			return;
	}
	visit_watch(v);
}
