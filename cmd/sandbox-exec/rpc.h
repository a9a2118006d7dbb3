/* SPDX-License-Identifier: ISC */
/* JSON-RPC 2.0 in lines, as MCP has it on standard input and output: one
 * message a line, never a batch.  Pure. */
#ifndef ADIT_SANDBOX_RPC_H
#define ADIT_SANDBOX_RPC_H

#include "common/buf.h"
#include "common/error.h"
#include "common/jsonr.h"

enum {
	RPC_LINE_MAX = 16 << 20, /* bytes */
	RPC_METHOD_MAX = 64,     /* of a name that is known */
	RPC_ID_MAX = 1024,       /* bytes of an id or token, as JSON */
};

enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_UNSUPPORTED_VERSION = -32022, /* MCP 2026-07-28 */
};

/* Cuts what comes into lines. */
struct rpc_reader {
	struct buf in;
	size_t looked; /* bytes of in that hold no newline */
	bool skipping; /* the rest of a line that was too long */
};

void rpc_reader_init(struct rpc_reader *r);
void rpc_reader_done(struct rpc_reader *r);

/* Adds bytes.  Returns 0, or -1 with ENOMEM. */
int rpc_reader_add(struct rpc_reader *r, struct bytes in);

/* Takes the next line, without its end, valid until the next call.  Returns
 * 1; 0 for more; -1 if a line was too long, once for it. */
int rpc_reader_next(struct rpc_reader *r, struct bytes *ret);

enum rpc_kind {
	RPC_REQUEST,
	RPC_NOTIFICATION,
	RPC_RESPONSE,
};

struct rpc {
	enum rpc_kind kind;
	struct jsonr id;     /* of a request: a string or number */
	char method[RPC_METHOD_MAX]; /* "" if it is longer */
	struct jsonr params; /* an object, or JSONR_ABSENT */
};

/* Reads one line.  Returns 0; or -1 with a text and an rpc_code in e->code,
 * and the id in ret if there is one to answer to. */
int rpc_parse(struct bytes line, struct rpc *ret, struct error *e);

/* Whether v may be an id or a progress token. */
bool rpc_is_id(struct jsonr v);

/* Whether two ids are the same one, perhaps written differently. */
bool rpc_id_eq(struct jsonr a, struct jsonr b);

#endif
