/* SPDX-License-Identifier: ISC */
/* One record as a line of text or of JSON, as frame-dump(1) describes them.
 * Nothing foreign reaches the line unescaped, and AUTH shows its length
 * only. */
#ifndef FRAME_DUMP_PRINT_H
#define FRAME_DUMP_PRINT_H

#include "cmd/frame-dump/read.h"

#include "common/buf.h"

enum { PRINT_HEX_MAX = 256 }; /* payload bytes that hex shows */

enum print_time {
	PRINT_TIME_UTC,   /* of day */
	PRINT_TIME_ISO,   /* with the date */
	PRINT_TIME_DELTA, /* since the line before */
	PRINT_TIME_NONE,
};

struct print_style {
	enum print_time time;
	bool hex;
	bool payload; /* JSON has the bytes of DATA, in base64 */
};

/* Appends a line, and with hex the lines of a dump.  previous_ns: the time of
 * the record shown before, 0 if none.  Returns 0, or -1 if out is full. */
int print_text(struct buf *out, const struct print_style *style,
    const struct record *r, uint64_t previous_ns);

/* Appends a JSON object without a newline.  Returns 0, or -1 if out is
 * full. */
int print_json(struct buf *out, const struct print_style *style,
    const struct record *r);

/* Whether the payload is a secret that no output shows. */
bool print_is_secret(const struct frame *f);

#endif
