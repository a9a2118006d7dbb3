/* SPDX-License-Identifier: ISC */
/* What the bridge does with messages: it writes them again with other ids and
 * nothing else changed, and says them in the headers of HTTP.  Pure. */
#ifndef ADIT_MCP_PROXY_MESSAGE_H
#define ADIT_MCP_PROXY_MESSAGE_H

#include "common/rpc.h"

enum {
	MESSAGE_BATCH_MAX = 64,   /* messages in an array */
	MESSAGE_EDITS_MAX = 4,
	MESSAGE_VERSION_LEN = 10, /* "2025-11-25" */
};

/* rpc_parse and rpc_take, then rpc_look, whose errors are theirs. */
int message_parse(struct bytes in, struct rpc *ret, struct error *e);
int message_take(struct jsonr v, struct rpc *ret, struct error *e);

/* An answer's error code, 0 if it is none or has none. */
int64_t message_error_code(const struct rpc *m);

/* The id of an event: of which stream of a session, and which of all its
 * events.  'g': a stream that GET opened, 'p': one that answers a POST. */
struct message_event_id {
	char kind; /* 0: none */
	uint32_t stream;
	uint64_t number;
};

/* Reads it as message_write_event_id writes it.  Returns 0, or -1 if it is
 * none. */
int message_parse_event_id(struct bytes in, struct message_event_id *ret);
int message_write_event_id(struct buf *out, const struct message_event_id *id);

/* Puts the bytes put in the place of old, which lies in the text. */
struct message_edit {
	struct bytes old, put;
};

/* Appends text with the edits, which may be reordered, in one line: line
 * breaks between tokens become spaces.  Returns 0, or -1 with ENOBUFS or
 * ENOMEM and out unchanged. */
int message_write(struct buf *out, struct bytes text,
    struct message_edit *edits, size_t count);

/* The number of one of our ids, which are written in digits, also in
 * a string.  Returns 0, or -1 if v is none. */
int message_number(struct jsonr v, uint32_t *ret);

/* Whether text is a revision that begins with initialize; or one without
 * sessions, from 2026-07-28 on. */
bool message_is_legacy(struct bytes text);
bool message_is_modern(struct bytes text);

/* Appends an error answer; id ABSENT becomes null.  data may be NULL, or
 * JSON.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int message_write_error(struct buf *out, struct bytes id, int code,
    const char *message, const char *data);

/* Decodes what a header that mirrors a value says (2026-07-28): itself, or
 * =?base64?...?= of it.  Returns 0, or -1 if it is neither. */
int message_decode_header(struct bytes value, struct buf *out);

#endif
