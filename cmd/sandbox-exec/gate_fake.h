/* SPDX-License-Identifier: ISC */
/* Made-up addresses that stand for names inside: 198.18.0.0/15 (RFC 2544)
 * and fd00::/64, the same number in both.  A name keeps its addresses for the
 * life of the sandbox, and so of the gate's process: none is ever freed.
 * Pure. */
#ifndef ADIT_SANDBOX_GATE_FAKE_H
#define ADIT_SANDBOX_GATE_FAKE_H

#include <stddef.h>
#include <stdint.h>

enum { GATE_FAKES_MAX = 4096 };

/* All zero: none. */
struct gate_fakes {
	char **names;
	size_t count;
};

/* Finds or makes the addresses of a canonical name.  Returns 0, or -1 with
 * ENOSPC (all are taken) or ENOMEM. */
int gate_fake_assign(struct gate_fakes *f, const char *name,
    uint8_t ret_v4[static 4], uint8_t ret_v6[static 16]);

/* The name that an address (IPv4 as ::ffff:a.b.c.d) was given to, or
 * NULL. */
const char *gate_fake_name(const struct gate_fakes *f,
    const uint8_t ip[static 16]);

#endif
