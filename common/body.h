/* SPDX-License-Identifier: ISC */
/* Bodies of HTTP/1.1 messages (RFC 9112 sections 6 and 7): the framing is
 * taken off as the bytes arrive and put on again for the next hop.  Pure.
 * As with heads, our strict reader and libhttp-parser must agree. */
#ifndef ADIT_BODY_H
#define ADIT_BODY_H

#include <http_parser.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/error.h"

enum {
	BODY_CHUNK_LINE_MAX = 256,  /* size and extensions, with CRLF */
	BODY_TRAILER_MAX = 8192,    /* trailer section, which is dropped */
};

enum body_framing {
	BODY_NONE,
	BODY_LENGTH,
	BODY_CHUNKED,
	BODY_TO_END,   /* until the connection ends: responses only */
};

enum body_state {
	BODY_SIZE,     /* chunk size line */
	BODY_DATA,
	BODY_DATA_END, /* CRLF after a chunk */
	BODY_TRAILER,
	BODY_DONE,
};

struct body {
	http_parser parser;   /* has read the head */
	enum body_framing framing;
	enum body_state state;
	uint64_t left;        /* of the body, or of the chunk */
	size_t trailer_len;
};

/* Takes the next bytes of the body.  Returns how many it used, with the one
 * run of payload among them in *ret_run (perhaps empty); 0 when it needs more
 * than in has; -1 with a text when this is no body.  b->state is BODY_DONE
 * after the last byte. */
ssize_t body_take(struct body *b, struct bytes in, struct bytes *ret_run,
    struct error *e);

/* Whether the body may end here because the connection did. */
bool body_may_end(const struct body *b);

/* Appends a run of payload, or the end, in the framing of the next hop.
 * Returns 0, or -1 with ENOBUFS or ENOMEM. */
int body_write(struct buf *out, enum body_framing framing, struct bytes run);
int body_write_end(struct buf *out, enum body_framing framing);

#endif
