/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/latch.h"

#include <linux/futex.h>
#include <stdint.h>

#include "cmd/sandbox-exec/raw.h"

/* Not FUTEX_PRIVATE_FLAG: the kernel wakes as well (CLONE_CHILD_CLEARTID), and
 * does so without. */
void
latch_wait_word(int *word, int seen)
{
	raw_call(SYS_futex, (long)(uintptr_t)word, FUTEX_WAIT, seen, 0, 0);
}

void
latch_wake_word(int *word)
{
	raw_call(SYS_futex, (long)(uintptr_t)word, FUTEX_WAKE, 1, 0, 0);
}

void
latch_open(struct latch *l)
{
	__atomic_store_n(&l->opened, 1, __ATOMIC_RELEASE);
	latch_wake_word(&l->opened);
}

void
latch_wait(struct latch *l)
{
	while (__atomic_load_n(&l->opened, __ATOMIC_ACQUIRE) == 0)
		latch_wait_word(&l->opened, 0);
}
