/* SPDX-License-Identifier: ISC */
/* How much memory the processes of a sandbox have, where no control group
 * counts it: looked at from outside, from time to time. */
#ifndef ADIT_SANDBOX_RESIDENT_H
#define ADIT_SANDBOX_RESIDENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RESIDENT_PROCESSES_MAX = 16384,
	RESIDENT_PERIOD_MS = 200, /* between two looks, at least */
	RESIDENT_SHARE = 20,      /* a look takes one part of so many of the
				 * time, at most */
};

/* The bytes that init's descendants have for themselves: resident and not
 * shared with a file.  Those that come or go meanwhile may be missed.  proc_fd:
 * a /proc where init's pid is pid. */
int64_t resident_bytes(int proc_fd, pid_t pid);

struct resident_watch {
	int proc_fd;    /* -1: nothing is looked at */
	pid_t pid;      /* of init */
	int64_t max;    /* bytes */
	int64_t due_ms; /* when the next look is */
};

/* Looks at pid's descendants from now on.  Without a /proc nothing is looked
 * at. */
void resident_start(struct resident_watch *w, pid_t pid, int64_t max);

/* How long poll(2) may wait, -1 without end. */
int resident_wait_ms(const struct resident_watch *w);

/* Looks, if it is time.  Returns whether they have more than max. */
bool resident_look(struct resident_watch *w);

void resident_stop(struct resident_watch *w);

#endif
