/* SPDX-License-Identifier: ISC */
/* When a call of the API is made again, and how much later: the rules of the
 * vendor's core client and of its worker.  Pure. */
#ifndef ADIT_RETRY_H
#define ADIT_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RETRY_CORE_MIN_MS = 500,
	RETRY_CORE_MAX_MS = 8000,
	RETRY_AFTER_MAX_MS = 600000, /* a server asks for no longer wait */
};

/* What an attempt ended with. */
struct retry_answer {
	long status;      /* 0: none came */
	int should;       /* x-should-retry: 1, 0, or -1 if it was not said */
	int64_t after_ms; /* retry-after-ms or retry-after, 0 if not said */
};

void retry_answer_init(struct retry_answer *a);

/* Takes a header of the answer into account; others are ignored.  now_s: the
 * time of day, for a retry-after that is a date. */
void retry_note_header(struct retry_answer *a, const char *name,
    const char *value, int64_t now_s);

/* Whether to try again.  final_conflict: 409 is an answer. */
bool retry_is_wanted(const struct retry_answer *a, bool final_conflict);

/* How long to wait before the attempt after number attempt, the first being
 * 0.  random: any number. */
int64_t retry_delay_ms(const struct retry_answer *a, int attempt,
    uint32_t random);

/* min_ms doubled attempt times, at most max_ms, less up to a quarter. */
int64_t retry_backoff_ms(int64_t min_ms, int64_t max_ms, int attempt,
    uint32_t random);

#endif
