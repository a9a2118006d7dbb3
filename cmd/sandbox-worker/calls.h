/* SPDX-License-Identifier: ISC */
/* Many calls of the API at the same time, for a process that has nothing else
 * to do meanwhile: calls_run returns when all have ended, or their time is
 * up.
 *
 * How many run at once is found out as TCP finds it: CALLS_FIRST, one more
 * for each that succeeds, half as many when the service says that it has too
 * much to do; and then no call begins before the time that it asked for. */
#ifndef ADIT_WORKER_CALLS_H
#define ADIT_WORKER_CALLS_H

#include "cmd/sandbox-worker/api.h"

enum {
	CALLS_MAX = 64,        /* at once */
	CALLS_FIRST = 4,
	CALLS_CALL_MS = 60000, /* for one attempt */
};

#define CALLS_NO_DEADLINE INT64_MAX

struct calls;

/* What a call is about, for the caller. */
struct calls_subject {
	void *group, *item;
};

struct calls_work {
	void *user;
	size_t at_once;       /* at most; 1 to CALLS_MAX */
	int64_t deadline_ms;  /* of clock_ms, or CALLS_NO_DEADLINE */
	int stop_fd;          /* all is given up when it is readable; or -1 */
	/* Begins what comes next, by calls_start, unless there is nothing to
	 * be done about it.  Returns false if there is nothing left. */
	bool (*next)(struct calls *c, void *user);
	/* A call has ended.  e is NULL when an answer came whole; its body may
	 * be taken.  Another call may be started, as a part of this one.  A
	 * call that was cut off may have arrived (r->ambiguous). */
	void (*done)(struct calls *c, void *user,
	    const struct calls_subject *about, struct api_response *r,
	    const struct error *e);
};

/* Runs the calls of a from now on.  Returns NULL with a text. */
struct calls *calls_new(struct api *a, struct error *e);
void calls_free(struct calls *c); /* may be NULL; a stays */

/* Does the work.  Returns 0, or -1 if it was cut off: what next has not begun
 * is left. */
int calls_run(struct calls *c, const struct calls_work *w);

/* Starts a call, from next or done; to_fd and timeout_ms are set here.
 * Returns 0, or -1 with a text. */
int calls_start(struct calls *c, const struct api_request *r,
    const struct calls_subject *about, struct error *e);

#endif
