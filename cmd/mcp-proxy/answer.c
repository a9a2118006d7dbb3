/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/answer.h"

#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/strict.h"
#include "common/diag.h"
#include "common/str.h"

enum { SLACK = 64 << 10 }; /* a denial may be longer than what it replaces */

static bool go_on(struct answer *a);

void
answer_init(struct answer *a, const struct answer_context *context, size_t max)
{
	*a = (struct answer){.context = context};
	buf_init(&a->text, 2 * max + SLACK);
	buf_init(&a->other, max + SLACK);
	buf_init(&a->filtered, max + SLACK);
	buf_init(&a->out, (max + SLACK) * 2);
}

static void
end_list(struct answer *a)
{
	if (a->has_list)
		listing_done(&a->listing);
	a->has_list = false;
}

void
answer_done(struct answer *a)
{
	policy_forget(a->asked);
	a->asked = NULL;
	end_list(a);
	buf_reset(&a->text);
	buf_reset(&a->other);
	buf_reset(&a->filtered);
	buf_reset(&a->out);
}

/* ---- failing ---- */

static void
fail_message(struct answer *a, const char *text)
{
	failure_set(&a->why, 502, FRAME_PROTOCOL, BLAME_UPSTREAM,
	    "%s: a message that can not be judged: %s",
	    a->context->route->origin, text);
	a->end = ANSWER_FAIL;
}

static void
fail_memory(struct answer *a)
{
	failure_set(&a->why, 503, FRAME_INTERNAL, BLAME_PROXY,
	    "a message is too long or memory is short");
	a->end = ANSWER_FAIL;
}

/* ---- the message ---- */

static void
take_message(struct answer *a, struct jsonr v)
{
	struct error e;

	if (message_take(v, &a->message, &e) != 0) {
		fail_message(a, e.text);
		return;
	}
	a->call = a->message.kind != RPC_RESPONSE ? NULL
	    : a->context->find(a->context->user, a->message.id);
	/* A client would take it for the answer to something else that it has
	 * asked, which is not known here. */
	if (a->context->only_asked && a->call == NULL &&
	    a->message.result.kind != JSONR_ABSENT) {
		fail_message(a, "a result of nothing that was asked");
		return;
	}
	a->now = a->message.text;
	a->verdict = AUDIT_ALLOW;
	a->rule[0] = '\0';
	a->step = ANSWER_JUDGE;
}

static void
finish(struct answer *a)
{
	if (a->batch && buf_add_str(&a->out, "]") != 0) {
		fail_memory(a);
		return;
	}
	a->pass = a->changed ? buf_bytes(&a->out) : a->in;
	a->end = buf_len(&a->out) == (a->batch ? 2 : 0) && a->changed
	    ? ANSWER_DROP : ANSWER_PASS;
}

static void
take_next(struct answer *a)
{
	struct jsonr v;

	end_list(a);
	if (!a->batch || !jsonr_next(&a->left, NULL, &v))
		finish(a);
	else if (++a->count > MESSAGE_BATCH_MAX)
		fail_message(a, "a batch that is too long");
	else
		take_message(a, v);
}

/* Whether the policy may leave entries out of lists. */
static bool
may_filter(const struct config_policy *o)
{
	return o->program != NULL || o->tools != NULL || o->prompts != NULL ||
	    o->resources != NULL || o->methods != NULL;
}

static void
begin_filter(struct answer *a)
{
	struct error e;
	int r;

	a->step = ANSWER_WRITE;
	if (a->message.kind != RPC_RESPONSE || a->now.ptr == NULL ||
	    !may_filter(a->context->route->policy))
		return;
	r = listing_init(&a->listing, &a->message, a->call == NULL ? NULL
	    : policy_list(a->call->method), &e);
	a->has_list = true;
	if (r < 0)
		fail_message(a, e.text);
	else if (r == 1)
		a->step = ANSWER_FILTER;
}

static void
note(struct answer *a, enum audit_verdict verdict,
    const struct policy_verdict *v)
{
	a->verdict = verdict;
	str_format(a->rule, sizeof a->rule, "%.*s", (int)v->rule.len,
	    (const char *)v->rule.ptr);
}

/* The agent gets an error in the place of an answer, and nothing in the place of
 * another message. */
static void
deny(struct answer *a, const struct policy_verdict *v)
{
	const struct rpc *m = &a->message;

	note(a, AUDIT_DENY, v);
	a->step = ANSWER_WRITE;
	a->now = bytes_of(NULL, 0);
	if (m->kind == RPC_REQUEST && a->context->refused != NULL)
		a->context->refused(a->context->user, m);
	if (m->kind != RPC_RESPONSE)
		return;
	buf_clear(&a->other);
	if (policy_write_denial(&a->other, m->id.text, a->call == NULL
	    ? bytes_of(NULL, 0) : a->call->method, a->context->modern,
	    v->text) != 0)
		fail_memory(a);
	else
		a->now = buf_bytes(&a->other);
}

static void
rewrite(struct answer *a, const struct policy_verdict *v)
{
	struct error e;
	struct jsonr value;

	note(a, AUDIT_REWRITE, v);
	buf_clear(&a->other);
	if (buf_add(&a->other, v->message) != 0) {
		fail_memory(a);
		return;
	}
	a->now = buf_bytes(&a->other);
	/* What a program writes has each member once. */
	if (jsonr_parse(a->now, &value, &e) != 0 ||
	    message_take(value, &a->message, &e) != 0)
		fail_message(a, "the program's is none");
	else
		begin_filter(a);
}

static void
take_verdict(struct answer *a, const struct policy_verdict *v)
{
	bool denied = v->action == POLICY_DENY;

	if (a->step == ANSWER_FILTER) {
		if (denied && a->rule[0] == '\0')
			note(a, a->verdict, v);
		if (listing_put(&a->listing, !denied) != 0)
			fail_memory(a);
	} else if (denied) {
		deny(a, v);
	} else if (v->action == POLICY_REWRITE) {
		rewrite(a, v);
	} else {
		note(a, AUDIT_ALLOW, v);
		begin_filter(a);
	}
}

/* ---- questions ---- */

static void
on_verdict(void *user, const struct policy_verdict *v)
{
	struct answer *a = user;

	a->asked = NULL;
	take_verdict(a, v);
	if (go_on(a))
		a->done(a->user);
}

static void
ask(struct answer *a, struct policy_question *q)
{
	const struct answer_context *c = a->context;
	struct policy_verdict v;

	q->route = c->route;
	q->host = c->host;
	q->session = c->session;
	q->agent = c->who.agent;
	if (policy_judge(c->proxy, q, &v, on_verdict, a, &a->asked) == 1)
		take_verdict(a, &v);
}

static void
judge(struct answer *a)
{
	struct policy_question q = {.direction = POLICY_ANSWER,
	    .message = a->message.text};
	struct error e;

	buf_clear(&a->text);
	if (a->call != NULL) {
		q.method = a->call->method;
		q.kind = a->call->kind;
		q.name = a->call->name;
	} else if (a->message.kind != RPC_RESPONSE &&
	    policy_look(&a->message, &a->text, &q, &e) != 0) {
		fail_message(a, e.text);
		return;
	}
	ask(a, &q);
}

/* Asks whether the call would be allowed that an entry stands for. */
static void
judge_entry(struct answer *a, const struct listing_entry *entry)
{
	static const char format[] = "{\"method\":\"%s\",\"params\":{\"%s\":";
	const char *param = entry->list->kind == POLICY_RESOURCE ? "uri"
	    : "name";
	struct policy_question q = {.direction = POLICY_LIST,
	    .kind = entry->list->kind, .entry = entry->value.text,
	    .method = bytes_cstr(entry->list->call)};
	size_t at;

	buf_clear(&a->text);
	if (jsonr_add_str(entry->name, &a->text) != 0 ||
	    buf_format(&a->text, format, entry->list->call, param) != 0) {
		fail_memory(a);
		return;
	}
	at = buf_len(&a->text) - strlen(entry->list->call) - strlen(param) -
	    (sizeof format - 1 - 4);
	if (buf_add(&a->text, entry->name.text) != 0 ||
	    buf_add_str(&a->text, "}}") != 0) {
		fail_memory(a);
		return;
	}
	q.message = bytes_after(buf_bytes(&a->text), at);
	q.name = bytes_of(buf_bytes(&a->text).ptr, at);
	ask(a, &q);
}

static void
filter(struct answer *a)
{
	struct listing_entry entry;

	if (!listing_next(&a->listing, &entry))
		a->step = ANSWER_WRITE;
	else if (a->listing.entry_count > LISTING_ENTRIES_MAX)
		fail_message(a, "a list that is too long");
	else if (entry.name.kind == JSONR_STRING)
		judge_entry(a, &entry);
	else if (listing_put(&a->listing, false) != 0)
		fail_memory(a);
}

/* ---- the verdict ---- */

/* Puts the list in its place. */
static void
write_list(struct answer *a)
{
	int r;

	if (!a->has_list)
		return;
	buf_clear(&a->filtered);
	r = listing_write(&a->listing, &a->filtered);
	if (r < 0) {
		fail_memory(a);
		return;
	}
	if (r == 1)
		a->now = buf_bytes(&a->filtered);
	if (a->listing.removed_count != 0 && a->verdict == AUDIT_ALLOW)
		a->verdict = AUDIT_FILTER;
}

static int
record(struct answer *a)
{
	const struct answer_context *c = a->context;
	struct policy_question about = {.kind = POLICY_OTHER};
	struct audit_decision d = {.who = c->who,
	    .direction = AUDIT_ANSWER, .verdict = a->verdict, .host = c->host,
	    .session = c->session, .rule = a->rule};
	struct error e;

	if (!audit_is_on(&c->proxy->audit))
		return 0;
	buf_clear(&a->text);
	d.id = a->message.id.text;
	if (a->call != NULL) {
		d.id = a->call->id;
		about.kind = a->call->kind;
		about.method = a->call->method;
		about.name = a->call->name;
	} else if (a->message.kind != RPC_RESPONSE &&
	    policy_look(&a->message, &a->text, &about, &e) != 0) {
		return -1;
	}
	d.method = about.method;
	if (about.kind == POLICY_RESOURCE)
		d.uri = about.name;
	else
		d.name = about.name;
	if (a->has_list) {
		d.removed_count = listing_removed(&a->listing, &d.removed);
		d.removed_total = a->listing.removed_count;
		d.removed_are_uris = listing_has_uris(&a->listing);
	}
	return audit_decide(&c->proxy->audit, &d);
}

static void
write_verdict(struct answer *a)
{
	bool first = buf_len(&a->out) == (a->batch ? 1 : 0);

	write_list(a);
	if (a->end == ANSWER_FAIL)
		return;
	if (record(a) != 0) {
		audit_refusal(&a->why);
		a->end = ANSWER_FAIL;
		return;
	}
	a->changed = a->changed || a->now.ptr != a->message.text.ptr ||
	    a->verdict == AUDIT_REWRITE;
	a->step = ANSWER_NEXT;
	if (a->now.ptr != NULL && (a->batch || a->changed) &&
	    ((!first && buf_add_str(&a->out, ",") != 0) ||
	    buf_add(&a->out, a->now) != 0))
		fail_memory(a);
}

/* ---- */

/* Goes on until the end or a question.  Returns whether it is the end. */
static bool
go_on(struct answer *a)
{
	while (a->end == ANSWER_OPEN && a->asked == NULL) {
		switch (a->step) {
		case ANSWER_NEXT:
			take_next(a);
			break;
		case ANSWER_JUDGE:
			judge(a);
			break;
		case ANSWER_FILTER:
			filter(a);
			break;
		case ANSWER_WRITE:
			write_verdict(a);
			break;
		}
	}
	return a->end != ANSWER_OPEN;
}

bool
answer_run(struct answer *a, struct bytes in, void (*done)(void *user),
    void *user)
{
	struct error e;
	struct jsonr v;

	a->end = ANSWER_OPEN;
	a->in = in;
	a->changed = false;
	a->count = 0;
	a->done = done;
	a->user = user;
	buf_clear(&a->out);
	if (jsonr_parse(in, &v, &e) != 0 || strict_check(v, &e) != 0) {
		fail_message(a, e.text);
		return true;
	}
	a->batch = v.kind == JSONR_ARRAY;
	if (!a->batch) {
		take_message(a, v);
		return go_on(a);
	}
	jsonr_iter_init(&a->left, v);
	a->step = ANSWER_NEXT;
	if (buf_add_str(&a->out, "[") != 0)
		fail_memory(a);
	return go_on(a);
}

/* ---- */

static const struct hearing_call *
find_heard(void *user, struct jsonr id)
{
	return hearing_find(user, id);
}

void
answer_hear(struct answer_context *ret, struct hearing *h)
{
	*ret = (struct answer_context){.proxy = h->proxy, .route = h->route,
	    .who = h->who, .host = bytes_cstr(h->host), .session = h->session,
	    .modern = h->modern, .only_asked = h->heard, .find = find_heard,
	    .user = h};
}
