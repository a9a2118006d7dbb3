/* SPDX-License-Identifier: ISC */
/* Foreign bytes as text: what is no UTF-8 becomes U+FFFD, one for each longest
 * start of a character, as browsers and Node have it. */
#ifndef ADIT_SANDBOX_TEXT_H
#define ADIT_SANDBOX_TEXT_H

#include "common/buf.h"

/* Appends.  Returns 0, or -1 with ENOBUFS or ENOMEM and some of it
 * appended. */
int text_add(struct buf *out, struct bytes in);

/* The same, on one line: control characters become U+FFFD too. */
int text_add_line(struct buf *out, struct bytes in);

#endif
