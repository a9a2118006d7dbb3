/* SPDX-License-Identifier: ISC */
/* The pace of polling: what follows an answer, and when.  Pure. */
#ifndef ADIT_PACE_H
#define ADIT_PACE_H

#include <stdint.h>

#include "common/diag.h"

enum {
	PACE_IDLE_MIN_MS = 1000, /* between empty polls */
	PACE_IDLE_MAX_MS = 3000,
	PACE_FAILED_MIN_MS = 1000,
	PACE_FAILED_MAX_MS = 60000,
	PACE_REMINDER_MS = 300000,
	PACE_CLAIMS_MAX = 3,     /* of one item, before it is ended */
	PACE_ITEMS_MAX = 1024,   /* that are remembered */
};

struct pace_item {
	uint8_t digest[8]; /* of its id */
	uint32_t claims;
	uint64_t used;     /* a count, to find the oldest */
};

struct pace {
	int failures;      /* in a row */
	int64_t idle_ms;   /* since when nothing came, 0: something did */
	int64_t told_ms;
	uint64_t clock;
	struct pace_item items[PACE_ITEMS_MAX];
};

/* Each returns how long to wait before the next poll. */
int64_t pace_empty(struct pace *p, int64_t now_ms, uint32_t random,
    enum diag_level *ret_level);
int64_t pace_failed(struct pace *p, uint32_t random);

/* An item came.  Returns how often that one was claimed before. */
uint32_t pace_claimed(struct pace *p, const char *id);

#endif
