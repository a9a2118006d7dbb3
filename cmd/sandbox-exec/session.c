/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/session.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/sandbox-exec/bashcall.h"
#include "cmd/sandbox-exec/toolclient.h"
#include "cmd/sandbox-exec/toolset.h"
#include "cmd/sandbox-exec/toolwire.h"
#include "common/clock.h"
#include "common/sha256.h"
#include "common/str.h"

enum {
	TEXT_MAX = 3 * TOOL_TEXT_MAX, /* each byte may become U+FFFD */
	AUDIT_INPUT_MAX = 2048,       /* bytes of an input in the audit */
	BUILDS_MAX = 3,               /* that end before a call starts */
	STARVED_MAX = 2,              /* shells that memory was short for, one
				       * after the other */
	ID_LEN = 16,
};

enum call_state {
	CALL_WAITING,
	CALL_RUNNING,
	CALL_FINISHED, /* done is to be called */
};

struct call {
	struct session *session;
	struct call *next;
	char tool[TOOLWIRE_NAME_MAX + 1];
	struct buf input;
	const struct call_events *events;
	void *user;
	enum call_state state;
	struct bashcall bash;  /* of the tool bash */
	bool parsed, restarted;
	int builds;            /* sandboxes that were built for it */
	int64_t ms;            /* how long it may take */
	int64_t started_ms;
	struct call_result result;
	struct buf text;
};

enum box_state { BOX_NONE, BOX_BUILDING, BOX_READY };

struct session {
	struct session_settings settings;
	struct buf policy;
	char id[ID_LEN + 1]; /* in the audit */
	enum box_state state;
	struct box *box;
	int64_t policy_ms, files; /* of the policy; 0: none */
	struct shell shell;
	struct toolclient tools;
	struct call *first, **last; /* the first one is worked on */
	size_t count;
	int starved;          /* shells: STARVED_MAX */
	ev_timer kick;        /* never started: fed when there is work */
	bool wanted;          /* when what stood is gone */
	bool failing;         /* why is to be told */
	struct error why;
	int depth;
	bool freed;
};

static void
kick(struct session *s)
{
	ev_feed_event(s->settings.loop, &s->kick, EV_CUSTOM);
}

/* ---- calls ---- */

static void
unlink_call(struct call *c)
{
	struct session *s = c->session;
	struct call **link = &s->first;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	if (s->last == &c->next)
		s->last = link;
	s->count--;
}

static void
free_call(struct call *c)
{
	if (c->parsed)
		bashcall_done(&c->bash);
	buf_reset(&c->input);
	buf_reset(&c->text);
	free(c);
}

static void
audit_input(struct jsonw *w, const struct call *c, bool whole)
{
	struct bytes in = buf_bytes(&c->input);
	char hex[SHA256_HEX_CAP];

	sha256_hex(in, hex);
	jsonw_key_str(w, "input_sha256", hex);
	jsonw_key_int(w, "input_bytes", (int64_t)in.len);
	if (!whole)
		return;
	if (in.len > AUDIT_INPUT_MAX)
		in.len = AUDIT_INPUT_MAX;
	jsonw_key(w, "input");
	jsonw_bytes(w, in);
}

static void
audit_call(const struct call *c, const char *verdict)
{
	const struct session_settings *settings = &c->session->settings;
	struct audit *a = settings->audit;
	const struct call_result *r = &c->result;

	if (a->fd == -1)
		return;
	str_format(a->id, sizeof a->id, "%s", c->session->id);
	audit_begin(a, "call");
	jsonw_key_str(&a->w, "tool", c->tool);
	audit_input(&a->w, c, settings->audit_input);
	jsonw_key_str(&a->w, "verdict", verdict);
	if (r->exit != -1)
		jsonw_key_int(&a->w, "exit", r->exit);
	jsonw_key_int(&a->w, "bytes", (int64_t)r->text.len);
	jsonw_key_int(&a->w, "duration_ms", r->duration_ms);
	audit_end(a);
}

/* The call has its result in c->text; done follows. */
static void
finish(struct call *c, bool is_error)
{
	c->state = CALL_FINISHED;
	c->result.is_error = is_error;
	c->result.text = buf_bytes(&c->text);
	if (c->started_ms != 0)
		c->result.duration_ms = clock_ms() - c->started_ms;
	kick(c->session);
}

static void
finish_error(struct call *c, const char *text)
{
	buf_add_str(&c->text, text);
	finish(c, true);
}

/* The call that runs, or NULL. */
static struct call *
running(const struct session *s)
{
	return s->first != NULL && s->first->state == CALL_RUNNING ?
	    s->first : NULL;
}

/* ---- the shell and the tools ---- */

static size_t
on_output(void *user, struct bytes in)
{
	const struct call *c = running(user);

	if (c == NULL || c->events->output == NULL)
		return in.len;
	return c->events->output(c->user, in);
}

static void
on_command_ended(void *user, const struct shell_result *r)
{
	struct session *s = user;
	struct call *c = running(s);
	bool was_short;

	if (c == NULL)
		return;
	was_short = s->box != NULL && box_was_short(s->box);
	/* What no shell can start beside is no process, but files. */
	s->starved = was_short && r->how == SHELL_DIED ? s->starved + 1 : 0;
	if (s->starved == STARVED_MAX && s->box != NULL)
		box_stop(s->box);
	c->result.timed_out = r->how == SHELL_TIMED_OUT;
	c->result.truncated = r->truncated;
	if (r->how == SHELL_DONE)
		c->result.exit = r->status;
	finish(c, bashcall_format(r, c->ms, was_short, &c->text));
}

static void
on_gone(void *user)
{
	kick(user);
}

static const struct shell_events shell_events = {
	.output = on_output, .ended = on_command_ended, .gone = on_gone,
};

static void
on_tool_ended(void *user, bool is_error, struct bytes text,
    const char *failed)
{
	struct call *c = running(user);

	if (c == NULL)
		return;
	if (failed != NULL)
		buf_format(&c->text, "%s: %s", c->tool, failed);
	else if (tailtext_repair(text, &c->text) != 0)
		is_error = true;
	if (buf_len(&c->text) == 0)
		buf_add_str(&c->text, "(no output)");
	finish(c, is_error);
}

static const struct toolclient_events tool_events = {
	.ended = on_tool_ended, .gone = on_gone,
};

/* ---- the sandbox ---- */

static void
on_ready(void *user, const struct box_facts *facts)
{
	struct session *s = user;

	s->state = BOX_READY;
	s->policy_ms = facts->time_ms;
	s->files = facts->files;
	kick(s);
	if (s->settings.events != NULL)
		s->settings.events->ready(s->settings.user, facts);
}

static void
fail_first(struct session *s, const struct error *why)
{
	struct call *c = s->first;

	if (c != NULL && c->state == CALL_WAITING) {
		buf_format(&c->text, "%s: the sandbox could not be built: %s",
		    c->tool, why->text);
		finish(c, true);
	}
	if (s->settings.events != NULL)
		s->settings.events->failed(s->settings.user, why);
}

static void
on_box_gone(void *user, const struct error *why, unsigned hit)
{
	struct session *s = user;

	(void)hit;
	s->starved = 0;
	box_free(s->box);
	s->box = NULL;
	s->state = BOX_NONE;
	kick(s);
	if (why != NULL)
		fail_first(s, why);
	else if (s->wanted)
		session_build(s);
}

static const struct box_events box_events = {
	.ready = on_ready, .gone = on_box_gone,
};

void
session_build(struct session *s)
{
	/* One that has ended is to be gone first. */
	s->wanted = s->state == BOX_READY && !box_stands(s->box);
	if (s->state != BOX_NONE)
		return;
	s->box = box_open(s->settings.loop, s->settings.zygote,
	    buf_bytes(&s->policy), s->id, &box_events, s, &s->why);
	s->failing = s->box == NULL;
	if (s->failing)
		kick(s);
	else
		s->state = BOX_BUILDING;
}

/* ---- work ---- */

static int64_t
shorter(int64_t a, int64_t b)
{
	return b != 0 && b < a ? b : a;
}

/* A restart ends the old shell before anything else happens.  Returns whether
 * that is done. */
static bool
restart(struct call *c)
{
	if (!c->bash.restart || c->restarted)
		return true;
	c->restarted = true;
	return !shell_stop(&c->session->shell);
}

static void
start_bash(struct call *c)
{
	struct session *s = c->session;
	struct error e;

	if (!restart(c))
		return;
	if (!c->bash.has_command) {
		buf_add_str(&c->text, "bash session restarted");
		finish(c, false);
		return;
	}
	c->ms = c->bash.timeout_ms != 0 ? c->bash.timeout_ms :
	    SESSION_CALL_MS;
	c->ms = shorter(shorter(c->ms, s->settings.call_ms_max),
	    s->policy_ms);
	c->state = CALL_RUNNING;
	if (shell_run(&s->shell, s->box, s->files,
	    buf_bytes(&c->bash.command), c->ms, &e) != 0) {
		error_prefix(&e, "bash");
		finish_error(c, e.text);
	}
}

static void
start_tool(struct call *c)
{
	struct session *s = c->session;
	struct error e;

	c->state = CALL_RUNNING;
	if (toolclient_call(&s->tools, s->box, c->tool,
	    buf_bytes(&c->input), &e) != 0) {
		error_prefix(&e, "%s", c->tool);
		finish_error(c, e.text);
	}
}

/* Reads what can be judged without a sandbox.  Returns false if that was all
 * there is to do. */
static bool
check(struct call *c)
{
	struct error e;

	if (c->started_ms != 0)
		return true;
	c->started_ms = clock_ms();
	if (str_eq(c->tool, "bash")) {
		c->parsed = bashcall_parse(buf_bytes(&c->input), &c->bash,
		    &e) == 0;
		if (!c->parsed)
			finish_error(c, e.text);
		return c->parsed;
	}
	if (tool_find(c->tool) != NULL)
		return true;
	error_set(&e, "%s: unknown tool", c->tool);
	finish_error(c, e.text);
	return false;
}

static void
start_first(struct session *s)
{
	struct call *c = s->first;

	if (!check(c))
		return;
	if (s->failing)
		return;
	if (s->state == BOX_NONE && c->builds++ == BUILDS_MAX) {
		buf_format(&c->text, "%s: the sandbox ends as soon as it "
		    "stands", c->tool);
		finish(c, true);
		return;
	}
	if (s->state != BOX_READY) {
		session_build(s);
		return;
	}
	if (!box_stands(s->box))
		return; /* until it is gone */
	if (c->parsed && shell_is_free(&s->shell))
		start_bash(c);
	else if (!c->parsed && toolclient_is_free(&s->tools))
		start_tool(c);
}

static void
end_first(struct session *s)
{
	struct call *c = s->first;

	unlink_call(c);
	audit_call(c, c->result.timed_out ? "timeout" :
	    c->result.is_error ? "error" : "ok");
	c->events->done(c->user, &c->result);
	free_call(c);
}

static void
destroy(struct session *s)
{
	buf_reset(&s->policy);
	free(s);
}

static void
on_kick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	s->depth++;
	if (s->failing) {
		s->failing = false;
		fail_first(s, &s->why);
	}
	while (!s->freed && s->first != NULL) {
		if (s->first->state == CALL_FINISHED) {
			end_first(s);
			continue;
		}
		if (s->first->state == CALL_WAITING)
			start_first(s);
		break;
	}
	if (--s->depth == 0 && s->freed)
		destroy(s);
}

struct session *
session_new(const struct session_settings *settings)
{
	struct session *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->settings = *settings;
	s->last = &s->first;
	buf_init(&s->policy, KEEPER_POLICY_MAX);
	ev_timer_init(&s->kick, on_kick, 0.0, 0.0);
	s->kick.data = s;
	if (buf_add(&s->policy, settings->policy) != 0) {
		destroy(s);
		return NULL;
	}
	random_hex(s->id, ID_LEN);
	shell_init(&s->shell, settings->loop, &shell_events, s);
	toolclient_init(&s->tools, settings->loop, &tool_events, s);
	return s;
}

void
session_free(struct session *s)
{
	struct call *c;

	if (s == NULL || s->freed)
		return;
	s->freed = true;
	while ((c = s->first) != NULL) {
		unlink_call(c);
		if (c->state != CALL_FINISHED)
			audit_call(c, "cancelled");
		free_call(c);
	}
	shell_done(&s->shell);
	toolclient_done(&s->tools);
	box_free(s->box);
	s->box = NULL;
	ev_clear_pending(s->settings.loop, &s->kick);
	if (s->depth == 0)
		destroy(s);
}

struct call *
session_call(struct session *s, const char *tool, struct bytes input,
    const struct call_events *events, void *user)
{
	struct call *c;

	if (s->count >= SESSION_CALLS_MAX || input.len > SESSION_INPUT_MAX) {
		errno = s->count >= SESSION_CALLS_MAX ? EAGAIN : EMSGSIZE;
		return NULL;
	}
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	buf_init(&c->input, SESSION_INPUT_MAX);
	buf_init(&c->text, TEXT_MAX);
	if (buf_add(&c->input, input) != 0) {
		free(c);
		return NULL;
	}
	c->session = s;
	c->events = events;
	c->user = user;
	c->result.exit = -1;
	/* A longer name is unknown as well. */
	str_format(c->tool, sizeof c->tool, "%s", tool);
	*s->last = c;
	s->last = &c->next;
	s->count++;
	kick(s);
	return c;
}

void
call_resume(struct call *c)
{
	if (c->state == CALL_RUNNING && c->parsed)
		shell_resume(&c->session->shell);
}

void
call_cancel(struct call *c)
{
	struct session *s = c->session;

	if (c->state == CALL_RUNNING && c->parsed)
		shell_stop(&s->shell);
	else if (c->state == CALL_RUNNING)
		toolclient_stop(&s->tools);
	if (c->state != CALL_FINISHED)
		audit_call(c, "cancelled");
	unlink_call(c);
	free_call(c);
	kick(s);
}

struct box *
session_box(struct session *s)
{
	return s->state == BOX_READY && box_stands(s->box) ? s->box : NULL;
}
