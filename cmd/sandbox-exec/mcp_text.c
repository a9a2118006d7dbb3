/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/mcp_text.h"

#include "cmd/sandbox-exec/toolset.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	TTL_MS = 3600 * 1000, /* what we list changes with the program only */
	MESSAGE_MAX = 300,    /* bytes of a line of output in a progress */
};

/* Newest first. */
static const char *const legacy[] = {"2025-11-25", "2025-06-18"};

const char *
mcp_negotiate(const char *version)
{
	for (size_t i = 0; i < sizeof legacy / sizeof *legacy; i++) {
		if (str_eq(legacy[i], version))
			return legacy[i];
	}
	return legacy[0];
}

static void
add_raw(struct jsonw *w, struct bytes json)
{
	if (buf_add(w->out, json) != 0)
		w->failed = true;
}

static void
begin(struct jsonw *w, struct buf *out)
{
	jsonw_init(w, out);
	jsonw_open(w, '{');
	jsonw_key_str(w, "jsonrpc", "2.0");
}

static int
end(struct jsonw *w)
{
	jsonw_close(w, '}');
	add_raw(w, bytes_cstr("\n"));
	return jsonw_ok(w) ? 0 : -1;
}

static void
add_program(struct jsonw *w, const char *key)
{
	jsonw_key(w, key);
	jsonw_open(w, '{');
	jsonw_key_str(w, "name", "sandbox-exec");
	jsonw_key_str(w, "title", "Tools in a sandbox");
	jsonw_key_str(w, "version", ADIT_VERSION_STRING);
	jsonw_close(w, '}');
}

static void
begin_result(struct jsonw *w, struct buf *out, struct bytes id,
    enum mcp_era era)
{
	begin(w, out);
	jsonw_key(w, "id");
	add_raw(w, id);
	jsonw_key(w, "result");
	jsonw_open(w, '{');
	if (era != MCP_MODERN)
		return;
	jsonw_key_str(w, "resultType", "complete");
	jsonw_key(w, "_meta");
	jsonw_open(w, '{');
	add_program(w, RPC_META "serverInfo");
	jsonw_close(w, '}');
}

static int
end_result(struct jsonw *w)
{
	jsonw_close(w, '}');
	return end(w);
}

static void
add_capabilities(struct jsonw *w)
{
	jsonw_key(w, "capabilities");
	jsonw_open(w, '{');
	jsonw_key(w, "tools");
	jsonw_open(w, '{');
	jsonw_close(w, '}');
	jsonw_close(w, '}');
	jsonw_key_str(w, "instructions", "The tools run in a sandbox that "
	    "lasts as long as this connection. Files and the state of the "
	    "shell stay from call to call; calls run one after the other.");
}

static void
add_cache(struct jsonw *w)
{
	jsonw_key_int(w, "ttlMs", TTL_MS);
	jsonw_key_str(w, "cacheScope", "public");
}

static void
add_versions(struct jsonw *w, const char *key)
{
	jsonw_key(w, key);
	jsonw_open(w, '[');
	jsonw_str(w, MCP_MODERN_VERSION);
	for (size_t i = 0; i < sizeof legacy / sizeof *legacy; i++)
		jsonw_str(w, legacy[i]);
	jsonw_close(w, ']');
}

int
mcp_add_initialize(struct buf *out, struct bytes id, const char *version)
{
	struct jsonw w;

	begin_result(&w, out, id, MCP_LEGACY);
	jsonw_key_str(&w, "protocolVersion", version);
	add_capabilities(&w);
	add_program(&w, "serverInfo");
	return end_result(&w);
}

int
mcp_add_discover(struct buf *out, struct bytes id)
{
	struct jsonw w;

	begin_result(&w, out, id, MCP_MODERN);
	add_versions(&w, "supportedVersions");
	add_capabilities(&w);
	add_cache(&w);
	return end_result(&w);
}

int
mcp_add_empty(struct buf *out, struct bytes id, enum mcp_era era)
{
	struct jsonw w;

	begin_result(&w, out, id, era);
	return end_result(&w);
}

static void
add_hint(struct jsonw *w, const char *key, bool value)
{
	jsonw_key(w, key);
	jsonw_bool(w, value);
}

static void
add_tool(struct jsonw *w, const struct tool *t)
{
	jsonw_open(w, '{');
	jsonw_key_str(w, "name", t->name);
	jsonw_key_str(w, "title", t->title);
	jsonw_key_str(w, "description", t->description);
	jsonw_key(w, "inputSchema");
	add_raw(w, bytes_cstr(t->schema));
	jsonw_key(w, "annotations");
	jsonw_open(w, '{');
	jsonw_key_str(w, "title", t->title);
	add_hint(w, "readOnlyHint", t->read_only);
	add_hint(w, "destructiveHint", t->destructive);
	add_hint(w, "idempotentHint", t->idempotent);
	add_hint(w, "openWorldHint", t->open_world);
	jsonw_close(w, '}');
	jsonw_close(w, '}');
}

int
mcp_add_tools(struct buf *out, struct bytes id, enum mcp_era era)
{
	size_t count;
	const struct tool *t = tool_table(&count);
	struct jsonw w;

	begin_result(&w, out, id, era);
	jsonw_key(&w, "tools");
	jsonw_open(&w, '[');
	for (size_t i = 0; i < count; i++)
		add_tool(&w, &t[i]);
	jsonw_close(&w, ']');
	if (era == MCP_MODERN)
		add_cache(&w);
	return end_result(&w);
}

int
mcp_add_result(struct buf *out, struct bytes id, enum mcp_era era,
    const struct call_result *r)
{
	struct jsonw w;

	begin_result(&w, out, id, era);
	jsonw_key(&w, "content");
	jsonw_open(&w, '[');
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", "text");
	jsonw_key(&w, "text");
	jsonw_bytes(&w, r->text);
	jsonw_close(&w, '}');
	jsonw_close(&w, ']');
	add_hint(&w, "isError", r->is_error);
	return end_result(&w);
}

int
mcp_add_progress(struct buf *out, struct bytes token, int64_t ms,
    struct bytes line)
{
	struct jsonw w;

	begin(&w, out);
	jsonw_key_str(&w, "method", "notifications/progress");
	jsonw_key(&w, "params");
	jsonw_open(&w, '{');
	jsonw_key(&w, "progressToken");
	add_raw(&w, token);
	jsonw_key_int(&w, "progress", ms);
	if (line.len != 0) {
		jsonw_key(&w, "message");
		jsonw_bytes(&w, bytes_of(line.ptr, line.len < MESSAGE_MAX ?
		    line.len : MESSAGE_MAX));
	}
	jsonw_close(&w, '}');
	return end(&w);
}

int
mcp_add_error(struct buf *out, struct bytes id, enum rpc_code code,
    const char *text, struct jsonr requested)
{
	struct jsonw w;

	begin(&w, out);
	jsonw_key(&w, "id");
	add_raw(&w, id.len == 0 ? bytes_cstr("null") : id);
	jsonw_key(&w, "error");
	jsonw_open(&w, '{');
	jsonw_key_int(&w, "code", (int64_t)code);
	jsonw_key_str(&w, "message", text);
	if (code == RPC_UNSUPPORTED_VERSION) {
		jsonw_key(&w, "data");
		jsonw_open(&w, '{');
		add_versions(&w, "supported");
		jsonw_key(&w, "requested");
		add_raw(&w, requested.text);
		jsonw_close(&w, '}');
	}
	jsonw_close(&w, '}');
	return end(&w);
}
