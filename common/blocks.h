/* SPDX-License-Identifier: ISC */
/* A queue of bytes in large blocks: frames are written in place at its end,
 * each in one piece, and leave at its front.  It keeps one empty block, so
 * that a queue that fills and empties does not allocate. */
#ifndef ADIT_BLOCKS_H
#define ADIT_BLOCKS_H

#include "common/bytes.h"

enum { BLOCKS_PIECE_MAX = 4 * (65536 + 12) }; /* four frames of DATA */

struct block;

/* A zeroed one is empty. */
struct blocks {
	struct block *first, *last, *spare;
	size_t len; /* bytes queued */
};

void blocks_done(struct blocks *q);

/* Room for len bytes, at most BLOCKS_PIECE_MAX, in one piece at the end.
 * Returns it, or NULL with ENOMEM; valid until the next reserve.  commit
 * takes the first n bytes of it. */
uint8_t *blocks_reserve(struct blocks *q, size_t len);
void blocks_commit(struct blocks *q, size_t n);

/* How many bytes a reserve can have without a new block. */
size_t blocks_room(const struct blocks *q);

/* The bytes at the front, empty if there are none; drop removes n of
 * them. */
struct bytes blocks_bytes(const struct blocks *q);
void blocks_drop(struct blocks *q, size_t n);

#endif
