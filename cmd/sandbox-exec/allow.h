/* SPDX-License-Identifier: ISC */
/* The entries of an allow list, and the one canonical form of a name: what
 * is compared, resolved and dialed are the same bytes.  Pure.
 *
 *	example.org            the name, ports 80 and 443
 *	*.example.org:8443     every name below it, not the name itself
 *	10.1.2.0/24:5432       a range; without a port: every port
 *	[2001:db8::/32]:443    the brackets are for the port's sake
 *	tcp:example.org:22     no TLS or HTTP is asked for
 */
#ifndef ADIT_SANDBOX_ALLOW_H
#define ADIT_SANDBOX_ALLOW_H

#include "cmd/sandbox-exec/policy.h"

enum {
	ALLOW_HOST_MAX = 253,
	ALLOW_TEXT_MAX = ALLOW_HOST_MAX + 16, /* of an entry, with the NUL */
};

/* Writes the canonical form of a host name from anywhere (an option, CONNECT,
 * SOCKS, Host, SNI, a DNS question): lower case, one dot at its end taken
 * away.  Returns 0; or -1 with a text for whatever is no name of letters,
 * digits and hyphens, and for what some resolvers take for an address
 * ("127.1", "0x7f000001"). */
int allow_canonical(struct bytes in, char out[static ALLOW_HOST_MAX + 1],
    struct error *e);

/* Reads an address of either family, strictly, IPv4 as ::ffff:a.b.c.d.
 * Returns 0, or -1 with EINVAL. */
int allow_parse_ip(const char *text, uint8_t ret[static 16]);

/* Reads an entry.  Returns 0, to be freed with allow_done; or -1 with a
 * text. */
int allow_parse(const char *text, struct policy_allow *ret, struct error *e);
void allow_done(struct policy_allow *a);

/* Writes the canonical form of an entry, which allow_parse reads. */
void allow_format(const struct policy_allow *a,
    char out[static ALLOW_TEXT_MAX]);

/* Whether all that b allows is allowed by a. */
bool allow_covers(const struct policy_allow *a, const struct policy_allow *b);

/* The entry that allows a canonical name or an address and a port, or NULL;
 * an opaque one if there is one.  0.0.0.0/0 is for IPv4, ::/0 for IPv6. */
const struct policy_allow *allow_find_name(const struct policy *p,
    const char *name, uint16_t port);
const struct policy_allow *allow_find_ip(const struct policy *p,
    const uint8_t ip[static 16], uint16_t port);

#endif
