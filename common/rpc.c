/* SPDX-License-Identifier: ISC */
#include "common/rpc.h"

/* A member that is looked for, and where it goes. */
struct want {
	const char *key;
	struct jsonr *ret;
};

static int
fail(struct error *e, const char *text)
{
	e->code = RPC_INVALID_REQUEST;
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
			e->code = RPC_INVALID_REQUEST;
			return error_set(e, "%s: given twice", w->key);
		}
		*w->ret = value;
	}
	return 0;
}

#define FIND(object, wants, e) \
	find(object, wants, sizeof (wants) / sizeof *(wants), e)

bool
rpc_is_id(struct jsonr v)
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
			return fail(e, "method, and result or error");
		if (ret->params.kind != JSONR_ABSENT &&
		    ret->params.kind != JSONR_OBJECT)
			return fail(e, "params: no object");
	} else {
		ret->kind = RPC_RESPONSE;
		if (ret->method.kind != JSONR_ABSENT || !has_id ||
		    (ret->result.kind == JSONR_ABSENT) ==
		    (ret->error.kind == JSONR_ABSENT))
			return fail(e, "neither a request, a notification nor "
			    "a response");
	}
	/* Who could not read an id answers it with null. */
	if (has_id && !rpc_is_id(ret->id) && (ret->kind != RPC_RESPONSE ||
	    ret->id.kind != JSONR_NULL))
		return fail(e, "id: neither a string nor a number, or too "
		    "long");
	return 0;
}

static int
take_shape(struct jsonr v, struct rpc *ret, struct error *e)
{
	struct jsonr version = {JSONR_ABSENT, {NULL, 0}};
	const struct want wants[] = {
		{"jsonrpc", &version}, {"id", &ret->id},
		{"method", &ret->method}, {"params", &ret->params},
		{"result", &ret->result}, {"error", &ret->error},
	};
	struct error ignored;

	if (v.kind != JSONR_OBJECT)
		return fail(e, "no object");
	if (FIND(v, wants, e) != 0) {
		if (jsonr_get(v, "id", &ret->id, &ignored) != 1)
			ret->id = (struct jsonr){JSONR_ABSENT, {NULL, 0}};
		return -1;
	}
	if (!jsonr_eq_str(version, "2.0"))
		return fail(e, "jsonrpc: not \"2.0\"");
	return check_shape(ret, e);
}

int
rpc_take(struct jsonr v, struct rpc *ret, struct error *e)
{
	*ret = (struct rpc){.text = v.text};
	if (take_shape(v, ret, e) == 0)
		return 0;
	if (!rpc_is_id(ret->id))
		ret->id = (struct jsonr){JSONR_ABSENT, {NULL, 0}};
	return -1;
}

int
rpc_parse(struct bytes in, struct rpc *ret, struct error *e)
{
	struct jsonr v;

	*ret = (struct rpc){.kind = RPC_REQUEST};
	if (jsonr_parse(in, &v, e) != 0) {
		e->code = RPC_PARSE_ERROR;
		return -1;
	}
	if (v.kind != JSONR_ARRAY)
		return rpc_take(v, ret, e);
	ret->kind = RPC_BATCH;
	ret->text = v.text;
	return 0;
}

static int
take_meta(struct rpc *ret, struct error *e)
{
	struct jsonr token = {JSONR_ABSENT, {NULL, 0}};
	const struct want wants[] = {
		{"progressToken", &token},
		{RPC_META "protocolVersion", &ret->version},
		{RPC_META "clientCapabilities", &ret->capabilities},
		{RPC_META "subscriptionId", &ret->subscription},
	};

	if (FIND(ret->meta, wants, e) != 0)
		return -1;
	if (ret->kind == RPC_REQUEST)
		ret->token = token;
	return 0;
}

static int
take_params(struct rpc *ret, struct error *e)
{
	struct jsonr token = {JSONR_ABSENT, {NULL, 0}};
	const struct want wants[] = {
		{"_meta", &ret->meta}, {"name", &ret->name}, {"uri", &ret->uri},
		{"requestId", &ret->request_id}, {"progressToken", &token},
		{"protocolVersion", &ret->asked},
	};

	if (FIND(ret->params, wants, e) != 0)
		return -1;
	if (ret->kind == RPC_NOTIFICATION)
		ret->token = token;
	return take_meta(ret, e);
}

static int
take_result(struct rpc *ret, struct error *e)
{
	const struct want wants[] = {{"_meta", &ret->meta}};

	return FIND(ret->result, wants, e) != 0 ? -1
	    : take_meta(ret, e);
}

int
rpc_look(struct rpc *m, struct error *e)
{
	if ((m->kind == RPC_RESPONSE ? take_result(m, e)
	    : take_params(m, e)) != 0)
		return -1;
	if (m->token.kind != JSONR_ABSENT && !rpc_is_id(m->token))
		return fail(e, "progressToken: neither a string nor a number, "
		    "or too long");
	return 0;
}

bool
rpc_is(const struct rpc *m, const char *method)
{
	return jsonr_eq_str(m->method, method);
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
