/* SPDX-License-Identifier: ISC */
/* The lease of a work item: when to beat, with which value, and what an
 * answer means for the item.  Pure; times are clock_ms. */
#ifndef ADIT_LEASE_H
#define ADIT_LEASE_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	LEASE_INTERVAL_MS = 30000,   /* until the first answer, and at most */
	LEASE_INTERVAL_MIN_MS = 1000,
	LEASE_TTL_MS = 90000,        /* until the first answer */
	LEASE_TTL_MAX_MS = 24 * 3600 * 1000,
	LEASE_STAMP_MAX = 128,
	LEASE_ANSWER_MAX = 65536,
};

/* How it ended; the first reason stays. */
enum lease_end {
	LEASE_HELD,
	LEASE_STOPPING,     /* the server wants the item to end */
	LEASE_LOST,         /* it belongs to somebody else */
	LEASE_REJECTED,     /* the server refuses beats */
	LEASE_ASSUMED_LOST, /* no beat came through for too long */
	LEASE_LEFT,         /* we stopped beating, and stop nothing */
	LEASE_RELEASED,     /* we are done with it */
};

struct lease {
	char last[LEASE_STAMP_MAX]; /* last_heartbeat, as the server wrote it */
	char state[32];             /* of the item, as the last answer said */
	int64_t ttl_ms, interval_ms;
	int64_t success_ms;         /* when a beat last came through */
	bool answered;              /* ttl_ms is the server's */
	enum lease_end end;
};

void lease_init(struct lease *l, int64_t now_ms);

/* Takes the answer to a beat: status 0 if none came.  Returns 0, or -1 with
 * a text if it was no success; l->end says what follows. */
int lease_answer(struct lease *l, long status, struct bytes body,
    int64_t now_ms, struct error *e);

/* Ends it for a reason of our own, unless it has ended. */
void lease_finish(struct lease *l, enum lease_end end);

/* Whether the item is not ours any more: it must not be stopped by us. */
bool lease_is_lost(const struct lease *l);

#endif
