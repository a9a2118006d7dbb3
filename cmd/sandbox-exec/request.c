/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/request.h"

#include "common/frame.h"
#include "common/jsonr.h"

enum { TIME_MAX_MS = 24 * 3600 * 1000 };

static int
get_policy(struct jsonr object, struct request *r, struct error *e)
{
	struct jsonr v;
	int found = jsonr_get(object, "policy", &v, e);

	if (found < 0)
		return -1;
	if (found == 0 || v.kind == JSONR_NULL)
		return 0;
	if (v.kind != JSONR_OBJECT)
		return error_set(e, "policy: not an object");
	r->policy = v.text;
	return 0;
}

static int
get_session(struct jsonr object, bool needed, struct request *r,
    struct error *e)
{
	int64_t id = 0;
	int found = jsonr_get_int(object, "session", 1, UINT32_MAX, &id, e);

	if (found < 0)
		return -1;
	if (found == 0 && needed)
		return error_set(e, "session: missing");
	r->session = (uint32_t)id;
	return 0;
}

static int
parse_tool(struct jsonr object, struct request *r, struct error *e)
{
	int found;

	if (get_session(object, true, r, e) != 0)
		return -1;
	found = jsonr_get_str(object, "tool", r->tool, sizeof r->tool, e);
	if (found < 0)
		return -1;
	if (found == 0)
		return error_set(e, "tool: missing");
	return jsonr_get_bool(object, "live", &r->live, e) < 0 ? -1 : 0;
}

static int
add_word(struct request *r, struct jsonr v, struct error *e)
{
	struct bytes all;
	size_t before = buf_len(&r->words);

	if (v.kind != JSONR_STRING)
		return error_set(e, "argv: not a list of strings");
	if (jsonr_add_str(v, &r->words) != 0 ||
	    buf_add(&r->words, bytes_of("", 1)) != 0)
		return error_set(e, "argv: too long");
	all = buf_bytes(&r->words);
	if (memchr(all.ptr + before, 0, all.len - before - 1) != NULL)
		return error_set(e, "argv: a NUL in a string");
	return 0;
}

static int
get_argv(struct jsonr object, struct request *r, struct error *e)
{
	struct jsonr list, v;
	struct jsonr_iter i;
	size_t count = 0;
	char *at;
	int found = jsonr_get(object, "argv", &list, e);

	if (found < 0)
		return -1;
	if (list.kind != JSONR_ARRAY)
		return error_set(e, "argv: not a list of strings");
	jsonr_iter_init(&i, list);
	for (; jsonr_next(&i, NULL, &v); count++) {
		if (count == REQUEST_WORDS_MAX)
			return error_set(e, "argv: more than %d strings",
			    REQUEST_WORDS_MAX);
		if (add_word(r, v, e) != 0)
			return -1;
	}
	if (count == 0 || buf_bytes(&r->words).ptr[0] == '\0')
		return error_set(e, "argv: no command");
	at = (char *)(uintptr_t)buf_bytes(&r->words).ptr;
	for (size_t n = 0; n < count; n++, at += strlen(at) + 1)
		r->argv[n] = at;
	r->argv[count] = NULL;
	return 0;
}

static int
parse_exec(struct jsonr object, struct request *r, struct error *e)
{
	r->has_stdin = true;
	if (get_session(object, false, r, e) != 0 ||
	    get_policy(object, r, e) != 0 ||
	    jsonr_get_bool(object, "stdin", &r->has_stdin, e) < 0 ||
	    jsonr_get_int(object, "time_ms", 1, TIME_MAX_MS, &r->time_ms,
	    e) < 0)
		return -1;
	if (r->session != 0 && r->policy.len != 0)
		return error_set(e, "policy: the session has one");
	return get_argv(object, r, e);
}

static int
parse_kind(struct jsonr object, struct request *r, struct error *e)
{
	struct jsonr kind;

	if (jsonr_get(object, "kind", &kind, e) < 0)
		return -1;
	if (jsonr_eq_str(kind, "session")) {
		r->kind = REQUEST_SESSION;
		return get_policy(object, r, e);
	}
	if (jsonr_eq_str(kind, "tool")) {
		r->kind = REQUEST_TOOL;
		return parse_tool(object, r, e);
	}
	if (jsonr_eq_str(kind, "exec")) {
		r->kind = REQUEST_EXEC;
		return parse_exec(object, r, e);
	}
	return error_set(e, "kind: not session, tool or exec");
}

int
request_parse(struct bytes json, struct request *ret, struct error *e)
{
	struct jsonr object;

	memset(ret, 0, sizeof *ret);
	buf_init(&ret->words, FRAME_HELLO_MAX);
	e->code = FRAME_PROTOCOL;
	if (jsonr_parse_object(json, &object, e) == 0 &&
	    parse_kind(object, ret, e) == 0)
		return 0;
	request_done(ret);
	return -1;
}

void
request_done(struct request *r)
{
	buf_reset(&r->words);
}
