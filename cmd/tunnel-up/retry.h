/* SPDX-License-Identifier: ISC */
/* Trying again: the delay before the next attempt, and whether its failure
 * is worth a line in the log.  A failure is logged when its text is new, and
 * then every RETRY_REMIND_MS, so that an edge that is away for a night does
 * not fill the log. */
#ifndef TUNNEL_UP_RETRY_H
#define TUNNEL_UP_RETRY_H

#include "common/bytes.h"
#include "common/clock.h"
#include "common/error.h"

enum {
	RETRY_REMIND_MS = 10 * 60 * 1000,
	RETRY_STABLE_MS = 10 * 1000, /* up for so long: start over */
};

struct retry {
	struct backoff backoff;
	char text[ERROR_TEXT_MAX]; /* the last that was logged */
	int64_t logged_ms;
	int64_t up_ms; /* since when it works, 0 if it does not */
};

/* What retry_failed decided. */
struct retry_plan {
	int64_t delay_ms;
	bool log;
};

void retry_init(struct retry *r, int64_t min_ms, int64_t max_ms);

/* It works: the next failure is news again. */
void retry_worked(struct retry *r, int64_t now_ms);

/* Somebody has looked after it: the next failure is news, and its delay the
 * shortest. */
void retry_forget(struct retry *r);

/* It failed for this reason at now_ms. */
struct retry_plan retry_failed(struct retry *r, const char *text,
    int64_t now_ms);

/* It works until it has ended in good order.  Returns the delay before the
 * next attempt. */
int64_t retry_drained(struct retry *r, int64_t now_ms);

/* Logs "object: text, retrying in ..." as planned; with -v always. */
void retry_log(const struct retry_plan *plan, const char *object,
    const char *text);

#endif
