/* SPDX-License-Identifier: ISC */

/* What the far end of a measured stream does, as a pure state machine that
 * knows no socket and no frame, so that a plain server and one that speaks
 * frames serve alike.
 *
 * The first payload byte chooses: 'U' is followed by a length in 8 bytes, big
 * endian, and that many bytes to swallow, and is answered by one 'U' when all
 * have come; 'D' is followed by a length and answered by that many bytes;
 * 'E' echoes everything, itself included.  The first `skip` bytes of a stream
 * (a ClientHello shown to a router) are dropped before that. */

#ifndef SERVICE_H
#define SERVICE_H

#include <stddef.h>
#include <stdint.h>

#define SERVICE_UP 'U'
#define SERVICE_DOWN 'D'
#define SERVICE_ECHO 'E'
#define SERVICE_HEAD_LEN 9

struct service {
	uint64_t skip;              /* bytes still to drop */
	uint64_t left;              /* bytes still to swallow or to send */
	size_t head_len;
	uint8_t head[SERVICE_HEAD_LEN];
};

/* What a stream is owed: `len` bytes at `ptr`, or, when ptr is NULL, `len`
 * bytes of any content.  ptr lives as long as the input it came from. */
struct reply {
	const uint8_t *ptr;
	uint64_t len;
};

void service_init(struct service *s, uint64_t skip);

/* Takes input and says what to answer.  0, or -1 for an unknown first byte. */
int service_take(struct service *s, const uint8_t *in, size_t in_len,
    struct reply *ret_reply);

/* Fills head with the request for an upload or download of `bytes`. */
void service_encode(uint8_t mode, uint64_t bytes,
    uint8_t head[SERVICE_HEAD_LEN]);

#endif
