/* SPDX-License-Identifier: ISC */
/* One process waits until another one opens it, once.  Both share their memory
 * (CLONE_VM), and with it errno, which neither changes here. */
#ifndef ADIT_SANDBOX_LATCH_H
#define ADIT_SANDBOX_LATCH_H

struct latch {
	int opened; /* 0 or 1 */
};

void latch_open(struct latch *l);
void latch_wait(struct latch *l);

/* What latches are made of, for a word that says more: waits while it has the
 * value seen (it may return early), and wakes who does. */
void latch_wait_word(int *word, int seen);
void latch_wake_word(int *word);

#endif
