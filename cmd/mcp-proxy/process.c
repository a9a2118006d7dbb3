/* SPDX-License-Identifier: ISC */
/* Messages between processes and whoever waits for them. */
#include <stdlib.h>

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/diag.h"
#include "common/opt.h"
#include "common/str.h"

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

/* ---- calls ---- */

struct bytes
process_number(uint32_t number, char out[static BRIDGE_NUMBER_LEN])
{
	str_format(out, BRIDGE_NUMBER_LEN, "%u", number);
	return bytes_cstr(out);
}

/* The next number that nothing has; 0 is none. */
static uint32_t
next_number(struct process *p)
{
	do {
		p->last_number++;
	} while (p->last_number == 0 ||
	    idmap_get(&p->numbers, p->last_number) != NULL ||
	    idmap_get(&p->asks, p->last_number) != NULL);
	return p->last_number;
}

static struct call *
call_new(struct process *p, const struct rpc *m)
{
	size_t id_len = m->id.text.len, token_len = m->token.text.len;
	struct call *c = calloc(1, sizeof *c + id_len + token_len);

	if (c == NULL)
		return NULL;
	c->number = next_number(p);
	if (idmap_add(&p->numbers, c->number, c) != 0) {
		free(c);
		return NULL;
	}
	memcpy(c->text, m->id.text.ptr, id_len);
	if (token_len != 0)
		memcpy(c->text + id_len, m->token.text.ptr, token_len);
	c->id = bytes_of(c->text, id_len);
	c->token = bytes_of(c->text + id_len, token_len);
	c->process = p;
	c->prev = p->last_call;
	if (c->prev != NULL)
		c->prev->next = c;
	else
		p->calls = c;
	p->last_call = c;
	p->call_count++;
	return c;
}

/* Takes it from the visit that waits. */
static void
leave_visit(struct call *c)
{
	if (c->visit == NULL)
		return;
	if (c->visit_prev != NULL)
		c->visit_prev->visit_next = c->visit_next;
	else
		c->visit->calls = c->visit_next;
	if (c->visit_next != NULL)
		c->visit_next->visit_prev = c->visit_prev;
	c->visit = NULL;
}

static void
join_visit(struct call *c, struct visit *v)
{
	c->visit = v;
	c->visit_next = v->calls;
	if (c->visit_next != NULL)
		c->visit_next->visit_prev = c;
	v->calls = c;
}

/* Takes it out of everything; the memory stays. */
static void
detach(struct call *c)
{
	struct process *p = c->process;

	leave_visit(c);
	idmap_remove(&p->numbers, c->number);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		p->calls = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		p->last_call = c->prev;
	p->call_count--;
	p->used_ms = clock_ms();
}

void
process_forget(struct call *c)
{
	detach(c);
	free(c);
}

void
process_cancel(struct call *c)
{
	static const char format[] = "{\"jsonrpc\":\"2.0\",\"method\":"
	    "\"notifications/cancelled\",\"params\":{\"requestId\":%u}}";
	char text[sizeof format + BRIDGE_NUMBER_LEN];

	/* The handshake can not be taken back. */
	if (c->purpose == CALL_AGENT || c->purpose == CALL_LISTEN) {
		str_format(text, sizeof text, format, c->number);
		process_send(c->process, bytes_cstr(text));
	}
	process_forget(c);
}

static int64_t
deadline_of(const struct process *p, enum call_purpose purpose)
{
	int64_t ms = p->bridge->route->stdio->request_ms;

	if (purpose == CALL_START && p->role == PROCESS_MODERN)
		ms = BRIDGE_PROBE_MS;
	if (purpose == CALL_LISTEN || ms == 0)
		return 0;
	return clock_ms() + ms;
}

struct call *
process_call(struct process *p, const struct rpc *m,
    enum call_purpose purpose, struct visit *v, struct failure *ret_why)
{
	struct message_edit edits[2];
	char digits[BRIDGE_NUMBER_LEN];
	const char *text = "out of memory";
	struct call *c = NULL;
	size_t count = 0;

	if (p->call_count >= BRIDGE_CALLS_MAX)
		text = "too many requests wait for it";
	else
		c = call_new(p, m);
	if (c == NULL)
		goto fail;
	c->purpose = purpose;
	c->deadline_ms = deadline_of(p, purpose);
	process_number(c->number, digits);
	edits[count++] = (struct message_edit){m->id.text, bytes_cstr(digits)};
	if (m->token.kind != JSONR_ABSENT)
		edits[count++] = (struct message_edit){m->token.text,
		    bytes_cstr(digits)};
	if (child_send(&p->child, m->text, edits, count) == 0) {
		if (v != NULL) {
			c->session = v->session;
			join_visit(c, v);
		}
		return c;
	}
	process_forget(c);
	text = "it does not read its input";
fail:
	failure_set(ret_why, 503, FRAME_LIMIT, BLAME_UPSTREAM, "%s: %s",
	    p->bridge->route->origin, text);
	return NULL;
}

int
process_send(struct process *p, struct bytes text)
{
	p->used_ms = clock_ms();
	return child_send(&p->child, text, NULL, 0);
}

struct call *
process_find(struct process *p, const struct session *s, struct bytes id)
{
	for (struct call *c = p->calls; c != NULL; c = c->next) {
		if (c->session == s && c->purpose == CALL_AGENT &&
		    bytes_eq(c->id, id))
			return c;
	}
	return NULL;
}

void
process_adopt(struct process *p, const struct session *s, uint32_t stream,
    struct visit *v)
{
	struct visit *old = NULL;

	for (struct call *c = p->calls; c != NULL; c = c->next) {
		if (c->session != s || c->stream != stream)
			continue;
		if (c->visit != NULL) {
			old = c->visit;
			old->left--;
		}
		leave_visit(c);
		join_visit(c, v);
		v->left++;
		v->deadline_ms = c->deadline_ms;
	}
	if (old != NULL && old->left == 0)
		visit_end(old);
}

void
process_sweep(struct process *p, int64_t now_ms)
{
	struct call *next;

	for (struct call *c = p->calls; c != NULL; c = next) {
		next = c->next;
		if (c->deadline_ms == 0 || now_ms < c->deadline_ms)
			continue;
		if (c->purpose == CALL_START)
			child_kill(&p->child, "did not answer in time");
		else if (c->visit == NULL)
			process_cancel(c);
	}
}

/* ---- what a process asks ---- */

static struct ask *
ask_new(struct process *p, struct bytes id)
{
	struct ask *a = p->asks.count >= BRIDGE_ASKS_MAX ? NULL
	    : malloc(sizeof *a + id.len);

	if (a == NULL)
		return NULL;
	a->number = next_number(p);
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
		visit_ready(v);
	child_stop(&p->child, NULL);
}

static bool
offers_modern(const struct rpc *m)
{
	struct jsonr versions, v;
	struct jsonr_iter i;
	struct error e;

	if (jsonr_get(m->result, "supportedVersions", &versions, &e) != 1 ||
	    versions.kind != JSONR_ARRAY)
		return false;
	jsonr_iter_init(&i, versions);
	while (jsonr_next(&i, NULL, &v)) {
		if (jsonr_eq_str(v, "2026-07-28"))
			return true;
	}
	return false;
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
	struct visit *v;

	if (p->role == PROCESS_MODERN && !offers_modern(m)) {
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
		visit_ready(v);
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
	detach(c);
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

static void
on_message(struct child *c, struct bytes line)
{
	struct process *p = (struct process *)c;
	struct error e;
	struct rpc m;

	if (message_parse(line, &m, &e) != 0)
		child_log(c, e.text, line);
	else if (m.kind == RPC_BATCH)
		take_batch(p, m.text);
	else
		take_message(p, &m);
}

static void
fail_all(struct process *p)
{
	struct failure why;
	struct visit *v;

	failure_set(&why, 502, FRAME_ABORTED, BLAME_UPSTREAM,
	    "%s: the process ended: %s", p->bridge->route->origin,
	    p->child.how);
	while (p->calls != NULL) {
		struct call *c = p->calls;

		v = c->visit;
		detach(c);
		if (v != NULL)
			visit_lost(v, c, &why);
		free(c);
	}
	while ((v = take_waiting(p)) != NULL)
		visit_failed(v, &why);
}

static void
on_ended(struct child *c)
{
	struct process *p = (struct process *)c;
	struct bridge *b = p->bridge;
	bool probed = p->role == PROCESS_MODERN && !p->ready;

	if (b->shared[p->slot] == p)
		b->shared[p->slot] = NULL;
	if (b->modern[p->slot] == p)
		b->modern[p->slot] = NULL;
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		b->processes = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
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
	process_done(p);
	proxy_bury(b->proxy, &c->corpse);
	if (--b->proxy->process_count == 0)
		b->proxy->emptied(b->proxy);
}

void
process_done(struct process *p)
{
	struct ask *a;

	while ((a = idmap_any(&p->asks)) != NULL)
		ask_free(p, a);
	idmap_done(&p->asks);
	idmap_done(&p->numbers);
	buf_reset(&p->greeting);
}

const struct child_events process_events = {
	.message = on_message, .ended = on_ended,
};
