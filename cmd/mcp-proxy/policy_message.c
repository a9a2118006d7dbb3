/* SPDX-License-Identifier: ISC */
/* What a policy has to know of messages, and how it refuses them.  Pure. */
#include "cmd/mcp-proxy/message.h"
#include "cmd/mcp-proxy/policy.h"
#include "cmd/mcp-proxy/strict.h"
#include "common/jsonw.h"
#include "common/str.h"

const struct policy_list policy_lists[POLICY_LISTS] = {
	{"tools/list", "tools", "tools/call", "name", POLICY_TOOL},
	{"prompts/list", "prompts", "prompts/get", "name", POLICY_PROMPT},
	{"resources/list", "resources", "resources/read", "uri",
	    POLICY_RESOURCE},
	{"resources/templates/list", "resourceTemplates", "resources/read",
	    "uriTemplate", POLICY_RESOURCE},
};

const struct policy_list *
policy_list(struct bytes method)
{
	for (size_t i = 0; i < POLICY_LISTS; i++) {
		if (bytes_eq(method, bytes_cstr(policy_lists[i].method)))
			return &policy_lists[i];
	}
	return NULL;
}

/* ---- what it is about ---- */

static int
fail(struct error *e, const char *text)
{
	error_set(e, "%s", text);
	e->code = RPC_INVALID_PARAMS;
	return -1;
}

/* What the argument that is to be completed belongs to. */
static int
look_at_ref(const struct rpc *m, enum policy_kind *ret_kind,
    struct jsonr *ret_name, struct error *e)
{
	struct jsonr ref, type, name, uri;

	if (strict_get(m->params, "ref", &ref, e) != 1 ||
	    strict_get(ref, "type", &type, e) != 1 ||
	    strict_get(ref, "name", &name, e) < 0 ||
	    strict_get(ref, "uri", &uri, e) < 0)
		return fail(e, "params.ref: missing, or a member of it is not "
		    "given once");
	if (jsonr_eq_str(type, "ref/prompt")) {
		*ret_kind = POLICY_PROMPT;
		*ret_name = name;
	} else if (jsonr_eq_str(type, "ref/resource")) {
		*ret_kind = POLICY_RESOURCE;
		*ret_name = uri;
	} else {
		return fail(e, "params.ref.type: not known");
	}
	return 0;
}

static int
look_at_name(const struct rpc *m, enum policy_kind *ret_kind,
    struct jsonr *ret_name, struct error *e)
{
	static const struct {
		const char *method;
		enum policy_kind kind;
	} calls[] = {
		{"tools/call", POLICY_TOOL}, {"prompts/get", POLICY_PROMPT},
		{"resources/read", POLICY_RESOURCE},
		{"resources/subscribe", POLICY_RESOURCE},
		{"resources/unsubscribe", POLICY_RESOURCE},
		{"notifications/resources/updated", POLICY_RESOURCE},
	};

	*ret_kind = POLICY_OTHER;
	*ret_name = (struct jsonr){JSONR_ABSENT, {NULL, 0}};
	if (rpc_is(m, "completion/complete"))
		return look_at_ref(m, ret_kind, ret_name, e);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (!rpc_is(m, calls[i].method))
			continue;
		*ret_kind = calls[i].kind;
		*ret_name = *ret_kind == POLICY_RESOURCE ? m->uri : m->name;
	}
	return 0;
}

/* The methods that are judged by more than their names. */
static const char *const known_methods[] = {
	"tools/call", "tools/list", "prompts/get", "prompts/list",
	"resources/read", "resources/list", "resources/templates/list",
	"resources/subscribe", "resources/unsubscribe", "completion/complete",
	"subscriptions/listen",
};

/* What is judged of it besides: that there is one of each. */
static int
check_subscriptions(const struct rpc *m, struct error *e)
{
	struct jsonr wanted, uris;

	if (strict_get(m->params, "notifications", &wanted, e) < 0 ||
	    strict_get(wanted, "resourceSubscriptions", &uris, e) < 0)
		return fail(e, "params.notifications: a member that could be "
		    "taken for another");
	return 0;
}

static int
check_method(struct bytes method, struct error *e)
{
	bool like = !strict_is_clear(method);

	for (size_t i = 0; i < sizeof known_methods / sizeof *known_methods;
	    i++)
		like = like || strict_is_like(method, known_methods[i]);
	return like ? fail(e, "method: could be taken for another") : 0;
}

int
policy_look(const struct rpc *m, struct buf *text, struct policy_question *q,
    struct error *e)
{
	size_t start = buf_len(text), middle;
	enum policy_kind kind;
	struct jsonr name;
	struct bytes all;

	if (look_at_name(m, &kind, &name, e) != 0)
		return -1;
	if (name.kind != JSONR_ABSENT && name.kind != JSONR_STRING)
		return fail(e, "params: a name or uri that is no string");
	if (m->method.kind == JSONR_STRING &&
	    jsonr_add_str(m->method, text) != 0)
		return fail(e, "method: too long");
	middle = buf_len(text);
	if (name.kind != JSONR_ABSENT && jsonr_add_str(name, text) != 0)
		return fail(e, "params: a name or uri that is too long");
	all = bytes_after(buf_bytes(text), start);
	q->kind = kind;
	q->method = m->method.kind != JSONR_STRING ? bytes_of(NULL, 0)
	    : bytes_of(all.ptr == NULL ? (const uint8_t *)"" : all.ptr,
	    middle - start);
	q->name = name.kind == JSONR_ABSENT ? bytes_of(NULL, 0)
	    : bytes_of(all.ptr == NULL ? (const uint8_t *)""
	    : all.ptr + (middle - start), all.len - (middle - start));
	if (check_method(q->method, e) != 0 ||
	    (rpc_is(m, "subscriptions/listen") &&
	    check_subscriptions(m, e) != 0))
		return -1;
	return strict_is_clear(q->name) ? 0
	    : fail(e, "params: a name or uri that could be taken for another");
}

/* ---- how it refuses ---- */

static int
write_result(struct buf *out, struct bytes id, bool modern, struct bytes text)
{
	struct jsonw w;

	if (buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":") != 0 ||
	    buf_add(out, id) != 0 ||
	    buf_add_str(out, ",\"result\":") != 0)
		return -1;
	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	if (modern)
		jsonw_key_str(&w, "resultType", "complete");
	jsonw_key(&w, "content");
	jsonw_open(&w, '[');
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", "text");
	jsonw_key(&w, "text");
	jsonw_bytes(&w, text);
	jsonw_close(&w, '}');
	jsonw_close(&w, ']');
	jsonw_key(&w, "isError");
	jsonw_bool(&w, true);
	jsonw_close(&w, '}');
	return jsonw_ok(&w) ? buf_add_str(out, "}") : -1;
}

int
policy_write_denial(struct buf *out, struct bytes id, struct bytes method,
    bool modern, struct bytes text)
{
	char message[POLICY_TEXT_MAX + 1];

	if (bytes_eq(method, bytes_cstr("tools/call")))
		return write_result(out, id, modern, text);
	if (str_from_bytes(message, sizeof message, text) != 0)
		str_format(message, sizeof message, "denied");
	return message_write_error(out, id, POLICY_CODE, message,
	    "{\"code\":\"denied\",\"blame\":\"policy\"}");
}
