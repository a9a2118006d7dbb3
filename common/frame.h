/* SPDX-License-Identifier: ISC */
/* The frame codec of adit-frame(5): bytes to frames and back.  Pure: it never
 * allocates, blocks, prints, or keeps state between calls. */
#ifndef ADIT_FRAME_H
#define ADIT_FRAME_H

#include <sys/types.h>

#include "common/bytes.h"
#include "common/error.h"

enum {
	FRAME_PREAMBLE_LEN = 8,
	FRAME_HEADER_LEN = 12,
	FRAME_LIMIT_DEFAULT = 65536,   /* largest payload of DATA and EVENT */
	FRAME_LIMIT_MIN = 1024,
	FRAME_LIMIT_MAX = 1 << 20,
	FRAME_HELLO_MAX = 16384,       /* HELLO and OPEN */
	FRAME_AUTH_MAX = 4096,
	FRAME_REASON_LEN = 4,          /* RESET and GOAWAY before the text */
	FRAME_TEXT_MAX = 512,          /* text of RESET and GOAWAY */
	FRAME_PING_LEN = 8,
	FRAME_WINDOW_LEN = 4,
	FRAME_MARK_LEN = 16,
};

enum frame_type {
	FRAME_HELLO = 0x01,
	FRAME_AUTH = 0x02,
	FRAME_PING = 0x03,
	FRAME_PONG = 0x04,
	FRAME_GOAWAY = 0x05,
	FRAME_WINDOW = 0x06,
	FRAME_OPEN = 0x10,
	FRAME_DATA = 0x11,
	FRAME_END = 0x12,
	FRAME_RESET = 0x13,
	FRAME_EVENT = 0x14,
	FRAME_MARK = 0x20,
	FRAME_OPTIONAL = 0x80, /* this bit: skip if unknown */
};

enum frame_kind {
	FRAME_KIND_HOP = 1,
	FRAME_KIND_CAPTURE = 2,
};

enum frame_code {
	FRAME_CANCELLED = 1,
	FRAME_ABORTED,
	FRAME_REFUSED,
	FRAME_UNREACHABLE,
	FRAME_TIMEOUT,
	FRAME_LIMIT,
	FRAME_PROTOCOL,
	FRAME_INTERNAL,
	FRAME_DRAINING,
	FRAME_UNAUTHORIZED,
	FRAME_REVOKED,
	FRAME_REPLACED,
	FRAME_NO_ROUTE,
	FRAME_NO_LINK,
	FRAME_DENIED,
};

enum frame_blame {
	BLAME_CLIENT = 1,
	BLAME_EDGE,
	BLAME_LINK,
	BLAME_CONNECTOR,
	BLAME_PROXY,
	BLAME_POLICY,
	BLAME_DNS,
	BLAME_CONNECT,
	BLAME_TLS,
	BLAME_UPSTREAM,
	BLAME_SANDBOX,
};

struct frame {
	uint8_t type;
	uint16_t channel;
	uint32_t stream;
	struct bytes payload;
};

/* Why a stream or a connection ended: the payload of RESET and GOAWAY. */
struct frame_reason {
	uint16_t code;     /* enum frame_code */
	uint8_t blame;     /* enum frame_blame */
	struct bytes text; /* for people; may be empty */
};

struct frame_mark {
	uint64_t time_ns;
	uint32_t dropped;
	uint8_t direction; /* 0 from the initiator, 1 from the acceptor */
};

/* Decodes the frame at the start of in.  limit: the largest payload of DATA,
 * EVENT and optional frames, FRAME_LIMIT_MIN to FRAME_LIMIT_MAX.
 * Returns the bytes that the frame takes and fills *ret, whose payload points
 * into in; 0 if in holds only part of a frame; -1 with a text in *e if these
 * bytes can not begin a frame.  adit-frame(5), HEADER and TYPES. */
ssize_t frame_decode(struct bytes in, uint32_t limit, struct frame *ret,
    struct error *e);

/* Writes the header of a frame whose payload has len bytes. */
void frame_put_header(uint8_t out[static FRAME_HEADER_LEN],
    const struct frame *f, uint32_t len);

void frame_put_preamble(uint8_t out[static FRAME_PREAMBLE_LEN],
    enum frame_kind kind);

/* Checks the preamble at the start of in.  Returns 1 and the kind, 0 if in is
 * a part of one, -1 with a text if it is none. */
int frame_get_preamble(struct bytes in, enum frame_kind *ret,
    struct error *e);

/* The payload of RESET and GOAWAY, as decoded by frame_decode (which has
 * checked its length).  Text points into payload. */
struct frame_reason frame_get_reason(struct bytes payload);

/* Writes a reason and returns its length; the text is cut to
 * FRAME_TEXT_MAX. */
size_t frame_put_reason(uint8_t out[static FRAME_REASON_LEN + FRAME_TEXT_MAX],
    const struct frame_reason *r);

struct frame_mark frame_get_mark(struct bytes payload);
void frame_put_mark(uint8_t out[static FRAME_MARK_LEN],
    const struct frame_mark *m);

/* Names as in adit-frame(5); "0x7f" and the like for what it does not know.
 * Static storage, one per function, overwritten by its next call for an unknown
 * one. */
const char *frame_type_name(uint8_t type);
const char *frame_code_name(uint16_t code);
const char *frame_blame_name(uint8_t blame);

#endif
