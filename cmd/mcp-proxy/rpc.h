/* SPDX-License-Identifier: ISC */
/* Messages of MCP, which are those of JSON-RPC 2.0: looked into where they
 * lie, and written again with other ids and nothing else changed.  Pure. */
#ifndef ADIT_MCP_PROXY_RPC_H
#define ADIT_MCP_PROXY_RPC_H

#include "common/jsonr.h"

enum {
	RPC_ID_MAX = 1024,    /* bytes of an id or a progress token */
	RPC_BATCH_MAX = 64,   /* messages in an array */
	RPC_EDITS_MAX = 4,
	RPC_VERSION_LEN = 10, /* "2025-11-25" */
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
	struct jsonr token;        /* progressToken: of a request in _meta, of
	                            * a notification in params */
	struct jsonr name, uri;    /* of params */
	struct jsonr request_id;   /* params.requestId, what is cancelled */
	struct jsonr asked;        /* params.protocolVersion of initialize */
	/* io.modelcontextprotocol/ in _meta, of params or of the result. */
	struct jsonr version;      /* protocolVersion */
	struct jsonr capabilities; /* clientCapabilities */
	struct jsonr subscription; /* subscriptionId */
};

/* Reads a message.  Returns 0, or -1 with a text and e->code, that of
 * JSON-RPC; ret->id is then the id to answer with, if there is one. */
int rpc_parse(struct bytes in, struct rpc *ret, struct error *e);

/* The same for a value that was checked, a member of a batch. */
int rpc_take(struct jsonr v, struct rpc *ret, struct error *e);

bool rpc_is(const struct rpc *m, const char *method);

/* Whether an array has this string. */
bool rpc_has_str(struct jsonr array, const char *text);

/* An answer's error code, 0 if it is none or has none. */
int64_t rpc_error_code(const struct rpc *m);

/* The id of an event: of which stream of a session, and which of all its
 * events.  'g': a stream that GET opened, 'p': one that answers a POST. */
struct rpc_event_id {
	char kind; /* 0: none */
	uint32_t stream;
	uint64_t number;
};

/* Reads it as rpc_write_event_id writes it.  Returns 0, or -1 if it is
 * none. */
int rpc_parse_event_id(struct bytes in, struct rpc_event_id *ret);
int rpc_write_event_id(struct buf *out, const struct rpc_event_id *id);

/* Puts the bytes put in the place of old, which lies in the text. */
struct rpc_edit {
	struct bytes old, put;
};

/* Appends text with the edits, which may be reordered, in one line: line
 * breaks between tokens become spaces.  Returns 0, or -1 with ENOBUFS or
 * ENOMEM and out unchanged. */
int rpc_write(struct buf *out, struct bytes text, struct rpc_edit *edits,
    size_t count);

/* How many bytes rpc_write appends. */
size_t rpc_written_len(struct bytes text, const struct rpc_edit *edits,
    size_t count);

/* The number of one of our ids, which are written in digits, also in
 * a string.  Returns 0, or -1 if v is none. */
int rpc_number(struct jsonr v, uint32_t *ret);

/* Whether text is a revision that begins with initialize; or one without
 * sessions, from 2026-07-28 on. */
bool rpc_is_legacy(struct bytes text);
bool rpc_is_modern(struct bytes text);

/* Appends an error answer; id ABSENT becomes null.  data may be NULL, or
 * JSON.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int rpc_write_error(struct buf *out, struct bytes id, int code,
    const char *message, const char *data);

/* Decodes what a header that mirrors a value says (2026-07-28): itself, or
 * =?base64?...?= of it.  Returns 0, or -1 if it is neither. */
int rpc_decode_header(struct bytes value, struct buf *out);

#endif
