/* SPDX-License-Identifier: ISC */
/* What a session's process and its content process say to each other: an
 * 8-byte header, length and kind in network byte order, then a payload. */
#ifndef ADIT_WORKER_CONTENT_WIRE_H
#define ADIT_WORKER_CONTENT_WIRE_H

#include "common/buf.h"

enum {
	CONTENT_HEADER_LEN = 8,
	CONTENT_PAYLOAD_MAX = 8 << 20,
};

enum content_kind {
	CONTENT_SETTINGS = 1, /* JSON: struct content_settings */
	CONTENT_SESSION,      /* JSON: the session; the work begins */
	CONTENT_SYNC,         /* empty */
	CONTENT_FINISH,       /* one byte: 1 if the session ended cleanly */
	CONTENT_READY,        /* JSON: {"mounts":[...]} or {"error":"..."} */
	CONTENT_FINISHED,     /* empty */
};

/* Appends a message.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
static inline int
content_put(struct buf *out, enum content_kind kind, struct bytes payload)
{
	uint8_t header[CONTENT_HEADER_LEN];

	be32_put(header, (uint32_t)payload.len);
	be32_put(header + 4, (uint32_t)kind);
	return buf_add(out, bytes_of(header, sizeof header)) == 0
	    ? buf_add(out, payload) : -1;
}

/* The message at the start of in.  Returns its length with the header, 0 if
 * it is not whole, or -1 if it is too long. */
static inline ssize_t
content_take(struct bytes in, enum content_kind *ret_kind,
    struct bytes *ret_payload)
{
	size_t len;

	if (in.len < CONTENT_HEADER_LEN)
		return 0;
	len = be32_get(in.ptr);
	if (len > CONTENT_PAYLOAD_MAX)
		return -1;
	if (in.len - CONTENT_HEADER_LEN < len)
		return 0;
	*ret_kind = (enum content_kind)be32_get(in.ptr + 4);
	*ret_payload = bytes_of(in.ptr + CONTENT_HEADER_LEN, len);
	return (ssize_t)(CONTENT_HEADER_LEN + len);
}

#endif
