/* SPDX-License-Identifier: ISC */
/* The output of a command as text: control sequences (CSI) taken out, what is
 * not UTF-8 replaced by U+FFFD, and the last part of it kept, however much
 * comes.  Pure.  Sizes are in UTF-16 units, as the models' interfaces count:
 * a character above U+FFFF has two. */
#ifndef ADIT_SANDBOX_TAILTEXT_H
#define ADIT_SANDBOX_TAILTEXT_H

#include "common/buf.h"

enum {
	TAILTEXT_UNITS = 102400,
	TAILTEXT_CSI_MAX = 64, /* a longer sequence is text */
};

struct tailtext {
	struct buf text;   /* UTF-8 */
	size_t units;      /* in text */
	bool truncated;    /* something was dropped, or no memory for it */
	uint8_t csi[TAILTEXT_CSI_MAX]; /* one that is not whole yet */
	size_t csi_len;
	uint8_t part[4];   /* of a character */
	size_t part_len;
};

void tailtext_init(struct tailtext *t);
void tailtext_done(struct tailtext *t);

/* Forgets everything but its memory. */
void tailtext_clear(struct tailtext *t);

void tailtext_add(struct tailtext *t, struct bytes in);

/* What is left over is text after all; then cuts to the last TAILTEXT_UNITS
 * and drops newlines at the end.  Returns the text, valid until the next
 * call. */
struct bytes tailtext_finish(struct tailtext *t);

/* Appends in with U+FFFD for each byte that is no UTF-8.  Returns 0, or -1
 * with ENOBUFS or ENOMEM. */
int tailtext_repair(struct bytes in, struct buf *out);

#endif
