/* SPDX-License-Identifier: ISC */
/* Base64 (RFC 4648).  Pure. */
#ifndef ADIT_BASE64_H
#define ADIT_BASE64_H

#include "common/buf.h"

enum base64_kind {
	BASE64_PADDED, /* section 4: its alphabet, with its padding */
	BASE64_ANY,    /* or that of section 5, with padding or without */
	BASE64_URL,    /* section 5: no padding, and no bits left over */
};

/* Appends what in says.  Returns 0; or -1 if it is not base64, or with ENOBUFS
 * or ENOMEM.  What was before it is appended then. */
int base64_decode(struct bytes in, enum base64_kind kind, struct buf *out);

#endif
