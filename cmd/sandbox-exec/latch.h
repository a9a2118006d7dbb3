/* SPDX-License-Identifier: ISC */
/* One process waits until another one opens it, once.  Both share their memory
 * (CLONE_VM), and with it errno, which neither changes here: a futex(2) would,
 * whenever the latch opens just before somebody waits. */
#ifndef ADIT_SANDBOX_LATCH_H
#define ADIT_SANDBOX_LATCH_H

struct latch {
	int fd; /* an eventfd(2); whoever closes everything closes it */
};

/* Returns 0, or -1 with errno. */
int latch_init(struct latch *l);

/* With signals blocked neither can fail. */
void latch_open(const struct latch *l);
void latch_wait(const struct latch *l);

#endif
