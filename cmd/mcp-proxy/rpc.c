/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/rpc.h"

#include "common/field.h"
#include "common/jsonw.h"

#define META "io.modelcontextprotocol/"

enum {
	PARSE_ERROR = -32700,
	INVALID_REQUEST = -32600,
};

/* A member that is looked for, and where it goes. */
struct want {
	const char *key;
	struct jsonr *ret;
};

static int
fail(struct error *e, int code, const char *text)
{
	e->code = code;
	return error_set(e, "%s", text);
}

/* Finds members of an object.  One that is given twice could be understood in
 * two ways, so it is an error. */
static int
find(struct jsonr object, const struct want *wants, size_t count,
    struct error *e)
{
	struct jsonr_iter i;
	struct jsonr key, value;

	if (object.kind != JSONR_OBJECT)
		return 0;
	jsonr_iter_init(&i, object);
	while (jsonr_next(&i, &key, &value)) {
		const struct want *w = wants, *end = wants + count;

		while (w < end && !jsonr_eq_str(key, w->key))
			w++;
		if (w == end)
			continue;
		if (w->ret->kind != JSONR_ABSENT) {
			e->code = INVALID_REQUEST;
			return error_set(e, "%s: given twice", w->key);
		}
		*w->ret = value;
	}
	return 0;
}

#define FIND(object, wants, e) \
	find(object, wants, sizeof (wants) / sizeof *(wants), e)

static int
take_meta(struct jsonr meta, struct rpc *ret, struct error *e)
{
	struct jsonr token = {JSONR_ABSENT, {NULL, 0}};
	const struct want wants[] = {
		{"progressToken", &token},
		{META "protocolVersion", &ret->version},
		{META "clientCapabilities", &ret->capabilities},
		{META "subscriptionId", &ret->subscription},
	};

	if (FIND(meta, wants, e) != 0)
		return -1;
	if (ret->kind == RPC_REQUEST)
		ret->token = token;
	return 0;
}

static int
take_params(struct rpc *ret, struct error *e)
{
	struct jsonr meta = {JSONR_ABSENT, {NULL, 0}};
	struct jsonr token = {JSONR_ABSENT, {NULL, 0}};
	const struct want wants[] = {
		{"_meta", &meta}, {"name", &ret->name}, {"uri", &ret->uri},
		{"requestId", &ret->request_id}, {"progressToken", &token},
		{"protocolVersion", &ret->asked},
	};

	if (FIND(ret->params, wants, e) != 0)
		return -1;
	if (ret->kind == RPC_NOTIFICATION)
		ret->token = token;
	return take_meta(meta, ret, e);
}

static int
take_result(struct rpc *ret, struct error *e)
{
	struct jsonr meta = {JSONR_ABSENT, {NULL, 0}};
	const struct want wants[] = {{"_meta", &meta}};

	return FIND(ret->result, wants, e) != 0 ? -1
	    : take_meta(meta, ret, e);
}

/* Whether v can be an id or a token. */
static bool
is_id(struct jsonr v)
{
	return (v.kind == JSONR_STRING || v.kind == JSONR_NUMBER) &&
	    v.text.len <= RPC_ID_MAX;
}

static int
check_shape(struct rpc *ret, struct error *e)
{
	bool has_id = ret->id.kind != JSONR_ABSENT;

	if (ret->method.kind == JSONR_STRING) {
		ret->kind = has_id ? RPC_REQUEST : RPC_NOTIFICATION;
		if (ret->result.kind != JSONR_ABSENT ||
		    ret->error.kind != JSONR_ABSENT)
			return fail(e, INVALID_REQUEST,
			    "method, and result or error");
		if (ret->params.kind != JSONR_ABSENT &&
		    ret->params.kind != JSONR_OBJECT)
			return fail(e, INVALID_REQUEST, "params: no object");
	} else {
		ret->kind = RPC_RESPONSE;
		if (ret->method.kind != JSONR_ABSENT || !has_id ||
		    (ret->result.kind == JSONR_ABSENT) ==
		    (ret->error.kind == JSONR_ABSENT))
			return fail(e, INVALID_REQUEST, "neither a request, "
			    "a notification nor a response");
	}
	/* Who could not read an id answers it with null. */
	if (has_id && !is_id(ret->id) && (ret->kind != RPC_RESPONSE ||
	    ret->id.kind != JSONR_NULL)) {
		ret->id = (struct jsonr){JSONR_ABSENT, {NULL, 0}};
		return fail(e, INVALID_REQUEST,
		    "id: neither a string nor a number, or too long");
	}
	return 0;
}

int
rpc_take(struct jsonr v, struct rpc *ret, struct error *e)
{
	struct jsonr version = {JSONR_ABSENT, {NULL, 0}};
	const struct want wants[] = {
		{"jsonrpc", &version}, {"id", &ret->id},
		{"method", &ret->method}, {"params", &ret->params},
		{"result", &ret->result}, {"error", &ret->error},
	};

	memset(ret, 0, sizeof *ret);
	ret->text = v.text;
	if (v.kind != JSONR_OBJECT)
		return fail(e, INVALID_REQUEST, "no object");
	if (FIND(v, wants, e) != 0) {
		memset(&ret->id, 0, sizeof ret->id);
		return -1;
	}
	if (!jsonr_eq_str(version, "2.0"))
		return fail(e, INVALID_REQUEST, "jsonrpc: not \"2.0\"");
	if (check_shape(ret, e) != 0)
		return -1;
	if ((ret->kind == RPC_RESPONSE ? take_result(ret, e)
	    : take_params(ret, e)) != 0)
		return -1;
	if (ret->token.kind != JSONR_ABSENT && !is_id(ret->token))
		return fail(e, INVALID_REQUEST, "progressToken: neither "
		    "a string nor a number, or too long");
	return 0;
}

int
rpc_parse(struct bytes in, struct rpc *ret, struct error *e)
{
	struct jsonr v;

	memset(ret, 0, sizeof *ret);
	if (jsonr_parse(in, &v, e) != 0) {
		e->code = PARSE_ERROR;
		return -1;
	}
	if (v.kind == JSONR_ARRAY) {
		ret->kind = RPC_BATCH;
		ret->text = v.text;
		return 0;
	}
	return rpc_take(v, ret, e);
}

bool
rpc_is(const struct rpc *m, const char *method)
{
	return jsonr_eq_str(m->method, method);
}

bool
rpc_has_str(struct jsonr array, const char *text)
{
	struct jsonr_iter i;
	struct jsonr v;

	jsonr_iter_init(&i, array);
	while (jsonr_next(&i, NULL, &v)) {
		if (jsonr_eq_str(v, text))
			return true;
	}
	return false;
}

int64_t
rpc_error_code(const struct rpc *m)
{
	struct jsonr code;
	struct error e;
	int64_t n = 0;

	if (jsonr_get(m->error, "code", &code, &e) != 1 ||
	    jsonr_int(code, INT32_MIN, INT32_MAX, &n) != 0)
		return 0;
	return n;
}

/* ---- writing ---- */

/* Appends bytes of a message.  A line break can only be white space in it. */
static int
add_line(struct buf *out, struct bytes in)
{
	uint8_t *at;

	if (in.len == 0)
		return 0;
	at = buf_reserve(out, in.len);
	if (at == NULL)
		return -1;
	memcpy(at, in.ptr, in.len);
	if (memchr(at, '\n', in.len) != NULL ||
	    memchr(at, '\r', in.len) != NULL) {
		for (size_t i = 0; i < in.len; i++) {
			if (at[i] == '\n' || at[i] == '\r')
				at[i] = ' ';
		}
	}
	buf_commit(out, in.len);
	return 0;
}

static void
sort_edits(struct rpc_edit *edits, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j > 0 &&
		    edits[j].old.ptr < edits[j - 1].old.ptr; j--) {
			struct rpc_edit swap = edits[j];

			edits[j] = edits[j - 1];
			edits[j - 1] = swap;
		}
	}
}

size_t
rpc_written_len(struct bytes text, const struct rpc_edit *edits, size_t count)
{
	size_t len = text.len;

	for (size_t i = 0; i < count; i++)
		len = len - edits[i].old.len + edits[i].put.len;
	return len;
}

int
rpc_write(struct buf *out, struct bytes text, struct rpc_edit *edits,
    size_t count)
{
	size_t at = 0;

	sort_edits(edits, count);
	/* Room for all of it, so that nothing below can fail. */
	if (buf_reserve(out, rpc_written_len(text, edits, count)) == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t start = (size_t)(edits[i].old.ptr - text.ptr);

		if (add_line(out, bytes_of(text.ptr + at, start - at)) != 0 ||
		    add_line(out, edits[i].put) != 0)
			return -1;
		at = start + edits[i].old.len;
	}
	return add_line(out, bytes_after(text, at));
}

int
rpc_number(struct jsonr v, uint32_t *ret)
{
	struct bytes digits = v.text;
	uint64_t n;

	if (v.kind == JSONR_STRING)
		digits = bytes_of(digits.ptr + 1, digits.len - 2);
	else if (v.kind != JSONR_NUMBER)
		return -1;
	if (digits.len == 0 || digits.ptr[0] == '0' ||
	    field_parse_number(digits, UINT32_MAX, &n) != 0)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

/* Whether text has the form of a revision, a date. */
static bool
is_revision(struct bytes text)
{
	if (text.len != RPC_VERSION_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';

		if (i == 4 || i == 7 ? text.ptr[i] != '-' : !digit)
			return false;
	}
	return true;
}

bool
rpc_is_legacy(struct bytes text)
{
	static const char *const known[] = {
		"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (bytes_eq(text, bytes_cstr(known[i])))
			return true;
	}
	return false;
}

bool
rpc_is_modern(struct bytes text)
{
	return is_revision(text) &&
	    memcmp(text.ptr, "2026-07-28", RPC_VERSION_LEN) >= 0;
}

int
rpc_write_error(struct buf *out, struct bytes id, int code,
    const char *message, const char *data)
{
	struct jsonw w;

	if (buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":") != 0 ||
	    buf_add(out, id.len == 0 ? bytes_cstr("null") : id) != 0 ||
	    buf_format(out, ",\"error\":{\"code\":%d,\"message\":", code) != 0)
		return -1;
	jsonw_init(&w, out);
	jsonw_bytes(&w, bytes_cstr(message));
	if (!jsonw_ok(&w))
		return -1;
	if (data != NULL && (buf_add_str(out, ",\"data\":") != 0 ||
	    buf_add_str(out, data) != 0))
		return -1;
	return buf_add_str(out, "}}");
}

/* ---- headers ---- */

int
rpc_parse_event_id(struct bytes in, struct rpc_event_id *ret)
{
	const uint8_t *dash = in.len == 0 ? NULL
	    : memchr(in.ptr, '-', in.len);
	struct rpc_event_id id;
	uint64_t stream;

	if (dash == NULL || (in.ptr[0] != 'g' && in.ptr[0] != 'p'))
		return -1;
	id.kind = (char)in.ptr[0];
	if (field_parse_number(bytes_of(in.ptr + 1,
	    (size_t)(dash - in.ptr) - 1), UINT32_MAX, &stream) != 0 ||
	    field_parse_number(bytes_after(in, (size_t)(dash - in.ptr) + 1),
	    UINT64_MAX, &id.number) != 0)
		return -1;
	id.stream = (uint32_t)stream;
	*ret = id;
	return 0;
}

int
rpc_write_event_id(struct buf *out, const struct rpc_event_id *id)
{
	return buf_format(out, "%c%u-%llu", id->kind, id->stream,
	    (unsigned long long)id->number);
}

static int
base64_value(uint8_t c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

/* RFC 4648 section 4, with its padding. */
static int
decode_base64(struct bytes in, struct buf *out)
{
	size_t pad = 0;

	if (in.len % 4 != 0)
		return -1;
	while (pad < 2 && pad < in.len && in.ptr[in.len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < in.len; i += 4) {
		size_t left = in.len - pad - i;
		uint32_t group = 0;
		uint8_t bytes[3];

		for (size_t j = 0; j < 4; j++) {
			int v = j < left ? base64_value(in.ptr[i + j]) : 0;

			if (v < 0)
				return -1;
			group = group << 6 | (uint32_t)v;
		}
		bytes[0] = (uint8_t)(group >> 16);
		bytes[1] = (uint8_t)(group >> 8);
		bytes[2] = (uint8_t)group;
		if (buf_add(out, bytes_of(bytes,
		    left >= 4 ? 3 : left - 1)) != 0)
			return -1;
	}
	return 0;
}

int
rpc_decode_header(struct bytes value, struct buf *out)
{
	struct bytes mark = bytes_cstr("=?base64?");

	if (value.len >= mark.len + 2 &&
	    bytes_eq(bytes_of(value.ptr, mark.len), mark) &&
	    bytes_eq(bytes_after(value, value.len - 2), bytes_cstr("?=")))
		return decode_base64(bytes_of(value.ptr + mark.len,
		    value.len - mark.len - 2), out);
	return buf_add(out, value);
}
