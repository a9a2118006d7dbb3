/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/hearing.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/mcp-proxy/media.h"
#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/strict.h"
#include "common/field.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	SLACK = 64 << 10,  /* of an answer besides the id and the text */
	DATA_MAX = 512,
	FIELD_NAME_LEN = 32, /* longer than those that matter */
};

#define BATCHES "2025-03-26"
#define NEWEST "2026-07-28"
#define WITHOUT_SESSIONS "[\"" NEWEST "\"]"
#define ALL "[\"" NEWEST "\",\"2025-11-25\",\"2025-06-18\",\"" BATCHES \
	"\",\"2024-11-05\"]"
#define DENIAL_DATA "{\"code\":\"denied\",\"blame\":\"policy\"}"
#define NOT_SENT "Not sent: the policy of this server does not allow another " \
	"message of the batch."

static void next_message(struct hearing *h);

/* ---- ends ---- */

static void
end(struct hearing *h, enum hearing_end how)
{
	h->end = how;
	if (h->done != NULL)
		h->done(h->user);
}

static void
fail_internal(struct hearing *h)
{
	failure_set(&h->why, 503, FRAME_INTERNAL, BLAME_PROXY,
	    "memory is short");
	end(h, HEARING_FAIL);
}

/* Answers with an error of JSON-RPC. */
static void
refuse(struct hearing *h, int status, struct bytes id, const struct error *e,
    const char *data)
{
	struct audit_decision d = {.who = h->who, .verdict = AUDIT_DENY,
		.session = h->session, .rule = "message",
		.host = bytes_cstr(h->host), .reason = bytes_cstr(e->text)};

	if (audit_decide(&h->proxy->audit, &d) != 0) {
		audit_refusal(&h->why);
		end(h, HEARING_FAIL);
		return;
	}
	h->status = status;
	buf_clear(&h->reply);
	if (message_write_error(&h->reply, id, e->code, e->text, data) != 0)
		fail_internal(h);
	else
		end(h, HEARING_REPLY);
}

static void
refuse_text(struct hearing *h, int status, int code, const char *text)
{
	struct error e = {.code = code};

	error_set(&e, "%s", text);
	refuse(h, status, bytes_of(NULL, 0), &e, NULL);
}

static void
pass(struct hearing *h, struct bytes what)
{
	h->pass = what;
	end(h, HEARING_PASS);
}

static void
reply(struct hearing *h, int status)
{
	h->status = status;
	end(h, HEARING_REPLY);
}

/* ---- the head ---- */

static bool
is_json_type(struct bytes value)
{
	struct media media = media_parse(value);

	return media_is(&media, "application/json") && media.utf8;
}

/* Whether a field's name is one that matters to those who, like CGI, do not
 * tell '_' from '-'. */
static bool
is_like_field(struct bytes name)
{
	static const char *const known[] = {
		"mcp-protocol-version", "mcp-method", "mcp-name",
		"mcp-session-id", "content-type", "content-encoding",
		"content-length", "transfer-encoding",
	};
	char text[FIELD_NAME_LEN];
	bool like = false, any = false;

	if (str_from_bytes(text, sizeof text, name) != 0)
		return false;
	for (char *c = text; *c != '\0'; c++) {
		any = any || *c == '_';
		*c = *c == '_' ? '-' : *c;
	}
	for (size_t i = 0; any && i < sizeof known / sizeof *known; i++)
		like = like || str_eq_nocase(text, known[i]);
	return like;
}

struct seen {
	bool type, session;
};

static void
take_field(struct hearing *h, const struct http_field *f, struct seen *seen)
{
	struct error e;

	if (h->end != HEARING_OPEN)
		return;
	if (is_like_field(f->name)) {
		refuse_text(h, 400, RPC_INVALID_REQUEST,
		    "a header with '_', which some take for '-'");
	} else if (mirror_take(&h->mirror, f->name, f->value, &e) < 0) {
		refuse_text(h, 400, RPC_HEADER_MISMATCH, e.text);
	} else if (field_eq_str(f->name, "content-type")) {
		h->has_body_type = !seen->type && is_json_type(f->value);
		seen->type = true;
	} else if (field_eq_str(f->name, "content-encoding") &&
	    !field_eq_str(f->value, "identity")) {
		refuse_text(h, 415, RPC_INVALID_REQUEST,
		    "Content-Encoding: cannot be judged");
	} else if (field_eq_str(f->name, "mcp-session-id")) {
		if (seen->session)
			refuse_text(h, 400, RPC_INVALID_REQUEST,
			    "Mcp-Session-Id: more than one");
		seen->session = true;
		audit_digest(f->value, h->session);
	}
}

struct hearing *
hearing_new(struct proxy *p, const struct config_route *route,
    const struct http_head *head, const struct audit_who *who)
{
	struct hearing *h = calloc(1, sizeof *h);
	size_t max = (size_t)route->policy->message_max;
	struct seen seen = {false, false};

	if (h == NULL)
		return NULL;
	h->proxy = p;
	h->route = route;
	h->who = *who;
	str_from_bytes(h->host, sizeof h->host, head->host);
	mirror_init(&h->mirror);
	buf_init(&h->text, max + SLACK);
	buf_init(&h->edited, 2 * max + SLACK);
	buf_init(&h->answers, max + MESSAGE_BATCH_MAX * (RPC_ID_MAX +
	    POLICY_TEXT_MAX * 6 + SLACK));
	buf_init(&h->reply, h->answers.max + SLACK);
	for (size_t i = 0; i < head->field_count; i++)
		take_field(h, &head->fields[i], &seen);
	return h;
}

void
hearing_free(struct hearing *h)
{
	if (h == NULL)
		return;
	policy_forget(h->asked);
	while (h->calls != NULL) {
		struct hearing_call *c = h->calls;

		h->calls = c->next;
		free(c);
	}
	mirror_done(&h->mirror);
	buf_reset(&h->text);
	buf_reset(&h->edited);
	buf_reset(&h->answers);
	buf_reset(&h->reply);
	free(h);
}

/* ---- verdicts ---- */

/* Remembers a request that goes on.  Returns 0, or -1 with ENOMEM. */
static int
add_call(struct hearing *h)
{
	const struct policy_question *q = &h->question;
	struct bytes id = h->message.id.text;
	struct hearing_call *c = malloc(sizeof *c + id.len + q->method.len +
	    q->name.len);
	uint8_t *at;

	if (c == NULL)
		return -1;
	at = c->text;
	c->kind = q->kind;
	c->id = bytes_of(memcpy(at, id.ptr, id.len), id.len);
	at += id.len;
	c->method = bytes_of(memcpy(at, q->method.ptr, q->method.len),
	    q->method.len);
	at += q->method.len;
	c->name = bytes_of(NULL, 0);
	if (q->name.ptr != NULL)
		c->name = bytes_of(memcpy(at, q->name.ptr, q->name.len),
		    q->name.len);
	c->next = h->calls;
	h->calls = c;
	return 0;
}

/* Appends a message that goes on. */
static int
add_message(struct hearing *h, struct bytes text)
{
	if (h->batch && buf_add_str(&h->edited,
	    buf_len(&h->edited) == 0 ? "[" : ",") != 0)
		return -1;
	return buf_add(&h->edited, text);
}

/* Appends the answer to a request that may not go on, or might not. */
static int
add_answer(struct hearing *h, bool denied, struct bytes text)
{
	struct bytes id = h->message.id.text;

	if (h->batch && buf_add_str(&h->answers,
	    buf_len(&h->answers) == 0 ? "[" : ",") != 0)
		return -1;
	if (denied)
		return policy_write_denial(&h->answers, id,
		    h->question.method, h->modern, text);
	return message_write_error(&h->answers, id, POLICY_CODE, NOT_SENT,
	    DENIAL_DATA);
}

static int
take_denial(struct hearing *h, struct bytes text)
{
	char reason[POLICY_TEXT_MAX + 1];
	int r;

	h->changed = true;
	if (h->message.kind == RPC_REQUEST) {
		h->denied = true;
		return add_answer(h, true, text);
	}
	if (h->message.kind == RPC_NOTIFICATION)
		return 0;
	/* A server that asked is told that it gets no answer. */
	if (h->batch && buf_add_str(&h->edited,
	    buf_len(&h->edited) == 0 ? "[" : ",") != 0)
		return -1;
	str_from_bytes(reason, sizeof reason, text);
	r = message_write_error(&h->edited, h->message.id.text, POLICY_CODE,
	    reason, DENIAL_DATA);
	return r;
}

static int
take_verdict(struct hearing *h, const struct policy_verdict *v)
{
	if (v->action == POLICY_DENY)
		return take_denial(h, v->text);
	if (h->message.kind == RPC_REQUEST && (add_call(h) != 0 ||
	    (h->batch && add_answer(h, false, bytes_of(NULL, 0)) != 0)))
		return -1;
	if (v->action == POLICY_REWRITE) {
		h->changed = true;
		return add_message(h, v->message);
	}
	return h->batch ? add_message(h, h->message.text) : 0;
}

static int
write_audit(struct hearing *h, const struct policy_verdict *v)
{
	const struct policy_question *q = &h->question;
	char rule[POLICY_RULE_MAX + 1];
	struct audit_decision d = {.who = h->who, .session = h->session,
		.host = q->host, .method = q->method,
		.id = h->message.id.text,
		.verdict = v->action == POLICY_DENY ? AUDIT_DENY
		    : v->action == POLICY_REWRITE ? AUDIT_REWRITE
		    : AUDIT_ALLOW};

	if (str_from_bytes(rule, sizeof rule, v->rule) != 0 ||
	    rule[0] == '\0')
		str_format(rule, sizeof rule, "policy");
	d.rule = rule;
	if (q->kind == POLICY_RESOURCE)
		d.uri = q->name;
	else
		d.name = q->name;
	return audit_decide(&h->proxy->audit, &d);
}

/* Takes the verdict about the message.  Returns false at the end of h. */
static bool
decide(struct hearing *h, const struct policy_verdict *v)
{
	if (write_audit(h, v) != 0) {
		audit_refusal(&h->why);
		end(h, HEARING_FAIL);
		return false;
	}
	if (take_verdict(h, v) != 0) {
		fail_internal(h);
		return false;
	}
	return true;
}

static void
on_verdict(void *user, const struct policy_verdict *v)
{
	struct hearing *h = user;

	h->asked = NULL;
	if (decide(h, v))
		next_message(h);
}

/* ---- messages ---- */

/* Whether this revision is one whose messages are understood here.  What
 * a later one makes of them is not known. */
static bool
is_known(const char *version)
{
	return version[0] == '\0' || str_eq(version, NEWEST) ||
	    message_is_legacy(bytes_cstr(version));
}

static void
refuse_version(struct hearing *h)
{
	struct error e = {.code = RPC_UNSUPPORTED_VERSION};
	char data[DATA_MAX];
	struct buf text;
	struct jsonw w;

	buf_init(&text, sizeof data);
	/* Which of them the server speaks it says itself. */
	buf_add_str(&text, "{\"supported\":");
	buf_add_str(&text, h->message.version.kind != JSONR_ABSENT
	    ? WITHOUT_SESSIONS : ALL);
	buf_add_str(&text, ",\"requested\":");
	jsonw_init(&w, &text);
	jsonw_bytes(&w, bytes_cstr(h->mirror.version));
	buf_add_str(&text, "}");
	if (str_from_bytes(data, sizeof data, buf_bytes(&text)) != 0)
		data[0] = '\0';
	buf_reset(&text);
	error_set(&e, "Unsupported protocol version");
	refuse(h, 400, h->message.id.text, &e, data[0] == '\0' ? NULL : data);
}

/* Checks what the head says of the message.  Returns whether it may be
 * judged. */
static bool
check_message(struct hearing *h)
{
	const struct rpc *m = &h->message;
	struct error e = {RPC_INVALID_REQUEST, "a batch, in a revision that "
	    "has none"};

	h->modern = m->version.kind != JSONR_ABSENT ||
	    str_eq(h->mirror.version, NEWEST);
	if (h->batch && (h->modern || (h->mirror.version[0] != '\0' &&
	    !str_eq(h->mirror.version, BATCHES)))) {
		refuse(h, 400, bytes_of(NULL, 0), &e, NULL);
		return false;
	}
	if ((h->modern && m->kind == RPC_REQUEST
	    ? mirror_check_modern(&h->mirror, m, &e)
	    : mirror_check(&h->mirror, m, &e)) != 0) {
		refuse(h, 400, m->id.text, &e, NULL);
		return false;
	}
	return true;
}

static bool
is_integer(struct jsonr id, int64_t *ret)
{
	return jsonr_int(id, INT64_MIN, INT64_MAX, ret) == 0;
}

/* Appends an id as a text that is the same for all that a server could take for
 * one another: a string, and a number with these digits, perhaps those of the
 * double that is next to it; all numbers that are no integers. */
static int
add_id(struct jsonr id, bool rounded, struct buf *out)
{
	int64_t n;

	if (id.kind == JSONR_STRING)
		return jsonr_add_str(id, out);
	if (!is_integer(id, &n))
		return buf_add_str(out, "?");
	return rounded ? buf_format(out, "%.0f", (double)n)
	    : buf_format(out, "%lld", (long long)n);
}

static bool
is_like_id(struct jsonr a, struct jsonr b, bool rounded)
{
	struct buf x, y;
	bool like;

	buf_init(&x, RPC_ID_MAX);
	buf_init(&y, RPC_ID_MAX);
	like = add_id(a, rounded, &x) == 0 && add_id(b, rounded, &y) == 0 &&
	    bytes_eq(buf_bytes(&x), buf_bytes(&y));
	buf_reset(&x);
	buf_reset(&y);
	return like;
}

/* Whether an answer to a request of a batch can only be an answer to it. */
static bool
has_own_id(const struct hearing *h)
{
	struct jsonr id = h->message.id;
	int64_t n;

	if (h->message.kind != RPC_REQUEST)
		return true;
	return (id.kind == JSONR_STRING || is_integer(id, &n)) &&
	    hearing_find(h, id) == NULL;
}

/* Judges h->message.  Returns true if that is done, false if it goes on later
 * or h is at its end. */
static bool
judge(struct hearing *h)
{
	struct policy_verdict v;
	struct error e;

	if (!check_message(h))
		return false;
	h->question = (struct policy_question){.direction = POLICY_REQUEST,
	    .route = h->route, .host = bytes_cstr(h->host),
	    .session = h->session, .agent = h->who.agent,
	    .message = h->message.text};
	buf_clear(&h->text);
	if (policy_look(&h->message, &h->text, &h->question, &e) != 0) {
		refuse(h, 400, h->message.id.text, &e, NULL);
		return false;
	}
	return policy_judge(h->proxy, &h->question, &v, on_verdict, h,
	    &h->asked) != 0 && decide(h, &v);
}

static void
end_batch(struct hearing *h)
{
	if (h->denied) {
		if (buf_add(&h->reply, buf_bytes(&h->answers)) != 0 ||
		    buf_add_str(&h->reply, "]") != 0)
			fail_internal(h);
		else
			reply(h, 200);
	} else if (!h->changed) {
		pass(h, h->body);
	} else if (buf_len(&h->edited) == 0) {
		reply(h, 202);
	} else if (buf_add_str(&h->edited, "]") != 0) {
		fail_internal(h);
	} else {
		pass(h, buf_bytes(&h->edited));
	}
}

static void
end_single(struct hearing *h)
{
	if (h->denied && buf_add(&h->reply, buf_bytes(&h->answers)) != 0)
		fail_internal(h);
	else if (h->denied)
		reply(h, 200);
	else if (!h->changed)
		pass(h, h->body);
	else if (buf_len(&h->edited) == 0)
		reply(h, 202);
	else
		pass(h, buf_bytes(&h->edited));
}

/* Goes on after a message. */
static void
next_message(struct hearing *h)
{
	struct jsonr one;
	struct error e;

	while (h->batch && jsonr_next(&h->left, NULL, &one)) {
		if (++h->count > MESSAGE_BATCH_MAX) {
			refuse_text(h, 400, RPC_INVALID_REQUEST,
			    "too many messages in a batch");
			return;
		}
		if (message_take(one, &h->message, &e) != 0) {
			refuse(h, 400, h->message.id.text, &e, NULL);
			return;
		}
		if (!has_own_id(h)) {
			refuse_text(h, 400, RPC_INVALID_REQUEST, "an id that "
			    "is not the only one like it in its batch");
			return;
		}
		if (!judge(h))
			return;
	}
	if (h->batch && h->count == 0)
		refuse_text(h, 400, RPC_INVALID_REQUEST, "an empty batch");
	else if (h->batch)
		end_batch(h);
	else
		end_single(h);
}

void
hearing_run(struct hearing *h, struct bytes body, void (*done)(void *user),
    void *user)
{
	struct jsonr v;
	struct error e;

	h->done = done;
	h->user = user;
	h->body = body;
	h->heard = true;
	if (!h->has_body_type) {
		refuse_text(h, 415, RPC_INVALID_REQUEST,
		    "Content-Type: not application/json");
		return;
	}
	if (message_parse(body, &h->message, &e) != 0) {
		refuse(h, 400, h->message.id.text, &e, NULL);
		return;
	}
	v = (struct jsonr){h->message.kind == RPC_BATCH ? JSONR_ARRAY
	    : JSONR_OBJECT, h->message.text};
	if (strict_check(v, &e) != 0) {
		e.code = e.code == ENOMEM ? RPC_INTERNAL_ERROR
		    : RPC_INVALID_REQUEST;
		refuse(h, 400, bytes_of(NULL, 0), &e, NULL);
	} else if (!is_known(h->mirror.version)) {
		refuse_version(h);
	} else if (h->message.kind == RPC_BATCH) {
		h->batch = true;
		jsonr_iter_init(&h->left, v);
		next_message(h);
	} else if (judge(h)) {
		next_message(h);
	}
}

/* ---- for the answers ---- */

const struct hearing_call *
hearing_find(const struct hearing *h, struct jsonr id)
{
	struct jsonr one = {JSONR_STRING, {NULL, 0}};

	if (!rpc_is_id(id))
		return NULL;
	for (const struct hearing_call *c = h->calls; c != NULL; c = c->next) {
		one.text = c->id;
		one.kind = c->id.ptr[0] == '"' ? JSONR_STRING : JSONR_NUMBER;
		if (is_like_id(one, id, false) || is_like_id(one, id, true))
			return c;
	}
	return NULL;
}

struct hearing_call *
hearing_take(struct hearing *h, struct jsonr id)
{
	const struct hearing_call *found = hearing_find(h, id);
	struct hearing_call **at = &h->calls, *c;

	while (*at != found)
		at = &(*at)->next;
	c = *at;
	if (c != NULL)
		*at = c->next;
	return c;
}
