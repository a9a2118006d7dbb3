/* SPDX-License-Identifier: ISC */
/* What a request asks for, by the rules of its revision. */
#include "cmd/mcp-proxy/visit.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/exchange.h"
#include "cmd/mcp-proxy/hearing.h"
#include "cmd/mcp-proxy/service.h"
#include "common/diag.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	METHOD_MAX = 16 << 10,
	DATA_MAX = 512,
};

#define BATCHES "2025-03-26"
#define WITH_SESSIONS "[\"2025-11-25\",\"2025-06-18\",\"" BATCHES "\"]"
#define TOO_LARGE "the message is above message_size"
#define NOT_SHARED "not with a process that sessions share"

/* How long a message may be. */
static size_t
longest_message(const struct config_route *r)
{
	int64_t max = r->stdio->message_max;

	if (r->policy != NULL && r->policy->message_max < max)
		max = r->policy->message_max;
	return (size_t)max;
}

struct visit *
visit_new(struct exchange *x)
{
	struct proxy *p = exchange_proxy(x);
	struct visit *v = calloc(1, sizeof *v);
	size_t message_max = longest_message(x->route);

	if (v == NULL)
		return NULL;
	v->exchange = x;
	v->bridge = x->route->service->bridge;
	bridge_enter(v->bridge);
	v->method = VISIT_OTHER;
	mirror_init(&v->mirror);
	buf_init(&v->body, message_max);
	buf_init(&v->out, message_max + VISIT_SLACK);
	visit_take_head(v, &p->head);
	if (x->route->policy != NULL && visit_judge_head(v, &p->head) != 0) {
		visit_free(v);
		return NULL;
	}
	if (x->request.framing == BODY_LENGTH && x->request.left > message_max)
		visit_refuse_head(v, 413, TOO_LARGE);
	return v;
}

void
visit_take(struct visit *v, struct bytes in)
{
	if (v->refusal == 0 && buf_add(&v->body, in) != 0)
		visit_refuse_head(v, 413, TOO_LARGE);
}

/* Takes v off the list of those who wait for a process. */
static void
leave_waiting(struct visit *v)
{
	if (v->process == NULL)
		return;
	if (v->prev != NULL)
		v->prev->next = v->next;
	else
		v->process->waiting = v->next;
	if (v->next != NULL)
		v->next->prev = v->prev;
	v->process = NULL;
	v->next = v->prev = NULL;
}

void
visit_free(struct visit *v)
{
	leave_waiting(v);
	session_leave(v);
	while (v->calls != NULL) {
		struct call *c = v->calls;

		/* Since 2026-07-28 to leave is to cancel; before, the request
		 * goes on and its answer finds nobody. */
		if (v->modern) {
			process_cancel(c);
			continue;
		}
		v->calls = c->visit_next;
		c->visit = NULL;
		c->visit_next = c->visit_prev = NULL;
	}
	visit_welcome_free(v);
	hearing_free(v->hearing);
	mirror_done(&v->mirror);
	buf_reset(&v->body);
	buf_reset(&v->out);
	bridge_leave(v->bridge);
	free(v);
}

/* ---- waiting for processes ---- */

static void
wait_for(struct visit *v, struct process *p)
{
	v->process = p;
	v->prev = NULL;
	v->next = p->waiting;
	if (v->next != NULL)
		v->next->prev = v;
	p->waiting = v;
	exchange_watch(v->exchange, VISIT_ALIVE_MS);
}

/* The process of a slot, if it is ready; else v waits for it, or has
 * failed. */
static struct process *
need_process(struct visit *v, enum process_role role, size_t slot)
{
	struct bridge *b = v->bridge;
	struct process *p = role == PROCESS_SHARED ? b->shared[slot]
	    : b->modern[slot];
	struct failure why;

	if (p != NULL && p->ready && p->child.state == CHILD_RUNNING)
		return p;
	if (p == NULL || p->child.state != CHILD_RUNNING) {
		p = bridge_start(b, role, slot, &why);
		if (p == NULL) {
			visit_fail(v, &why);
			return NULL;
		}
		process_greet(p);
	}
	wait_for(v, p);
	return NULL;
}

/* ---- calls ---- */

static void
set_deadline(struct visit *v, enum call_purpose purpose)
{
	int64_t ms = v->bridge->route->stdio->request_ms;

	v->deadline_ms = purpose == CALL_LISTEN || ms == 0 ? 0
	    : clock_ms() + ms;
}

/* Hands the only message of v to a process. */
static void
call(struct visit *v, struct process *p, const struct rpc *m,
    enum call_purpose purpose)
{
	struct failure why;

	if (purpose == CALL_LISTEN && v->bridge->retired) {
		exchange_fail_route(v->exchange);
		return;
	}
	v->left = 1;
	set_deadline(v, purpose);
	if (process_call(p, m, purpose, v, &why) == NULL) {
		visit_fail(v, &why);
		return;
	}
	buf_reset(&v->body);
	visit_watch(v);
}

/* ---- 2026-07-28 ---- */

/* Says which revisions are spoken here. */
static void
refuse_version(struct visit *v, const struct rpc *m, struct bytes supported)
{
	struct jsonw w;
	struct buf data;

	buf_init(&data, supported.len + DATA_MAX);
	buf_add_str(&data, "{\"supported\":");
	buf_add(&data, supported);
	buf_add_str(&data, ",\"requested\":");
	jsonw_init(&w, &data);
	jsonw_str(&w, v->mirror.version);
	buf_add(&data, bytes_of("}", 2)); /* and its NUL */
	visit_refuse(v, 400, m->id.text, RPC_UNSUPPORTED_VERSION,
	    "Unsupported protocol version", (const char *)data.mem);
	buf_reset(&data);
}

/* Whether it has to be found out if the command speaks this revision. */
static bool
is_unknown(const struct bridge *b)
{
	return b->era == ERA_UNKNOWN || (b->era == ERA_LEGACY &&
	    clock_ms() - b->era_ms >= BRIDGE_ERA_MS);
}

static void
run_modern(struct visit *v, const struct rpc *m)
{
	struct bridge *b = v->bridge;
	size_t slot = bridge_pick(b, b->modern);
	struct error e = {RPC_INVALID_REQUEST,
	    "a response: not in this revision"};
	struct bytes offers;
	struct process *p;

	/* This revision has no notification that a client sends. */
	if (m->kind == RPC_NOTIFICATION) {
		visit_reply(v, 202, NULL, bytes_of(NULL, 0));
		return;
	}
	if (m->kind != RPC_REQUEST ||
	    mirror_check_modern(&v->mirror, m, &e) != 0) {
		visit_refuse(v, 400, m->id.text, e.code, e.text, NULL);
		return;
	}
	if (b->era == ERA_LEGACY && !is_unknown(b)) {
		refuse_version(v, m, bytes_cstr(WITH_SESSIONS));
		return;
	}
	p = need_process(v, PROCESS_MODERN, slot);
	if (p != NULL && !process_offers(p, v->mirror.version, &offers))
		refuse_version(v, m, offers);
	else if (p != NULL)
		call(v, p, m, rpc_is(m, "subscriptions/listen") ? CALL_LISTEN
		    : CALL_AGENT);
}

/* ---- sessions: until 2025-11-25 ---- */

/* The session of the request; NULL: it was refused. */
static struct session *
need_session(struct visit *v)
{
	struct session *s = session_find(v->bridge, v->session_id);

	session_leave(v); /* it may have waited for a process */
	if (s != NULL && !admit_is_same(&s->agent, &v->exchange->agent))
		s = NULL; /* to one agent there are no sessions of others */
	if (s == NULL && v->session_id[0] == '\0') {
		visit_refuse(v, 400, bytes_of(NULL, 0), RPC_SERVER_ERROR,
		    "Mcp-Session-Id: missing", NULL);
		return NULL;
	}
	if (s == NULL) {
		visit_refuse(v, 404, bytes_of(NULL, 0), RPC_SERVER_ERROR,
		    "no such session", NULL);
		return NULL;
	}
	if (v->mirror.version[0] != '\0' &&
	    !message_is_legacy(bytes_cstr(v->mirror.version))) {
		visit_refuse(v, 400, bytes_of(NULL, 0), RPC_SERVER_ERROR,
		    "MCP-Protocol-Version: not one that has sessions", NULL);
		return NULL;
	}
	s->used_ms = clock_ms();
	session_join(s, v);
	return s;
}

/* The process of the session; NULL: v waits, or has failed. */
static struct process *
session_process(struct visit *v, struct session *s)
{
	return s->owned != NULL ? s->owned
	    : need_process(v, PROCESS_SHARED, s->slot);
}

/* Whether the method is one of tasks, however it is written. */
static bool
is_task(const struct rpc *m)
{
	struct bytes prefix = bytes_cstr("tasks/");
	struct buf name;
	bool is;

	buf_init(&name, METHOD_MAX);
	/* What is too long to be looked at is no method either. */
	is = jsonr_add_str(m->method, &name) != 0 ||
	    (buf_len(&name) >= prefix.len &&
	    bytes_eq(bytes_of(buf_bytes(&name).ptr, prefix.len), prefix));
	buf_reset(&name);
	return is;
}

/* What one session would do to the others. */
static bool
is_private(const struct session *s, const struct rpc *m)
{
	return s->owned == NULL && (rpc_is(m, "logging/setLevel") ||
	    rpc_is(m, "resources/subscribe") ||
	    rpc_is(m, "resources/unsubscribe") || is_task(m));
}

static void
take_back(struct session *s, struct process *p, const struct rpc *m)
{
	struct call *c = process_find(p, s, m->request_id.text);
	char digits[BRIDGE_NUMBER_LEN];
	struct message_edit edit;
	struct visit *v;

	if (c == NULL)
		return;
	process_number(c->number, digits);
	edit = (struct message_edit){m->request_id.text, bytes_cstr(digits)};
	child_send(&p->child, m->text, &edit, 1);
	v = c->visit;
	process_forget(c);
	if (v != NULL)
		visit_cancelled(v);
}

/* A message that gets no answer. */
static void
take_quiet(struct session *s, struct process *p, const struct rpc *m)
{
	if (m->kind == RPC_RESPONSE) {
		if (!process_answer(p, m))
			diag_info("%s: an answer of an agent to no request: "
			    "dropped", p->child.tag);
	} else if (rpc_is(m, "notifications/cancelled")) {
		take_back(s, p, m);
	} else if (s->owned != NULL) {
		process_send(p, m->text);
	}
}

static void
run_legacy(struct visit *v, const struct rpc *m)
{
	struct session *s = need_session(v);
	struct process *p = s == NULL ? NULL : session_process(v, s);

	if (p == NULL)
		return;
	if (m->kind != RPC_REQUEST) {
		take_quiet(s, p, m);
		visit_reply(v, 202, NULL, bytes_of(NULL, 0));
	} else if (is_private(s, m)) {
		visit_refuse(v, 200, m->id.text, RPC_METHOD_NOT_FOUND,
		    NOT_SHARED, NULL);
	} else {
		call(v, p, m, CALL_AGENT);
	}
}

/* ---- batches: 2025-03-26 ---- */

/* Checks all members.  Returns how many are requests, or -1 with a text. */
static int
check_batch(const struct session *s, struct jsonr all, struct error *e)
{
	struct jsonr_iter i;
	struct jsonr one;
	struct rpc m;
	int count = 0, requests = 0;

	jsonr_iter_init(&i, all);
	while (jsonr_next(&i, NULL, &one)) {
		if (++count > MESSAGE_BATCH_MAX)
			return error_set(e, "more than %d messages",
			    MESSAGE_BATCH_MAX);
		if (message_take(one, &m, e) != 0)
			return -1;
		if (rpc_is(&m, "initialize"))
			return error_set(e, "initialize in a batch");
		if (m.kind == RPC_REQUEST && is_private(s, &m))
			return error_set(e, NOT_SHARED);
		requests += m.kind == RPC_REQUEST;
	}
	return count == 0 ? error_set(e, "an empty batch") : requests;
}

static void
call_batch(struct visit *v, struct process *p, struct jsonr all)
{
	struct jsonr_iter i;
	struct jsonr one;
	struct failure why;
	struct error e;
	struct rpc m;

	jsonr_iter_init(&i, all);
	while (jsonr_next(&i, NULL, &one)) {
		message_take(one, &m, &e);
		if (m.kind != RPC_REQUEST) {
			/* To cancel what is in the same batch would end
			 * what is being made. */
			if (!rpc_is(&m, "notifications/cancelled"))
				take_quiet(v->session, p, &m);
		} else if (process_call(p, &m, CALL_AGENT, v, &why) == NULL) {
			visit_fail(v, &why);
			return;
		}
	}
	visit_watch(v);
}

static void
run_batch(struct visit *v, struct jsonr all)
{
	struct session *s = need_session(v);
	struct process *p;
	struct error e = {.text = "batches: only in " BATCHES};
	int requests;

	if (s == NULL)
		return;
	requests = str_eq(s->version, BATCHES) ? check_batch(s, all, &e)
	    : -1;
	if (requests < 0) {
		visit_refuse(v, 400, bytes_of(NULL, 0), RPC_INVALID_REQUEST,
		    e.text, NULL);
		return;
	}
	p = session_process(v, s);
	if (p == NULL)
		return;
	v->batch = true;
	v->left = (size_t)requests;
	set_deadline(v, CALL_AGENT);
	if (requests != 0) {
		call_batch(v, p, all);
		return;
	}
	call_batch(v, p, all);
	visit_reply(v, 202, NULL, bytes_of(NULL, 0));
}

/* ---- initialize ---- */

static void
refuse_session(struct visit *v)
{
	struct failure why;

	failure_set(&why, 503, FRAME_LIMIT, BLAME_PROXY,
	    "%s: too many sessions", v->bridge->route->origin);
	visit_fail(v, &why);
}

/* For those who come to it later, and for messages that are judged when no
 * request is there. */
static void
tell_asker(struct session *s, const struct visit *v)
{
	s->agent = v->exchange->agent;
	if (v->hearing != NULL)
		str_format(s->host, sizeof s->host, "%s", v->hearing->host);
}

static void
initialize_owned(struct visit *v, const struct rpc *m)
{
	struct bridge *b = v->bridge;
	struct session *s = session_new(b);
	struct failure why;

	if (s == NULL) {
		refuse_session(v);
		return;
	}
	s->owned = bridge_start(b, PROCESS_OWNED, 0, &why);
	if (s->owned == NULL) {
		session_free(s);
		visit_fail(v, &why);
		return;
	}
	s->owned->session = s;
	tell_asker(s, v);
	session_join(s, v);
	call(v, s->owned, m, CALL_INITIALIZE);
}

/* Which of the two revisions a session has: what the process speaks, or an
 * older one that the client wants.  Later ones only add to it. */
static void
choose_version(struct session *s, const struct rpc *m, const char *spoken)
{
	char asked[MESSAGE_VERSION_LEN + 1];
	struct error e;

	str_format(s->version, sizeof s->version, "%s", spoken);
	if (jsonr_get_str(m->params, "protocolVersion", asked, sizeof asked,
	    &e) == 1 && message_is_legacy(bytes_cstr(asked)) &&
	    strcmp(asked, spoken) < 0)
		memcpy(s->version, asked, sizeof asked);
}

static void
initialize_shared(struct visit *v, const struct rpc *m)
{
	size_t slot = session_slot(v->bridge);
	struct process *p = need_process(v, PROCESS_SHARED, slot);
	struct session *s;
	char spoken[MESSAGE_VERSION_LEN + 1];
	struct buf body;

	if (p == NULL)
		return;
	s = session_new(v->bridge);
	if (s == NULL) {
		refuse_session(v);
		return;
	}
	s->slot = slot;
	process_spoken(p, spoken);
	choose_version(s, m, spoken);
	tell_asker(s, v);
	buf_init(&body, v->body.max + VISIT_SLACK);
	if (process_welcome(p, m->id.text, s->version, &body) == 0)
		visit_welcome(v, s, buf_bytes(&body));
	else
		exchange_fail_internal(v->exchange);
	buf_reset(&body);
}

/* ---- methods ---- */

void
visit_post(struct visit *v)
{
	struct error e;
	struct rpc m;

	if (message_parse(buf_bytes(&v->body), &m, &e) != 0) {
		visit_refuse(v, 400, m.id.text, e.code, e.text, NULL);
		return;
	}
	if (m.kind == RPC_BATCH) {
		run_batch(v, (struct jsonr){JSONR_ARRAY, m.text});
		return;
	}
	if (m.kind == RPC_REQUEST && m.version.kind == JSONR_ABSENT &&
	    rpc_is(&m, "initialize")) {
		if (v->bridge->route->stdio->mode == CONFIG_SESSION)
			initialize_owned(v, &m);
		else
			initialize_shared(v, &m);
		return;
	}
	v->modern = m.version.kind != JSONR_ABSENT ||
	    message_is_modern(bytes_cstr(v->mirror.version));
	if (v->modern)
		run_modern(v, &m);
	else
		run_legacy(v, &m);
}

/* Whether v goes on with a stream that was broken. */
static bool
is_resumed(const struct visit *v)
{
	return v->resume.kind != 0 && v->resume.stream != 0 &&
	    v->resume.stream <= v->session->last_stream;
}

/* The stream for messages that belong to no request, or the rest of one that
 * was broken.  A new one takes the place of the old: its client may have lost
 * that without our knowing. */
static void
run_get(struct visit *v)
{
	struct session *s = need_session(v);

	if (s == NULL)
		return;
	if (is_resumed(v) && v->resume.kind == 'p') {
		visit_resume(v, s->owned != NULL ? s->owned
		    : v->bridge->shared[s->slot]);
		return;
	}
	if (v->bridge->retired) {
		exchange_fail_route(v->exchange);
		return;
	}
	if (s->listener != NULL)
		visit_end(s->listener);
	s->listener = v;
	if (is_resumed(v) ? visit_resume(v, NULL) : visit_begin_stream(v))
		session_flush(s);
}

static void
run_delete(struct visit *v)
{
	struct session *s = need_session(v);

	if (s == NULL)
		return;
	session_free(s);
	visit_reply(v, 200, NULL, bytes_of(NULL, 0));
}

void
visit_run(struct visit *v)
{
	if (v->refusal == 0 && v->method != VISIT_POST &&
	    message_is_modern(bytes_cstr(v->mirror.version)))
		visit_refuse_head(v, 405, "only POST in this revision");
	if (v->refusal != 0) {
		visit_refuse(v, v->refusal, bytes_of(NULL, 0), RPC_SERVER_ERROR,
		    v->refusal_text, NULL);
		return;
	}
	if (v->method == VISIT_POST && v->hearing != NULL)
		visit_judge(v);
	else if (v->method == VISIT_POST)
		visit_post(v);
	else if (v->method == VISIT_GET)
		run_get(v);
	else
		run_delete(v);
}
