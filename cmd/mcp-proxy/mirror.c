/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/mirror.h"

#include "common/field.h"
#include "common/str.h"

void
mirror_init(struct mirror *m)
{
	memset(m, 0, sizeof *m);
	buf_init(&m->method, MIRROR_MAX);
	buf_init(&m->name, MIRROR_MAX);
}

void
mirror_done(struct mirror *m)
{
	buf_reset(&m->method);
	buf_reset(&m->name);
}

static int
take_version(struct mirror *m, struct bytes value, struct error *e)
{
	bool again = m->version[0] != '\0';

	if (str_from_bytes(m->version, sizeof m->version, value) != 0 ||
	    value.len == 0)
		str_format(m->version, sizeof m->version, "?");
	return again ? error_set(e, "MCP-Protocol-Version: more than one") : 1;
}

static int
take_text(bool *has, struct buf *to, struct bytes value, struct error *e)
{
	if (*has)
		return error_set(e, "a header is given twice");
	*has = true;
	return buf_add(to, value) != 0
	    ? error_set(e, "a header is too long") : 1;
}

int
mirror_take(struct mirror *m, struct bytes name, struct bytes value,
    struct error *e)
{
	if (field_eq_str(name, "mcp-protocol-version"))
		return take_version(m, value, e);
	if (field_eq_str(name, "mcp-method"))
		return take_text(&m->has_method, &m->method, value, e);
	if (field_eq_str(name, "mcp-name"))
		return take_text(&m->has_name, &m->name, value, e);
	return 0;
}

/* Whether what a header mirrors is the string in the body. */
static bool
is_mirrored(const struct buf *header, struct jsonr in_body)
{
	struct buf said, meant;
	bool equal;

	buf_init(&said, MIRROR_MAX);
	buf_init(&meant, MIRROR_MAX);
	equal = in_body.kind == JSONR_STRING &&
	    message_decode_header(buf_bytes(header), &said) == 0 &&
	    jsonr_add_str(in_body, &meant) == 0 &&
	    bytes_eq(buf_bytes(&said), buf_bytes(&meant));
	buf_reset(&said);
	buf_reset(&meant);
	return equal;
}

/* What Mcp-Name mirrors of this request; ABSENT: nothing. */
static struct jsonr
name_of(const struct rpc *m)
{
	if (rpc_is(m, "tools/call") || rpc_is(m, "prompts/get"))
		return m->name;
	if (rpc_is(m, "resources/read"))
		return m->uri;
	return (struct jsonr){JSONR_ABSENT, {NULL, 0}};
}

static int
fail(struct error *e, int code, const char *text)
{
	error_set(e, "%s", text);
	e->code = code;
	return -1;
}

int
mirror_check_modern(const struct mirror *m, const struct rpc *message,
    struct error *e)
{
	struct jsonr name = name_of(message);

	if (message->version.kind != JSONR_STRING ||
	    message->capabilities.kind != JSONR_OBJECT)
		return fail(e, RPC_INVALID_PARAMS, "_meta: no "
		    "io.modelcontextprotocol/protocolVersion or "
		    "clientCapabilities");
	if (m->version[0] == '\0' ||
	    !jsonr_eq_str(message->version, m->version))
		return fail(e, RPC_HEADER_MISMATCH,
		    "MCP-Protocol-Version: not what _meta says");
	if (!m->has_method || !is_mirrored(&m->method, message->method))
		return fail(e, RPC_HEADER_MISMATCH,
		    "Mcp-Method: not the method");
	if (name.kind != JSONR_ABSENT && (!m->has_name ||
	    !is_mirrored(&m->name, name)))
		return fail(e, RPC_HEADER_MISMATCH,
		    "Mcp-Name: not what params says");
	return 0;
}

int
mirror_check(const struct mirror *m, const struct rpc *message,
    struct error *e)
{
	if (m->has_method && !is_mirrored(&m->method, message->method))
		return fail(e, RPC_HEADER_MISMATCH,
		    "Mcp-Method: not the method");
	if (m->has_name && !is_mirrored(&m->name, name_of(message)))
		return fail(e, RPC_HEADER_MISMATCH,
		    "Mcp-Name: not what params says");
	return 0;
}
