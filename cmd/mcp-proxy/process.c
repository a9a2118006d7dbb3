/* SPDX-License-Identifier: ISC */
/* What processes say: to whom it goes, and what we answer ourselves. */
#include <stdlib.h>

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/diag.h"
#include "common/opt.h"

enum { OWN_ID = 1 }; /* of the first request, which is ours */

/* What we say of ourselves to a process that many share: no client's
 * abilities are promised, so it has nothing to ask for. */
#define CLIENT_INFO "{\"name\":\"mcp-proxy\",\"version\":\"" \
	ADIT_VERSION_STRING "\"}"
#define INITIALIZE "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\"," \
	"\"params\":{\"protocolVersion\":\"2025-11-25\"," \
	"\"capabilities\":{},\"clientInfo\":" CLIENT_INFO "}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\"," \
	"\"method\":\"notifications/initialized\"}"
#define DISCOVER "{\"jsonrpc\":\"2.0\",\"id\":0," \
	"\"method\":\"server/discover\",\"params\":{\"_meta\":{" \
	"\"" RPC_META "protocolVersion\":\"2026-07-28\"," \
	"\"" RPC_META "clientCapabilities\":{}," \
	"\"" RPC_META "clientInfo\":" CLIENT_INFO "}}}"

/* ---- what a process asks ---- */

static struct ask *
ask_new(struct process *p, struct bytes id)
{
	struct ask *a = p->asks.count >= BRIDGE_ASKS_MAX ? NULL
	    : malloc(sizeof *a + id.len);

	if (a == NULL)
		return NULL;
	a->number = process_next_number(p);
	a->id_len = id.len;
	memcpy(a->id, id.ptr, id.len);
	if (idmap_add(&p->asks, a->number, a) != 0) {
		free(a);
		return NULL;
	}
	return a;
}

static void
ask_free(struct process *p, struct ask *a)
{
	idmap_remove(&p->asks, a->number);
	free(a);
}

/* Finds an ask by the id that the process gave it. */
static struct ask *
ask_find(struct process *p, struct bytes id)
{
	for (size_t i = 0; i < p->asks.size; i++) {
		struct ask *a = p->asks.entries[i].id == 0 ? NULL
		    : p->asks.entries[i].value;

		if (a != NULL && bytes_eq(bytes_of(a->id, a->id_len), id))
			return a;
	}
	return NULL;
}

bool
process_answer(struct process *p, const struct rpc *m)
{
	struct message_edit edit;
	uint32_t number;
	struct ask *a;

	if (message_number(m->id, &number) != 0 ||
	    (a = idmap_get(&p->asks, number)) == NULL)
		return false;
	edit = (struct message_edit){m->id.text, bytes_of(a->id, a->id_len)};
	child_send(&p->child, m->text, &edit, 1);
	ask_free(p, a);
	return true;
}

/* Answers a request of the process ourselves. */
static void
answer_process(struct process *p, const struct rpc *m, const char *refusal)
{
	struct buf *out = &p->child.proxy->out;
	int r;

	buf_clear(out);
	if (refusal != NULL)
		r = message_write_error(out, m->id.text, RPC_METHOD_NOT_FOUND,
		    refusal, NULL);
	else
		r = buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":") != 0 ||
		    buf_add(out, m->id.text) != 0 ||
		    buf_add_str(out, ",\"result\":{}}") != 0;
	if (r == 0)
		process_send(p, buf_bytes(out));
}

static void
take_request(struct process *p, const struct rpc *m)
{
	char digits[BRIDGE_NUMBER_LEN];
	struct message_edit edit;
	struct ask *a;

	if (rpc_is(m, "ping")) {
		answer_process(p, m, NULL);
		return;
	}
	if (p->role != PROCESS_OWNED || p->session == NULL) {
		answer_process(p, m, "no client can be asked here");
		return;
	}
	a = ask_new(p, m->id.text);
	if (a == NULL) {
		answer_process(p, m, "too many requests to the client");
		return;
	}
	edit = (struct message_edit){m->id.text, process_number(a->number,
	    digits)};
	if (session_deliver(p->session, m->text, &edit, 1) != 0) {
		ask_free(p, a);
		answer_process(p, m, "the client can not be reached");
	}
}

/* ---- the handshake ---- */

void
process_greet(struct process *p)
{
	const char *text = p->role == PROCESS_MODERN ? DISCOVER : INITIALIZE;
	struct failure why;
	struct error e;
	struct rpc m;

	if (message_parse(bytes_cstr(text), &m, &e) == 0 &&
	    process_call(p, &m, CALL_START, NULL, &why) == NULL)
		child_kill(&p->child, "does not read its input");
}

/* Takes the first that waits off the list. */
static struct visit *
take_waiting(struct process *p)
{
	struct visit *v = p->waiting;

	if (v == NULL)
		return NULL;
	p->waiting = v->next;
	if (v->next != NULL)
		v->next->prev = NULL;
	v->next = v->prev = NULL;
	v->process = NULL;
	return v;
}

static void
set_era(struct bridge *b, enum bridge_era era)
{
	b->era = era;
	b->era_ms = clock_ms();
}

/* The command does not speak 2026-07-28: those who want it are told. */
static void
settle_legacy(struct process *p)
{
	struct visit *v;

	set_era(p->bridge, ERA_LEGACY);
	if (p->bridge->modern[p->slot] == p)
		p->bridge->modern[p->slot] = NULL;
	while ((v = take_waiting(p)) != NULL)
		visit_post(v);
	child_stop(&p->child, NULL);
}

bool
process_offers(const struct process *p, const char *version,
    struct bytes *ret_offers)
{
	struct jsonr offers = {JSONR_ARRAY, buf_bytes(&p->greeting)};

	*ret_offers = offers.text;
	return message_has_str(offers, version);
}

/* Whether initialize gave what sessions can be told. */
static bool
is_greeting(const struct rpc *m)
{
	char version[MESSAGE_VERSION_LEN + 1];
	struct error e;

	return jsonr_get_str(m->result, "protocolVersion", version,
	    sizeof version, &e) == 1 && message_is_legacy(bytes_cstr(version));
}

static void
take_start(struct process *p, const struct rpc *m)
{
	struct jsonr offers;
	struct visit *v;
	struct error e;

	if (p->role == PROCESS_MODERN && (jsonr_get(m->result,
	    "supportedVersions", &offers, &e) != 1 ||
	    offers.kind != JSONR_ARRAY || !message_has_str(offers, "2026-07-28") ||
	    buf_add(&p->greeting, offers.text) != 0)) {
		settle_legacy(p);
		return;
	}
	if (p->role == PROCESS_MODERN) {
		set_era(p->bridge, ERA_MODERN);
	} else if (!is_greeting(m) ||
	    buf_add(&p->greeting, m->result.text) != 0) {
		child_kill(&p->child, "did not accept initialize");
		return;
	} else {
		process_send(p, bytes_cstr(INITIALIZED));
	}
	p->ready = true;
	while ((v = take_waiting(p)) != NULL)
		visit_post(v);
}

void
process_spoken(const struct process *p,
    char out[static MESSAGE_VERSION_LEN + 1])
{
	struct jsonr result = {JSONR_OBJECT, buf_bytes(&p->greeting)};
	struct error e;

	jsonr_get_str(result, "protocolVersion", out,
	    MESSAGE_VERSION_LEN + 1, &e);
}

/* Whether an ability stays out of what shared sessions are told: one that
 * acts on the process as a whole, or whose effect is not known. */
static bool
is_withheld(struct jsonr key)
{
	return jsonr_eq_str(key, "logging") || jsonr_eq_str(key, "tasks") ||
	    jsonr_eq_str(key, "experimental");
}

/* Appends the members of an object but for those that are withheld. */
static int
add_abilities(struct buf *out, struct jsonr object, bool resources)
{
	struct jsonr_iter i;
	struct jsonr key, value;
	const char *before = "{";

	jsonr_iter_init(&i, object);
	while (jsonr_next(&i, &key, &value)) {
		if (resources ? jsonr_eq_str(key, "subscribe")
			      : is_withheld(key))
			continue;
		if (buf_add_str(out, before) != 0 ||
		    buf_add(out, key.text) != 0 || buf_add_str(out, ":") != 0)
			return -1;
		before = ",";
		if (!resources && jsonr_eq_str(key, "resources") &&
		    value.kind == JSONR_OBJECT) {
			if (add_abilities(out, value, true) != 0)
				return -1;
		} else if (buf_add(out, value.text) != 0) {
			return -1;
		}
	}
	return buf_add_str(out, *before == '{' ? "{}" : "}");
}

int
process_welcome(const struct process *p, struct bytes id,
    const char *version, struct buf *out)
{
	struct jsonr result = {JSONR_OBJECT, buf_bytes(&p->greeting)};
	struct jsonr spoken, abilities;
	struct message_edit edits[2];
	struct buf fewer, chosen;
	struct error e;
	size_t count = 0;
	int r = -1;

	buf_init(&fewer, result.text.len + 2);
	buf_init(&chosen, MESSAGE_VERSION_LEN + 2);
	if (jsonr_get(result, "protocolVersion", &spoken, &e) != 1 ||
	    buf_format(&chosen, "\"%s\"", version) != 0)
		goto out;
	edits[count++] = (struct message_edit){spoken.text, buf_bytes(&chosen)};
	if (jsonr_get(result, "capabilities", &abilities, &e) == 1) {
		if (add_abilities(&fewer, abilities, false) != 0)
			goto out;
		edits[count++] = (struct message_edit){abilities.text,
		    buf_bytes(&fewer)};
	}
	if (buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":") == 0 &&
	    buf_add(out, id) == 0 && buf_add_str(out, ",\"result\":") == 0 &&
	    message_write(out, result.text, edits, count) == 0)
		r = buf_add_str(out, "}");
out:
	buf_reset(&fewer);
	buf_reset(&chosen);
	return r;
}

/* ---- answers ---- */

/* Remembers what initialize agreed on.  Returns false if the session has not
 * begun. */
static bool
begin_session(struct call *c, const struct rpc *m)
{
	struct session *s = c->session;
	char version[MESSAGE_VERSION_LEN + 1];
	struct error e;

	if (s == NULL || c->visit == NULL || jsonr_get_str(m->result,
	    "protocolVersion", version, sizeof version, &e) != 1)
		return false;
	memcpy(s->version, version, sizeof version);
	c->visit->new_session = s->id;
	return true;
}

static void
pass_answer(struct call *c, const struct rpc *m)
{
	struct message_edit edits[2] = {{m->id.text, c->id}};
	struct visit *v = c->visit;
	struct session *over = NULL;
	size_t count = 1;
	uint32_t number;

	if (c->purpose == CALL_INITIALIZE && !begin_session(c, m))
		over = c->session;
	if (m->subscription.kind != JSONR_ABSENT &&
	    message_number(m->subscription, &number) == 0 &&
	    number == c->number)
		edits[count++] = (struct message_edit){m->subscription.text,
		    c->id};
	if (v == NULL)
		session_keep(c, m->text, edits, count);
	process_detach(c);
	if (v != NULL)
		visit_answer(v, m, edits, count);
	free(c);
	if (over != NULL)
		session_free(over);
}

static void
take_answer(struct process *p, const struct rpc *m)
{
	uint32_t number;
	struct call *c;

	if (message_number(m->id, &number) != 0 || m->id.kind != JSONR_NUMBER ||
	    (c = idmap_get(&p->numbers, number)) == NULL) {
		if (message_number(m->id, &number) == 0 &&
		    number <= p->last_number)
			diag_info("%s: an answer to %u came late: dropped",
			    p->child.tag, number);
		else
			child_log(&p->child, "an answer to no request",
			    m->id.text);
		return;
	}
	if (p->answer_count++ == 0 && p->role == PROCESS_OWNED)
		bridge_succeeded(p->bridge);
	if (c->purpose != CALL_START) {
		pass_answer(c, m);
		return;
	}
	process_forget(c);
	take_start(p, m);
}

/* ---- notifications ---- */

static void
take_progress(struct process *p, const struct rpc *m)
{
	struct message_edit edit;
	uint32_t number;
	struct call *c;

	if (message_number(m->token, &number) != 0 ||
	    (c = idmap_get(&p->numbers, number)) == NULL ||
	    c->token.len == 0)
		return;
	edit = (struct message_edit){m->token.text, c->token};
	if (c->visit != NULL)
		visit_event(c->visit, m->text, &edit, 1);
	else
		session_keep(c, m->text, &edit, 1);
}

/* Something about a subscription of 2026-07-28. */
static void
take_subscribed(struct process *p, const struct rpc *m)
{
	struct message_edit edit;
	uint32_t number;
	struct call *c;

	if (message_number(m->subscription, &number) != 0 ||
	    (c = idmap_get(&p->numbers, number)) == NULL ||
	    c->visit == NULL || c->purpose != CALL_LISTEN)
		return;
	edit = (struct message_edit){m->subscription.text, c->id};
	visit_event(c->visit, m->text, &edit, 1);
}

/* The process takes back what it asked, or ends a subscription. */
static void
take_cancelled(struct process *p, const struct rpc *m)
{
	char digits[BRIDGE_NUMBER_LEN];
	struct message_edit edit;
	uint32_t number;
	struct call *c;
	struct ask *a = ask_find(p, m->request_id.text);

	if (a != NULL && p->session != NULL) {
		edit = (struct message_edit){m->request_id.text,
		    process_number(a->number, digits)};
		session_deliver(p->session, m->text, &edit, 1);
		ask_free(p, a);
		return;
	}
	if (message_number(m->request_id, &number) == 0 &&
	    (c = idmap_get(&p->numbers, number)) != NULL &&
	    c->purpose == CALL_LISTEN && c->visit != NULL) {
		struct visit *v = c->visit;

		process_forget(c);
		visit_end(v);
	}
}

/* Tells all sessions of a shared process that a list has changed, which says
 * nothing about any of them. */
static void
tell_all(struct process *p, struct bytes text)
{
	struct bridge *b = p->bridge;

	for (size_t i = 0; i < BRIDGE_BUCKETS; i++) {
		struct session *next;

		for (struct session *s = b->sessions[i]; s != NULL; s = next) {
			next = s->next;
			if (s->slot == p->slot && s->listener != NULL)
				visit_event(s->listener, text, NULL, 0);
		}
	}
}

static bool
is_list_change(const struct rpc *m)
{
	return rpc_is(m, "notifications/tools/list_changed") ||
	    rpc_is(m, "notifications/prompts/list_changed") ||
	    rpc_is(m, "notifications/resources/list_changed");
}

static void
take_notification(struct process *p, const struct rpc *m)
{
	if (rpc_is(m, "notifications/progress"))
		take_progress(p, m);
	else if (rpc_is(m, "notifications/cancelled"))
		take_cancelled(p, m);
	else if (p->role == PROCESS_MODERN)
		take_subscribed(p, m);
	else if (p->session != NULL)
		session_deliver(p->session, m->text, NULL, 0);
	else if (p->role == PROCESS_SHARED && is_list_change(m))
		tell_all(p, m->text);
}

/* ---- events of the child ---- */

static void
take_message(struct process *p, const struct rpc *m)
{
	switch (m->kind) {
	case RPC_RESPONSE:
		take_answer(p, m);
		break;
	case RPC_REQUEST:
		take_request(p, m);
		break;
	case RPC_NOTIFICATION:
		take_notification(p, m);
		break;
	case RPC_BATCH:
		break;
	}
}

/* Servers of 2025-03-26 may send several at once. */
static void
take_batch(struct process *p, struct bytes text)
{
	struct jsonr all = {JSONR_ARRAY, text}, v;
	struct jsonr_iter i;
	struct error e;
	struct rpc m;

	jsonr_iter_init(&i, all);
	while (jsonr_next(&i, NULL, &v)) {
		if (message_take(v, &m, &e) == 0)
			take_message(p, &m);
		else
			child_log(&p->child, e.text, v.text);
	}
}

void
process_take(struct process *p, struct bytes text)
{
	struct error e;
	struct rpc m;

	if (message_parse(text, &m, &e) != 0)
		child_log(&p->child, e.text, text);
	else if (m.kind == RPC_BATCH)
		take_batch(p, m.text);
	else
		take_message(p, &m);
}

static void
on_message(struct child *c, struct bytes line)
{
	struct process *p = (struct process *)c;

	if (p->judging != NULL)
		process_judge(p, line);
	else
		process_take(p, line);
}

static void
fail_call(struct call *c, const struct failure *why)
{
	struct visit *v = c->visit;

	process_detach(c);
	if (v != NULL)
		visit_lost(v, c, why);
	free(c);
}

void
process_lose(struct process *p, struct call *c, const struct failure *why)
{
	struct session *over = c->purpose == CALL_INITIALIZE ? c->session
	    : NULL;

	if (c->purpose == CALL_START) {
		child_kill(&p->child, "an answer that can not be used");
		return;
	}
	fail_call(c, why);
	if (over != NULL)
		session_free(over);
}

static void
on_skipped(struct child *c, const struct skim *s)
{
	struct process *p = (struct process *)c;
	struct failure why;
	struct call *call;
	uint32_t number = 0;

	call = skim_number(s, &number) == 0 ? idmap_get(&p->numbers, number)
	    : NULL;
	child_log(c, "a message above message_size", bytes_cstr(call == NULL
	    ? "skipped" : "skipped, the answer to a request"));
	if (call == NULL)
		return;
	if (call->purpose == CALL_START) {
		child_kill(c, "an answer above message_size");
		return;
	}
	failure_set(&why, 502, FRAME_LIMIT, BLAME_UPSTREAM,
	    "%s: the answer is above message_size",
	    p->bridge->route->origin);
	process_lose(p, call, &why);
}

static void
fail_all(struct process *p)
{
	struct failure why;
	struct visit *v;

	failure_set(&why, 502, FRAME_ABORTED, BLAME_UPSTREAM,
	    "%s: the process ended: %s", p->bridge->route->origin,
	    p->child.how);
	while (p->calls != NULL)
		fail_call(p->calls, &why);
	while ((v = take_waiting(p)) != NULL)
		visit_fail(v, &why);
}

/* Frees what belongs to it but the child's. */
static void
process_done(struct process *p)
{
	struct ask *a;

	while ((a = idmap_any(&p->asks)) != NULL)
		ask_free(p, a);
	idmap_done(&p->asks);
	idmap_done(&p->numbers);
	buf_reset(&p->greeting);
	process_judge_stop(p);
}

void
process_ended(struct process *p)
{
	struct child *c = &p->child;
	struct bridge *b = p->bridge;
	struct proxy *proxy = b->proxy;
	/* Of a command that is known to speak it, it is a failure. */
	bool probed = p->role == PROCESS_MODERN && !p->ready &&
	    b->era != ERA_MODERN;

	bridge_enter(b);
	bridge_lost(b, p);
	if (c->blamed && !probed) {
		diag_warning("%s: ended: %s", c->tag, c->how);
		bridge_failed(b, p);
	} else {
		diag_info("%s: ended: %s", c->tag, c->how);
	}
	/* What does not know the question may well end. */
	if (probed)
		settle_legacy(p);
	fail_all(p);
	if (p->session != NULL) {
		struct session *s = p->session;

		s->owned = NULL;
		p->session = NULL;
		session_free(s);
	}
	stray_sweep(&proxy->strays);
	process_done(p);
	proxy_bury(proxy, &c->corpse);
	bridge_leave(b);
	if (--proxy->process_count == 0)
		proxy->emptied(proxy);
}

static void
on_ended(struct child *c)
{
	struct process *p = (struct process *)c;

	if (p->judging == NULL || !process_judge_ending(p))
		process_ended(p);
}

const struct child_events process_events = {
	.message = on_message, .skipped = on_skipped, .ended = on_ended,
};
