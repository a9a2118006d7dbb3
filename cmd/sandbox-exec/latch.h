/* SPDX-License-Identifier: ISC */
/* A word in memory that two processes share (CLONE_VM): one waits until the
 * other opens it, once (futex(2)). */
#ifndef ADIT_SANDBOX_LATCH_H
#define ADIT_SANDBOX_LATCH_H

#include <stdint.h>

struct latch {
	uint32_t opened; /* starts as 0 */
};

void latch_open(struct latch *l);
void latch_wait(struct latch *l);

#endif
