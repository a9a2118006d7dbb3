/* SPDX-License-Identifier: ISC */
/* Bytes of a stream that wait for their owner, in order, as runs of one
 * channel: neighbours of the same channel are joined, so that a window that
 * came in small frames takes little more memory than its bytes. */
#ifndef ADIT_RUNS_H
#define ADIT_RUNS_H

#include "common/buf.h"

struct runs {
	struct buf buf;
	size_t last; /* length of the last run, with its header */
};

/* max: how many bytes of memory the runs may take. */
void runs_init(struct runs *r, size_t max);
void runs_reset(struct runs *r);
bool runs_is_empty(const struct runs *r);

/* Adds bytes, at least one.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int runs_add(struct runs *r, uint16_t channel, struct bytes in);

/* The first run; r is not empty.  Valid until the next call on r. */
struct bytes runs_first(const struct runs *r, uint16_t *ret_channel);

/* Drops n bytes, at most its length, from the front of the first run. */
void runs_drop(struct runs *r, size_t n);

#endif
