/* SPDX-License-Identifier: ISC */
/* The private directories of sessions below --state.  Each has a lock that its
 * processes hold, so that what is left of those that were killed, the memory
 * of agents among it, can be told from what is in use, and be removed. */
#ifndef ADIT_WORKER_LEFTOVER_H
#define ADIT_WORKER_LEFTOVER_H

enum {
	LEFTOVER_AGE_S = 60,     /* younger ones may not be locked yet */
	LEFTOVER_MS = 10000,     /* for all */
};

/* Says that dir is in use, as long as the descriptor that is returned is open;
 * several may.  Returns -1 with errno. */
int leftover_hold(const char *dir);

/* Removes those of this user below state that nobody holds.  May block for
 * LEFTOVER_MS. */
void leftover_remove_all(const char *state);

#endif
