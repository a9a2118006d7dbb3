/* SPDX-License-Identifier: ISC */
/* UTF-8 (RFC 3629 section 4).  Pure. */
#ifndef ADIT_UTF8_H
#define ADIT_UTF8_H

#include "common/bytes.h"

/* The length of the character at s, of which len bytes, at least 1, are
 * there; 0 if it is none. */
size_t utf8_len(const uint8_t *s, size_t len);

bool utf8_is_valid(struct bytes in);

#endif
