/* SPDX-License-Identifier: ISC */
/* Bytes for a descriptor that others share: whether it is non-blocking is
 * their affair too, and they can change it. */
#ifndef ADIT_OFFER_H
#define ADIT_OFFER_H

#include <sys/types.h>

#include "common/bytes.h"

/* Writes what fd takes without waiting.  Returns how much that was, or -1
 * with errno, EAGAIN if it takes nothing.  Where a pipe or a terminal cannot
 * be opened again (it is another user's, there is no /proc) it is asked
 * first, and has to wait if somebody else fills it in between. */
ssize_t offer_write(int fd, struct bytes in);

/* Writes all of it, and waits as long as that takes, even if somebody has made
 * fd non-blocking.  Returns 0, or -1 with errno. */
int offer_all(int fd, struct bytes in);

#endif
