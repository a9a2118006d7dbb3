/* SPDX-License-Identifier: ISC */
/* UTF-8 (RFC 3629) that may be broken: what is no part of a valid sequence
 * counts as U+FFFD, one for each longest start of a sequence, as browsers and
 * Node decode it. */
#ifndef ADIT_SANDBOX_UTF8_H
#define ADIT_SANDBOX_UTF8_H

#include "common/buf.h"

#define UTF8_INVALID 0xffffffffU
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Takes the next character of in, which is not empty.  Returns how many bytes
 * it has, at least 1; *ret is UTF8_INVALID if they are none. */
size_t utf8_next(struct bytes in, uint32_t *ret);

/* Writes c, below 0x110000.  Returns its length. */
size_t utf8_put(uint8_t out[static 4], uint32_t c);

/* Appends in as valid UTF-8.  Returns 0, or -1 with ENOBUFS or ENOMEM and
 * some of it appended. */
int utf8_add(struct buf *out, struct bytes in);

/* The same, on one line: control characters become U+FFFD too. */
int utf8_add_line(struct buf *out, struct bytes in);

/* The length in UTF-16 units, what JavaScript calls length. */
size_t utf8_units(struct bytes in);

#endif
