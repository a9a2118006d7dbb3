/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/rpc.h"

void
rpc_reader_init(struct rpc_reader *r)
{
	*r = (struct rpc_reader){.looked = 0};
	buf_init(&r->in, 2 * RPC_LINE_MAX);
}

void
rpc_reader_done(struct rpc_reader *r)
{
	buf_reset(&r->in);
}

int
rpc_reader_add(struct rpc_reader *r, struct bytes in)
{
	return buf_add(&r->in, in);
}

int
rpc_reader_next(struct rpc_reader *r, struct bytes *ret)
{
	struct bytes b = buf_bytes(&r->in), rest;
	const uint8_t *end;
	size_t len;

	for (;;) {
		rest = bytes_after(b, r->looked);
		end = rest.len == 0 ? NULL : memchr(rest.ptr, '\n', rest.len);
		len = end == NULL ? b.len : (size_t)(end - b.ptr);
		if (end == NULL && len <= RPC_LINE_MAX && !r->skipping) {
			r->looked = len;
			if (len == 0)
				buf_reset(&r->in);
			return 0;
		}
		r->looked = 0;
		buf_drop(&r->in, end == NULL ? len : len + 1);
		if (r->skipping) {
			r->skipping = end == NULL;
			b = buf_bytes(&r->in);
			if (end == NULL)
				return 0;
			continue;
		}
		if (len > RPC_LINE_MAX) {
			r->skipping = end == NULL;
			return -1;
		}
		*ret = bytes_of(b.ptr, len != 0 && b.ptr[len - 1] == '\r' ?
		    len - 1 : len);
		return 1;
	}
}

static int
fail(struct error *e, enum rpc_code code, const char *text)
{
	error_set(e, "%s", text);
	e->code = code;
	return -1;
}

bool
rpc_is_id(struct jsonr v)
{
	return (v.kind == JSONR_STRING || v.kind == JSONR_NUMBER) &&
	    v.text.len <= RPC_ID_MAX;
}

/* Finds a member; one that is given twice is an invalid request. */
static int
get(struct jsonr o, const char *key, struct jsonr *ret, struct error *e)
{
	int r = jsonr_get(o, key, ret, e);

	e->code = RPC_INVALID_REQUEST;
	return r == -1 ? -1 : 0;
}

static int
take_kind(struct jsonr message, struct jsonr method, struct rpc *ret,
    struct error *e)
{
	struct jsonr result, error;

	if (method.kind != JSONR_ABSENT) {
		ret->kind = ret->id.kind == JSONR_ABSENT ? RPC_NOTIFICATION :
		    RPC_REQUEST;
		return 0;
	}
	if (get(message, "result", &result, e) != 0 ||
	    get(message, "error", &error, e) != 0)
		return -1;
	if (result.kind == JSONR_ABSENT && error.kind == JSONR_ABSENT)
		return fail(e, RPC_INVALID_REQUEST, "no method");
	ret->kind = RPC_RESPONSE;
	return 0;
}

int
rpc_parse(struct bytes line, struct rpc *ret, struct error *e)
{
	struct jsonr message, version, method, id;
	struct error ignored;

	*ret = (struct rpc){.kind = RPC_REQUEST};
	if (jsonr_parse(line, &message, e) != 0) {
		e->code = RPC_PARSE_ERROR;
		return -1;
	}
	if (message.kind != JSONR_OBJECT)
		return fail(e, RPC_INVALID_REQUEST, message.kind ==
		    JSONR_ARRAY ? "batches are not supported" :
		    "a message is an object");
	if (get(message, "id", &id, e) != 0)
		return -1;
	if (id.kind != JSONR_ABSENT && !rpc_is_id(id))
		return fail(e, RPC_INVALID_REQUEST, "id: no string or "
		    "number, or too long");
	ret->id = id;
	if (get(message, "jsonrpc", &version, e) != 0 ||
	    get(message, "method", &method, e) != 0 ||
	    get(message, "params", &ret->params, e) != 0)
		return -1;
	if (!jsonr_eq_str(version, "2.0"))
		return fail(e, RPC_INVALID_REQUEST, "jsonrpc: not \"2.0\"");
	if (method.kind != JSONR_ABSENT && method.kind != JSONR_STRING)
		return fail(e, RPC_INVALID_REQUEST, "method: no string");
	if (take_kind(message, method, ret, e) != 0)
		return -1;
	if (ret->kind != RPC_RESPONSE && ret->params.kind != JSONR_ABSENT &&
	    ret->params.kind != JSONR_OBJECT)
		return fail(e, RPC_INVALID_REQUEST, "params: no object");
	jsonr_get_str(message, "method", ret->method, sizeof ret->method,
	    &ignored);
	return 0;
}

static bool
eq_text(struct jsonr a, struct jsonr b)
{
	struct buf x, y;
	bool eq;

	buf_init(&x, RPC_ID_MAX);
	buf_init(&y, RPC_ID_MAX);
	eq = jsonr_add_str(a, &x) == 0 && jsonr_add_str(b, &y) == 0 &&
	    bytes_eq(buf_bytes(&x), buf_bytes(&y));
	buf_reset(&x);
	buf_reset(&y);
	return eq;
}

bool
rpc_id_eq(struct jsonr a, struct jsonr b)
{
	int64_t x, y;

	if (a.kind != b.kind)
		return false;
	if (bytes_eq(a.text, b.text))
		return true;
	if (a.kind == JSONR_STRING)
		return eq_text(a, b);
	return jsonr_int(a, INT64_MIN, INT64_MAX, &x) == 0 &&
	    jsonr_int(b, INT64_MIN, INT64_MAX, &y) == 0 && x == y;
}
