/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/stack.h"

#include <stddef.h>
#include <sys/mman.h>

enum { SIZE = 1 << 20, GUARD = 64 << 10 };

char *
stack_make(void)
{
	char *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (at == MAP_FAILED || mprotect(at, GUARD, PROT_NONE) != 0)
		return NULL;
	return at + SIZE;
}
