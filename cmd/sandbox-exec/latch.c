/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/latch.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

void
latch_open(struct latch *l)
{
	__atomic_store_n(&l->opened, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &l->opened, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void
latch_wait(struct latch *l)
{
	while (__atomic_load_n(&l->opened, __ATOMIC_SEQ_CST) == 0)
		syscall(SYS_futex, &l->opened, FUTEX_WAIT_PRIVATE, 0, NULL,
		    NULL, 0);
}
