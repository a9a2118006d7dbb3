/* SPDX-License-Identifier: ISC */
/* The event that answers a tool call.  Pure. */
#ifndef ADIT_RESULT_H
#define ADIT_RESULT_H

#include "common/buf.h"

enum {
	RESULT_TEXT_MAX = 1 << 20,     /* bytes; the tools give far less */
	RESULT_BODY_MAX = 8 << 20,     /* with everything escaped */
};

/* Writes the body of a POST with one result.  What the server would refuse is
 * replaced: an empty text by "(no output)", NUL and what is not UTF-8 by
 * U+FFFD; a text that is too long is cut.  Returns 0, or -1 with ENOBUFS or
 * ENOMEM. */
int result_write(struct buf *out, const char *id, bool custom, bool is_error,
    struct bytes text);

#endif
