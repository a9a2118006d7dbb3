/* SPDX-License-Identifier: ISC */
/* Cuts a stream into lines, as MCP has its messages on standard input: one
 * a line.  Pure. */
#ifndef ADIT_SANDBOX_LINES_H
#define ADIT_SANDBOX_LINES_H

#include "common/buf.h"

enum { LINES_LEN_MAX = 16 << 20 }; /* bytes of a line */

struct lines {
	struct buf in;
	size_t looked; /* bytes of in that hold no newline */
	bool skipping; /* the rest of a line that was too long */
};

void lines_init(struct lines *l);
void lines_done(struct lines *l);

/* Adds bytes.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int lines_add(struct lines *l, struct bytes in);

/* Takes the next line, without its end, valid until the next call.  Returns
 * 1; 0 for more; -1 if a line was too long, once for it. */
int lines_next(struct lines *l, struct bytes *ret);

#endif
