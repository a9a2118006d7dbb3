/* SPDX-License-Identifier: ISC */
/* How many bytes per second one direction of a tunnel carries: a token bucket
 * that the streams of the tunnel share in turn.  Nothing is dropped; whoever
 * wants more than there is waits in a queue and is called when it may go on.
 * A zeroed meter, and one of rate 0, lets everything pass. */
#ifndef ADIT_METER_H
#define ADIT_METER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream's place in the queue; zeroed: it does not wait. */
struct meter_wait {
	struct meter_wait *next, *prev;
};

struct meter {
	int64_t rate, burst;     /* bytes per second, and at once at most */
	int64_t tokens;          /* bytes that may pass */
	int64_t spare;           /* and so many millionths of one */
	int64_t filled_us;
	size_t chunk;            /* of one stream before the next */
	struct meter_wait queue; /* its ends */
	struct meter_wait *turn; /* whose turn it is, */
	size_t turn_left;        /* and what is left of it */
	struct ev_loop *ev;
	ev_timer refill;         /* active while somebody waits */
	void (*go)(struct meter_wait *w);
};

/* Gives m another rate, 0 for none, and burst.  go is called, from the loop,
 * for each that waits when its turn has come. */
void meter_set(struct meter *m, struct ev_loop *ev, int64_t rate,
    int64_t burst, void (*go)(struct meter_wait *w));

/* Out of line what a meter without a rate has no need of. */
size_t meter_grant(struct meter *m, struct meter_wait *w, size_t want);
void meter_take(struct meter *m, size_t n);
void meter_queue(struct meter *m, struct meter_wait *w);

/* How many of the wanted bytes (at least one) may pass now.  If that is 0, w
 * waits in the queue. */
static inline size_t
meter_ask(struct meter *m, struct meter_wait *w, size_t want)
{
	return m->rate == 0 ? want : meter_grant(m, w, want);
}

/* So many of the bytes that were granted have passed. */
static inline void
meter_spend(struct meter *m, size_t n)
{
	if (m->rate != 0)
		meter_take(m, n);
}

/* Puts w at the end of the queue, unless it is there: it has more. */
static inline void
meter_rejoin(struct meter *m, struct meter_wait *w)
{
	if (m->rate != 0)
		meter_queue(m, w);
}

/* Takes w out of the queue if it is there. */
void meter_leave(struct meter *m, struct meter_wait *w);

#endif
