/* SPDX-License-Identifier: ISC */
/* What a hop reads from and writes to: a pair of descriptors (hop.h) or
 * a TLS connection (tls.h).  Never blocks. */
#ifndef ADIT_TRANSPORT_H
#define ADIT_TRANSPORT_H

#include <sys/types.h>

#include "common/bytes.h"

struct transport {
	/* Returns the bytes read, 0 at the end, or -1 with errno (EAGAIN:
	 * none now). */
	ssize_t (*read)(void *self, uint8_t *at, size_t cap);
	/* Returns the bytes taken, or -1 with errno (EAGAIN: none now).  more:
	 * another write follows at once. */
	ssize_t (*write)(void *self, struct bytes in, bool more);
	/* Whether read may return bytes that read_fd does not announce; NULL:
	 * never. */
	bool (*has_pending)(const void *self);
	/* The text for an errno of EPROTO, or NULL. */
	const char *(*error)(const void *self);
	/* Ends the connection and frees self. */
	void (*close)(void *self);
	void *self;
	int read_fd, write_fd; /* to wait on; may be the same */
};

#endif
