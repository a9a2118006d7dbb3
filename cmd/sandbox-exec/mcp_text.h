/* SPDX-License-Identifier: ISC */
/* What sandbox-exec --mcp says: each function appends one line.  Pure.  Each
 * returns 0, or -1 if it did not fit. */
#ifndef ADIT_SANDBOX_MCP_TEXT_H
#define ADIT_SANDBOX_MCP_TEXT_H

#include "cmd/sandbox-exec/session.h"
#include "common/rpc.h"

/* Revisions with a handshake are legacy; the others are modern: each request
 * says what it speaks. */
enum mcp_era {
	MCP_LEGACY,
	MCP_MODERN,
};

#define MCP_MODERN_VERSION "2026-07-28"

/* The legacy revision to answer a client with that asks for this one. */
const char *mcp_negotiate(const char *version);

int mcp_add_initialize(struct buf *out, struct bytes id,
    const char *version);
int mcp_add_discover(struct buf *out, struct bytes id);
int mcp_add_empty(struct buf *out, struct bytes id, enum mcp_era era);
int mcp_add_tools(struct buf *out, struct bytes id, enum mcp_era era);
int mcp_add_result(struct buf *out, struct bytes id, enum mcp_era era,
    const struct call_result *r);

/* token: as JSON.  line: the last one of the output, any bytes. */
int mcp_add_progress(struct buf *out, struct bytes token, int64_t ms,
    struct bytes line);

/* id: as JSON, empty for none.  requested: of RPC_UNSUPPORTED_VERSION. */
int mcp_add_error(struct buf *out, struct bytes id, enum rpc_code code,
    const char *text, struct jsonr requested);

#endif
