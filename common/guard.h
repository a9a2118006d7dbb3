/* SPDX-License-Identifier: ISC */
/* Decides which addresses may be dialed.  Pure: no name is resolved
 * here; every address that a name gave is asked about, and exactly that
 * address is dialed. */
#ifndef ADIT_GUARD_H
#define ADIT_GUARD_H

#include <sys/socket.h>

#include "common/bytes.h"
#include "common/error.h"

enum { GUARD_RANGES_MAX = 256 };

/* Addresses whose first bits equal those of ip; IPv4 as ::ffff:a.b.c.d. */
struct guard_range {
	uint8_t ip[16];
	uint8_t bits; /* 0 to 128 */
};

enum guard_mode {
	GUARD_PRIVATE, /* RFC 1918 and fc00::/7 */
	GUARD_LISTED,  /* exactly the ranges given */
	GUARD_OFF,     /* everything but what is always refused */
	GUARD_PUBLIC,  /* the Internet's, and the ranges given; never loopback */
};

struct guard {
	enum guard_mode mode;
	size_t count;
	struct guard_range ranges[GUARD_RANGES_MAX];
};

/* Makes g allow private addresses. */
void guard_init(struct guard *g);

/* Adds "10.0.0.0/8", "10.1.2.3", "fd12::/16" or "::1" and sets GUARD_LISTED;
 * bits after the prefix are ignored.  Returns 0, or -1 with a text. */
int guard_add(struct guard *g, const char *range, struct error *e);

/* Returns 0 if a may be dialed, or -1 with a text such as "127.0.0.1 is not
 * a private address".  An IPv6 address that carries an IPv4 address (mapped,
 * NAT64, 6to4, Teredo, ISATAP) is judged by both.  Link-local, cloud metadata,
 * multicast, unspecified and broadcast addresses are refused in every mode,
 * and so is every family but the two. */
int guard_check(const struct guard *g, const struct sockaddr *a,
    struct error *e);

#endif
