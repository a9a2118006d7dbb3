/* SPDX-License-Identifier: ISC */
/* Streams of the kinds session and tool. */
#include <errno.h>
#include <stdlib.h>

#include "cmd/sandbox-exec/serve.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	EVENT_MAX = 32 << 10,
	RESULT_MAX = 512,
	TAKEN_MAX = 4, /* calls of a session that run, wait with their input,
			* or have an answer that the client does not read */
};

struct served_session {
	struct served base;
	struct session *session;
	bool stood; /* ready was told once */
	struct served_tool *first, **last; /* in the order of their OPENs */
	struct session_waiter *waiters;
};

struct served_tool {
	struct served base;
	struct served_session *session; /* NULL: it is gone, or the answer is
					 * sent */
	struct served_tool *next;
	char tool[TOOLWIRE_NAME_MAX + 1];
	bool live;
	bool whole;        /* the input has come */
	struct buf input;
	struct call *call; /* NULL: it waits, or has ended */
	bool answered;
	struct buf text;   /* of the answer, not yet sent */
	struct buf event;
};

/* ---- tools ---- */

static void
tool_free(struct served_tool *t)
{
	serve_work_ends(t->base.client);
	buf_reset(&t->input);
	buf_reset(&t->text);
	buf_reset(&t->event);
	free(t);
}

static struct chan *
chan_of(const struct served *s)
{
	return &s->client->hop.chan;
}

/* Lets the calls of a session start whose input has come and before which all
 * others have started, as long as there are not too many; the next one may
 * send its input. */
static void
start_calls(struct served_session *s);

static void
tool_unlink(struct served_tool *t)
{
	struct served_session *s = t->session;
	struct served_tool **link;

	if (s == NULL)
		return;
	link = &s->first;
	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	if (s->last == &t->next)
		s->last = link;
	t->session = NULL;
}

/* Sends what the stream takes of the answer. */
static void
send_answer(struct served_tool *t)
{
	struct served_session *s = t->session;
	struct bytes text = buf_bytes(&t->text);

	if (t->base.stream == NULL)
		return;
	if (text.len != 0) {
		buf_drop(&t->text, chan_send(chan_of(&t->base),
		    t->base.stream, 0, text));
		if (buf_len(&t->text) != 0)
			return;
	}
	serve_send_event(&t->base, &t->event);
	tool_unlink(t);
	chan_end(chan_of(&t->base), t->base.stream);
	if (s != NULL)
		start_calls(s);
}

static void
format_result(struct served_tool *t, const struct call_result *r)
{
	struct jsonw w;

	jsonw_init(&w, &t->event);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", "result");
	jsonw_key(&w, "is_error");
	jsonw_bool(&w, r->is_error);
	jsonw_key_int(&w, "duration_ms", r->duration_ms);
	if (r->exit != -1)
		jsonw_key_int(&w, "exit", r->exit);
	if (r->timed_out) {
		jsonw_key(&w, "timed_out");
		jsonw_bool(&w, true);
	}
	if (r->truncated) {
		jsonw_key(&w, "truncated");
		jsonw_bool(&w, true);
	}
	jsonw_close(&w, '}');
}

static void
fail_tool(struct served_tool *t, enum frame_code code, const char *text)
{
	struct chan_stream *s = t->base.stream;

	tool_unlink(t);
	if (s != NULL)
		serve_refuse(t->base.client, s, code, text);
	tool_free(t);
}

static size_t
on_output(void *user, struct bytes in)
{
	struct served_tool *t = user;

	return chan_send(chan_of(&t->base), t->base.stream, 1, in);
}

static void
on_done(void *user, const struct call_result *r)
{
	struct served_tool *t = user;
	struct served_session *s = t->session;

	t->call = NULL;
	t->answered = true;
	format_result(t, r);
	if (buf_add(&t->text, r->text) != 0)
		fail_tool(t, FRAME_INTERNAL, "no memory for the result");
	else
		send_answer(t);
	start_calls(s);
}

static const struct call_events live_events = {
	.output = on_output, .done = on_done,
};
static const struct call_events quiet_events = {.done = on_done};

/* Returns whether the call is the session's now. */
static bool
start_call(struct served_tool *t)
{
	t->call = session_call(t->session->session, t->tool,
	    buf_bytes(&t->input), t->live ? &live_events : &quiet_events, t);
	buf_reset(&t->input);
	if (t->call != NULL)
		return true;
	fail_tool(t, errno == EAGAIN ? FRAME_LIMIT : FRAME_INTERNAL,
	    "the call cannot be taken");
	return false;
}

static bool
is_taken(const struct served_tool *t)
{
	return t->call != NULL || t->answered;
}

static void
start_calls(struct served_session *s)
{
	struct served_tool *t = s->first;

	for (int taken = 0; t != NULL && taken < TAKEN_MAX; taken++) {
		struct served_tool *next = t->next;

		if (!is_taken(t) && !t->whole) {
			/* May make it whole, and come back here. */
			chan_resume(chan_of(&t->base), t->base.stream);
			return;
		}
		if (!is_taken(t))
			start_call(t);
		t = next;
	}
}

/* Whether every call before t has started, and one more may. */
static bool
is_next(const struct served_tool *t)
{
	const struct served_tool *at = t->session->first;
	int taken = 0;

	for (; at != t && is_taken(at); at = at->next)
		taken++;
	return at == t && taken < TAKEN_MAX;
}

static size_t
tool_data(struct served *base, uint16_t channel, struct bytes in)
{
	struct served_tool *t = (struct served_tool *)base;

	if (t->answered || channel != 0)
		return in.len;
	if (!is_next(t))
		return 0; /* one input of a session at a time is held */
	if (buf_add(&t->input, in) == 0)
		return in.len;
	fail_tool(t, FRAME_LIMIT, "the input is above 8 MiB");
	return in.len;
}

static void
tool_end(struct served *base)
{
	struct served_tool *t = (struct served_tool *)base;

	if (t->answered || t->session == NULL)
		return;
	t->whole = true;
	start_calls(t->session);
}

static void
tool_writable(struct served *base)
{
	struct served_tool *t = (struct served_tool *)base;

	if (t->answered)
		send_answer(t);
	else if (t->call != NULL)
		call_resume(t->call);
}

static void
tool_closed(struct served *base)
{
	struct served_tool *t = (struct served_tool *)base;
	struct served_session *s = t->session;

	if (t->call != NULL)
		call_cancel(t->call);
	tool_unlink(t);
	tool_free(t);
	if (s != NULL)
		start_calls(s);
}

static const struct served_events tool_events = {
	.data = tool_data, .end = tool_end, .writable = tool_writable,
	.closed = tool_closed,
};

/* ---- sessions ---- */

static void
tell_waiters(struct served_session *s, const struct error *why)
{
	struct session_waiter *next;

	for (struct session_waiter *w = s->waiters; w != NULL; w = next) {
		next = w->next;
		if (w->told)
			continue;
		w->told = true;
		w->ready(w, session_box(s->session), why);
	}
}

/* Everything of a session; its stream is closed or will be by the caller. */
static void
session_end(struct served_session *s)
{
	struct served_tool *t;
	struct session_waiter *w;

	while ((t = s->first) != NULL) {
		if (t->answered) {
			tool_unlink(t);
			continue;
		}
		t->call = NULL; /* session_free cancels it */
		fail_tool(t, FRAME_ABORTED, "the session has ended");
	}
	while ((w = s->waiters) != NULL) {
		serve_session_leave(w);
		w->gone(w);
	}
	session_free(s->session);
	s->base.client->server->sandboxes--;
	free(s);
}

static void
on_ready(void *user, const struct box_facts *facts)
{
	struct served_session *s = user;
	struct buf b;
	struct jsonw w;

	s->stood = true;
	buf_init(&b, EVENT_MAX);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", "ready");
	jsonw_key(&w, "workdir");
	jsonw_bytes(&w, bytes_cstr(facts->workdir));
	if (jsonw_ok(&w) && buf_add_str(&b, ",\"isolation\":") == 0 &&
	    buf_add(&b, facts->isolation) == 0)
		jsonw_close(&w, '}');
	serve_send_event(&s->base, &b);
	buf_reset(&b);
	tell_waiters(s, NULL);
}

/* A sandbox that never stood is a session that never was. */
static void
on_failed(void *user, const struct error *why)
{
	struct served_session *s = user;
	struct chan_stream *stream = s->base.stream;

	if (s->stood || stream == NULL) {
		tell_waiters(s, why);
		return;
	}
	serve_refuse(s->base.client, stream, FRAME_REFUSED, why->text);
	s->base.stream = NULL;
	session_end(s);
}

static const struct session_events session_events = {
	.ready = on_ready, .failed = on_failed,
};

static size_t
session_data(struct served *base, uint16_t channel, struct bytes in)
{
	(void)base;
	(void)channel;
	return in.len; /* there is nothing to say */
}

static void
session_ended(struct served *base)
{
	chan_end(chan_of(base), base->stream);
}

static void
session_writable(struct served *base)
{
	(void)base;
}

static void
session_closed(struct served *base)
{
	session_end((struct served_session *)base);
}

static const struct served_events session_stream_events = {
	.data = session_data, .end = session_ended,
	.writable = session_writable, .closed = session_closed,
};

void
serve_session_open(struct client *c, struct chan_stream *stream,
    const struct request *r)
{
	const struct server *server = c->server;
	struct session_settings settings = {
		.loop = server->loop,
		.zygote = &c->server->zygote,
		.policy = r->policy,
		.audit = server->audit,
		.audit_input = server->options->audit_input,
		.call_ms_max = server->options->call_ms_max,
		.events = &session_events,
	};
	struct served_session *s;

	if (!serve_take_sandbox(c, stream))
		return;
	s = calloc(1, sizeof *s);
	if (s != NULL) {
		settings.user = s;
		s->session = session_new(&settings);
	}
	if (s == NULL || s->session == NULL) {
		free(s);
		c->server->sandboxes--;
		serve_refuse(c, stream, FRAME_INTERNAL, "no memory");
		return;
	}
	s->base = (struct served){&session_stream_events, c, stream};
	s->last = &s->first;
	stream->user = s;
	session_build(s->session);
}

static struct served_session *
find_session(struct client *c, uint32_t id)
{
	struct chan_stream *s = chan_get(&c->hop.chan, id);
	struct served *served = s == NULL ? NULL : s->user;

	if (served == NULL || served->events != &session_stream_events)
		return NULL;
	return (struct served_session *)served;
}

void
serve_tool_open(struct client *c, struct chan_stream *stream,
    const struct request *r)
{
	struct served_session *s = find_session(c, r->session);
	struct served_tool *t;

	if (s == NULL) {
		serve_refuse(c, stream, FRAME_REFUSED, "no such session");
		return;
	}
	t = calloc(1, sizeof *t);
	if (t == NULL) {
		serve_refuse(c, stream, FRAME_INTERNAL, "no memory");
		return;
	}
	t->base = (struct served){&tool_events, c, stream};
	t->session = s;
	t->live = r->live;
	str_format(t->tool, sizeof t->tool, "%s", r->tool);
	buf_init(&t->input, SESSION_INPUT_MAX);
	buf_init(&t->text, EVENT_MAX + 3 * (size_t)TOOLWIRE_TEXT_MAX);
	buf_init(&t->event, RESULT_MAX);
	*s->last = t;
	s->last = &t->next;
	stream->user = t;
	serve_work_begins(c);
}

int
serve_session_wait(struct client *c, uint32_t id, struct session_waiter *w)
{
	struct served_session *s = find_session(c, id);
	struct box *box;

	if (s == NULL)
		return -1;
	w->session = s;
	w->next = s->waiters;
	s->waiters = w;
	box = session_box(s->session);
	if (box == NULL) {
		session_build(s->session);
		return 0;
	}
	w->told = true;
	w->ready(w, box, NULL);
	return 0;
}

void
serve_session_leave(struct session_waiter *w)
{
	struct session_waiter **link;

	if (w->session == NULL)
		return;
	link = &w->session->waiters;
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	w->session = NULL;
}
