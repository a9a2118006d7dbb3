/* SPDX-License-Identifier: ISC */
/* Whether somebody wants work that blocks to be given up: something came, or
 * the end, on the descriptor that tells. */
#ifndef ADIT_WORKER_STOP_H
#define ADIT_WORKER_STOP_H

#include <poll.h>
#include <stdbool.h>

/* fd: -1 for nobody. */
static inline bool
stop_is_asked(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd != -1 && poll(&p, 1, 0) == 1;
}

#endif
