/* SPDX-License-Identifier: ISC */
/* SHA-256 (FIPS 180-4) for programs that must not link OpenSSL.  It takes
 * its time from the length of the text alone. */
#ifndef ADIT_SHA256_H
#define ADIT_SHA256_H

#include "common/bytes.h"

enum { SHA256_LEN = 32, SHA256_HEX_CAP = 2 * SHA256_LEN + 1 };

void sha256(struct bytes in, uint8_t out[static SHA256_LEN]);

/* The same in hexadecimal digits, with a NUL. */
void sha256_hex(struct bytes in, char out[static SHA256_HEX_CAP]);

#endif
