/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/verdict.h"

#include "cmd/mcp-proxy/message.h"
#include "common/jsonw.h"
#include "common/utf8.h"

#define DENIED "The policy of this server does not allow this."

/* The largest whole number that a double and all below it hold. */
#define EXACT_MAX ((INT64_C(1) << 53) - 1)

/* ---- asking ---- */

static void
write_text(struct jsonw *w, const char *key, struct bytes text)
{
	jsonw_key(w, key);
	if (text.ptr == NULL)
		jsonw_null(w);
	else
		jsonw_bytes(w, text);
}

static const char *
direction_name(enum policy_direction d)
{
	return d == POLICY_REQUEST ? "request" : d == POLICY_ANSWER ? "answer"
	    : "list";
}

int
verdict_ask(struct buf *out, const struct policy_question *q, size_t *ret_at)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "direction", direction_name(q->direction));
	jsonw_key_str(&w, "route", q->route->name);
	write_text(&w, "host", q->host);
	write_text(&w, "method", q->method);
	write_text(&w, q->kind == POLICY_RESOURCE ? "uri" : "name", q->name);
	write_text(&w, "session", q->session[0] == '\0' ? bytes_of(NULL, 0)
	    : bytes_cstr(q->session));
	write_text(&w, "agent", q->agent == NULL ? bytes_of(NULL, 0)
	    : bytes_cstr(q->agent));
	if (q->entry.len != 0) {
		jsonw_key(&w, "entry");
		w.failed = w.failed || buf_add(out, q->entry) != 0;
	}
	jsonw_key(&w, "message");
	*ret_at = buf_len(out);
	w.failed = w.failed || buf_add(out, q->message) != 0;
	if (!jsonw_ok(&w))
		return -1;
	return buf_add_str(out, "}"); /* jsonw would look at the message */
}

/* ---- texts ---- */

/* How much of a text fits, without half a character. */
static size_t
fit(struct bytes text, size_t max)
{
	size_t n = 0;

	while (n < text.len) {
		size_t len = utf8_len(text.ptr + n, text.len - n);

		if (len == 0 || n + len > max)
			break;
		n += len;
	}
	return n;
}

/* Takes a string, cut to max bytes.  NUL would end it elsewhere. */
static int
take_text(struct jsonr v, size_t max, struct buf *mem, struct bytes *ret,
    struct error *e)
{
	struct buf text;
	size_t n;
	int r = -1;

	buf_init(&text, v.text.len + 8);
	if (jsonr_add_str(v, &text) != 0) {
		error_set(e, "out of memory");
		goto out;
	}
	n = fit(buf_bytes(&text), max);
	if (n == 0 || memchr(buf_bytes(&text).ptr, '\0', n) != NULL) {
		error_set(e, "a text that is empty or has a NUL");
		goto out;
	}
	if (buf_add(mem, bytes_of(buf_bytes(&text).ptr, n)) != 0) {
		error_set(e, "out of memory");
		goto out;
	}
	*ret = bytes_of(NULL, n); /* it is known where mem ends up later */
	r = 0;
out:
	buf_reset(&text);
	return r;
}

/* ---- a message in place of another ---- */

static bool
is_same_id(struct jsonr was, struct jsonr is)
{
	int64_t n;

	if (rpc_id_eq(was, is))
		return true;
	/* jq has rounded it; the bytes that it had are put back. */
	return was.kind == JSONR_NUMBER && is.kind == JSONR_NUMBER &&
	    jsonr_int(was, -EXACT_MAX, EXACT_MAX, &n) != 0;
}

/* Whether both are absent, or the same string. */
static bool
is_same_text(struct jsonr a, struct jsonr b)
{
	struct buf x, y;
	bool same;

	if (a.kind != JSONR_STRING || b.kind != JSONR_STRING)
		return a.kind == b.kind;
	buf_init(&x, a.text.len + 8);
	buf_init(&y, b.text.len + 8);
	same = jsonr_add_str(a, &x) == 0 && jsonr_add_str(b, &y) == 0 &&
	    bytes_eq(buf_bytes(&x), buf_bytes(&y));
	buf_reset(&x);
	buf_reset(&y);
	return same;
}

static int
check_message(const struct rpc *was, const struct rpc *is, struct error *e)
{
	if (is->kind != was->kind)
		return error_set(e, "message: of another kind");
	if (was->id.kind != JSONR_ABSENT && !is_same_id(was->id, is->id))
		return error_set(e, "message: another id");
	if (!is_same_text(was->method, is->method))
		return error_set(e, "message: another method");
	if (!is_same_text(was->name, is->name) ||
	    !is_same_text(was->uri, is->uri))
		return error_set(e, "message: another name or uri");
	return 0;
}

static int
take_message(struct jsonr v, struct bytes message, struct buf *mem,
    struct policy_verdict *ret, struct error *e)
{
	struct message_edit edit;
	struct rpc was, is;

	if (message_parse(message, &was, e) != 0 || was.kind == RPC_BATCH)
		return error_set(e, "not a message before");
	if (message_take(v, &is, e) != 0)
		return error_prefix(e, "message");
	if (check_message(&was, &is, e) != 0)
		return -1;
	edit = (struct message_edit){is.id.text, was.id.text};
	ret->action = POLICY_REWRITE;
	ret->message.len = message_written_len(is.text, &edit,
	    was.id.kind != JSONR_ABSENT);
	if (message_write(mem, is.text, &edit,
	    was.id.kind != JSONR_ABSENT) != 0)
		return error_set(e, "out of memory");
	return 0;
}

/* ---- answers ---- */

struct answer {
	struct jsonr allow, deny, rule, message;
};

static int
find_members(struct jsonr v, struct answer *ret, struct error *e)
{
	struct jsonr_iter i;
	struct jsonr key, value;

	jsonr_iter_init(&i, v);
	while (jsonr_next(&i, &key, &value)) {
		struct jsonr *at = jsonr_eq_str(key, "allow") ? &ret->allow
		    : jsonr_eq_str(key, "deny") ? &ret->deny
		    : jsonr_eq_str(key, "rule") ? &ret->rule
		    : jsonr_eq_str(key, "message") ? &ret->message : NULL;

		if (at == NULL || at->kind != JSONR_ABSENT)
			return error_set(e, "a member that is not allow, deny, "
			    "rule or message");
		*at = value;
	}
	return 0;
}

static int
take_object(const struct answer *a, struct bytes message, bool list,
    struct buf *mem, struct policy_verdict *ret, struct error *e)
{
	if ((a->allow.kind != JSONR_ABSENT) + (a->deny.kind != JSONR_ABSENT) +
	    (a->message.kind != JSONR_ABSENT) != 1)
		return error_set(e, "not one of allow, deny and message");
	if (a->message.kind != JSONR_ABSENT && list)
		return error_set(e, "a message for an entry of a list");
	if (a->message.kind != JSONR_ABSENT)
		return take_message(a->message, message, mem, ret, e);
	if (a->allow.kind != JSONR_ABSENT) {
		ret->action = POLICY_ALLOW;
		return jsonr_is_true(a->allow) ? 0
		    : error_set(e, "allow: not true");
	}
	ret->action = POLICY_DENY;
	if (a->deny.kind == JSONR_STRING)
		return take_text(a->deny, POLICY_TEXT_MAX, mem, &ret->text, e);
	return jsonr_is_true(a->deny) ? 0
	    : error_set(e, "deny: neither a text nor true");
}

static int
take_value(struct jsonr v, enum policy_direction direction,
    struct bytes message, struct buf *mem, struct policy_verdict *ret,
    struct error *e)
{
	struct answer a = {.rule = {JSONR_ABSENT, {NULL, 0}}};

	if (v.kind == JSONR_BOOL) {
		ret->action = jsonr_is_true(v) ? POLICY_ALLOW : POLICY_DENY;
		return 0;
	}
	ret->action = POLICY_DENY;
	if (v.kind == JSONR_STRING)
		return take_text(v, POLICY_TEXT_MAX, mem, &ret->text, e);
	if (v.kind != JSONR_OBJECT)
		return error_set(e, "it gives neither true, false, a text nor "
		    "an object");
	if (find_members(v, &a, e) != 0)
		return -1;
	if (a.rule.kind != JSONR_ABSENT && (a.rule.kind != JSONR_STRING ||
	    take_text(a.rule, POLICY_RULE_MAX, mem, &ret->rule, e) != 0))
		return error_set(e, "rule: not a text");
	return take_object(&a, message, direction == POLICY_LIST, mem, ret, e);
}

int
verdict_parse(struct bytes answer, enum policy_direction direction,
    struct bytes message, struct buf *mem, struct policy_verdict *ret,
    struct error *e)
{
	struct policy_verdict v = {.action = POLICY_DENY};
	const uint8_t *at;
	struct jsonr value;

	buf_clear(mem);
	if (jsonr_parse(answer, &value, e) != 0 ||
	    take_value(value, direction, message, mem, &v, e) != 0)
		return -1;
	/* They lie in mem one after the other. */
	at = buf_bytes(mem).ptr;
	if (v.rule.len != 0)
		v.rule.ptr = at;
	if (v.text.len != 0)
		v.text.ptr = at + v.rule.len;
	else if (v.action == POLICY_DENY)
		v.text = bytes_cstr(DENIED);
	if (v.message.len != 0)
		v.message.ptr = at + v.rule.len;
	*ret = v;
	return 0;
}
