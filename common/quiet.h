/* SPDX-License-Identifier: ISC */
/* Keeps a flood from filling the log: of lines of one kind so many are shown
 * for each source and for all together, then one now and then, with how many
 * were left out meanwhile. */
#ifndef ADIT_QUIET_H
#define ADIT_QUIET_H

#include <ev.h>

#include "common/pacer.h"

enum {
	QUIET_SOURCE_BURST = 10,  /* lines of a kind about one source, */
	QUIET_BURST = 50,         /* and about all, */
	QUIET_EVERY_MS = 10000,   /* then one in this time */
	QUIET_KINDS_MAX = 48,
};

struct quiet {
	struct ev_loop *ev;
	struct pacer sources;
	int64_t full_ms[QUIET_KINDS_MAX];  /* see pacer_take_one */
	uint64_t left_out[QUIET_KINDS_MAX];
	ev_timer summary; /* active while lines were left out, if no line
	                   * of their kind says so before */
	void (*say)(unsigned kind, uint64_t left_out);
};

/* say prints that so many lines of a kind were left out. */
void quiet_init(struct quiet *q, struct ev_loop *ev,
    void (*say)(unsigned kind, uint64_t left_out));

/* Says what was left out and not yet said. */
void quiet_done(struct quiet *q);

/* Whether the caller may print a line of this kind (below QUIET_KINDS_MAX)
 * about source (pacer_source, or 0) at now_ms of clock_ms.  If so, calls say
 * first for those before it. */
bool quiet_allows(struct quiet *q, unsigned kind, uint64_t source,
    int64_t now_ms);

#endif
