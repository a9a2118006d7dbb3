/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/stack.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/sandbox-exec/raw.h"
#include "common/compat.h"

enum { SIZE = 1 << 20, GUARD = 64 << 10, USED = 40 << 10, WARM = 60 << 10 };

void
stack_warm(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);

	madvise((void *)(at - WARM), WARM, MADV_POPULATE_WRITE);
}

char *
stack_make(void)
{
	char *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (at == MAP_FAILED || mprotect(at, GUARD, PROT_NONE) != 0)
		return NULL;
	/* Older kernels refuse it. */
	raw_call(SYS_madvise, (long)(uintptr_t)(at + SIZE - USED), USED,
	    MADV_POPULATE_WRITE, 0, 0);
	return at + SIZE;
}
