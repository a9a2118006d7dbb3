/* SPDX-License-Identifier: ISC */
/* Cuts the bytes of a capture, or of one direction of a hop, into records:
 * a frame and what is known about it.  Pure: no allocation, no I/O; the bytes
 * are foreign. */
#ifndef FRAME_DUMP_READ_H
#define FRAME_DUMP_READ_H

#include "common/error.h"
#include "common/frame.h"

enum {
	/* A record of a capture: MARK and the largest frame. */
	READ_RECORD_MAX = FRAME_HEADER_LEN + FRAME_MARK_LEN +
	    FRAME_HEADER_LEN + FRAME_LIMIT_MAX,
};

enum reader_state {
	READER_NEW, /* the preamble is still to come */
	READER_HOP,
	READER_CAPTURE,
};

struct reader {
	enum reader_state state;
	uint64_t offset; /* of the first byte not yet taken */
};

struct record {
	bool marked;            /* mark holds something: a capture */
	struct frame_mark mark;
	/* Its payload points into the input.  FRAME_MARK: no frame, the
	 * capture ends with the number of frames that were dropped. */
	struct frame frame;
};

/* A zeroed reader is ready.  Takes the record at the start of in, *ret_used
 * bytes of it (more than 0 for the preamble alone, too).  Returns 1 and the
 * record, 0 if more bytes are needed, -1 with a text that names the
 * offset. */
int reader_next(struct reader *r, struct bytes in, size_t *ret_used,
    struct record *ret, struct error *e);

/* The input has ended and rest was not used.  Returns 1 and a last record, 0
 * if there is none, -1 with a text if the input was cut off. */
int reader_end(const struct reader *r, struct bytes rest, struct record *ret,
    struct error *e);

#endif
