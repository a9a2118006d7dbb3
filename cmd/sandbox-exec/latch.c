/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/latch.h"

#include <sys/eventfd.h>

int
latch_init(struct latch *l)
{
	l->fd = eventfd(0, EFD_CLOEXEC);
	return l->fd == -1 ? -1 : 0;
}

void
latch_open(const struct latch *l)
{
	while (eventfd_write(l->fd, 1) != 0)
		;
}

void
latch_wait(const struct latch *l)
{
	eventfd_t count;

	while (eventfd_read(l->fd, &count) != 0)
		;
}
