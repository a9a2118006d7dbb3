/* SPDX-License-Identifier: ISC */
/* Guesses what the opaque bytes of a DATA frame are: TLS records, which is
 * what the streams of a tunnel carry.  Pure. */
#ifndef FRAME_DUMP_HINT_H
#define FRAME_DUMP_HINT_H

#include "common/buf.h"

/* Appends to out the TLS records that in begins with, such as
 * "handshake:client_hello/512" or "application_data/96,alert/2", the number
 * being the length of each; "+" at the end says that more bytes follow.
 * Returns whether in looks like a record at all; nothing is appended
 * otherwise.  RFC 8446 sections 4, 5.1 and 6. */
bool hint_tls(struct buf *out, struct bytes in);

#endif
