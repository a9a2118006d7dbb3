/* SPDX-License-Identifier: ISC */
/* UTF-8 (RFC 3629 section 4).  Pure. */
#ifndef ADIT_UTF8_H
#define ADIT_UTF8_H

#include "common/bytes.h"

#define UTF8_INVALID 0xffffffffU
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Takes the next character of in, which is not empty.  Returns how many bytes
 * it has, at least 1.  *ret is UTF8_INVALID if they are none: they then are
 * what browsers and Node make one U+FFFD of. */
size_t utf8_next(struct bytes in, uint32_t *ret);

/* Writes c, below 0x110000.  Returns its length. */
size_t utf8_put(uint8_t out[static 4], uint32_t c);

/* The length in UTF-16 units, what JavaScript calls length. */
size_t utf8_units(struct bytes in);

/* The length of the character at s, of which len bytes, at least 1, are
 * there; 0 if it is none. */
size_t utf8_len(const uint8_t *s, size_t len);

bool utf8_is_valid(struct bytes in);

/* Whether a terminal obeys c instead of showing it: controls, C1 included, what
 * is invisible or turns the direction of what follows, UTF8_INVALID. */
bool utf8_is_control(uint32_t c);

#endif
