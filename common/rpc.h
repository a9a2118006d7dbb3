/* SPDX-License-Identifier: ISC */
/* Messages of MCP, which are those of JSON-RPC 2.0, looked into where they
 * lie.  Pure. */
#ifndef ADIT_RPC_H
#define ADIT_RPC_H

#include "common/jsonr.h"

/* What MCP of 2026-07-28 puts before its names in _meta. */
#define RPC_META "io.modelcontextprotocol/"

enum { RPC_ID_MAX = 1024 }; /* bytes of an id or a progress token, as JSON */

enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_SERVER_ERROR = -32000, /* as servers of MCP 2025 say it */
	/* MCP 2026-07-28: what HTTP clients look for in a 400. */
	RPC_HEADER_MISMATCH = -32020,
	RPC_UNSUPPORTED_VERSION = -32022,
};

enum rpc_kind {
	RPC_REQUEST,
	RPC_NOTIFICATION,
	RPC_RESPONSE,
	RPC_BATCH,
};

/* What matters of a message; values that it does not have are ABSENT.  All
 * views point into the text. */
struct rpc {
	enum rpc_kind kind;
	struct bytes text;
	struct jsonr id, method, params, result, error;
	/* From rpc_look on: */
	struct jsonr name, uri;    /* of params */
	struct jsonr request_id;   /* params.requestId, what is cancelled */
	struct jsonr asked;        /* params.protocolVersion of initialize */
	struct jsonr meta;         /* _meta, of params or of the result */
	struct jsonr token;        /* progressToken: of a request in _meta, of
	                            * a notification in params */
	/* RPC_META in meta. */
	struct jsonr version;      /* protocolVersion */
	struct jsonr capabilities; /* clientCapabilities */
	struct jsonr subscription; /* subscriptionId */
};

/* Reads a message; of a batch, only that it is one.  Returns 0; or -1 with
 * a text, an rpc_code in e->code, and in ret->id the id to answer with, if
 * there is one. */
int rpc_parse(struct bytes in, struct rpc *ret, struct error *e);

/* The same for a value that was checked, a member of a batch. */
int rpc_take(struct jsonr v, struct rpc *ret, struct error *e);

/* Looks into the params or the result of a message that was read.  Returns 0,
 * or -1 with a text and RPC_INVALID_REQUEST in e->code if a member is given
 * twice or the token is none. */
int rpc_look(struct rpc *m, struct error *e);

bool rpc_is(const struct rpc *m, const char *method);

/* Whether v may be an id or a progress token. */
bool rpc_is_id(struct jsonr v);

/* Whether two ids are the same one, perhaps written differently. */
bool rpc_id_eq(struct jsonr a, struct jsonr b);

#endif
