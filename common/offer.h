/* SPDX-License-Identifier: ISC */
/* Bytes for a descriptor whose other end may not read, and which others
 * share: to make it non-blocking would be their affair too. */
#ifndef ADIT_OFFER_H
#define ADIT_OFFER_H

#include <sys/types.h>

#include "common/bytes.h"

/* Writes what fd takes without waiting.  Returns how much that was, or -1
 * with errno, EAGAIN if it takes nothing.  Where a pipe or a terminal cannot
 * be opened again (it is another user's, there is no /proc) it is asked
 * first, and has to wait if somebody else fills it in between. */
ssize_t offer_write(int fd, struct bytes in);

#endif
