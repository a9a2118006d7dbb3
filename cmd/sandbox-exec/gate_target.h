/* SPDX-License-Identifier: ISC */
/* What a client inside wants to reach, and whether the allow list lets it.
 * A target is decided once; the same bytes are resolved, compared with what
 * the client says later (Host, SNI) and dialed.  Pure. */
#ifndef ADIT_SANDBOX_GATE_TARGET_H
#define ADIT_SANDBOX_GATE_TARGET_H

#include "cmd/sandbox-exec/allow.h"
#include "cmd/sandbox-exec/gate_fake.h"
#include "common/guard.h"
#include "common/sock.h"

enum {
	GATE_REASON_MAX = 320,
	GATE_SENTENCE_MAX = 640,
};

struct gate_target {
	char name[ALLOW_HOST_MAX + 1]; /* canonical; "": ip is meant */
	uint8_t ip[16];
	uint16_t port;
};

struct gate_verdict {
	bool allowed;
	bool opaque; /* nothing is asked of what is said over it */
	char rule[ALLOW_TEXT_MAX];    /* the entry that allows it, or "" */
	char reason[GATE_REASON_MAX]; /* a clause: "no entry of ..." */
};

/* Reads a host as a client writes it: a name, or an address of either family
 * without brackets; one of the made-up addresses stands for its name.
 * Returns 0, or -1 with a text. */
int gate_target_parse(struct bytes host, uint16_t port,
    const struct gate_fakes *fakes, struct gate_target *ret,
    struct error *e);

/* The same for the address that a captured connection was meant for. */
void gate_target_from_address(const struct sockaddr *a,
    const struct gate_fakes *fakes, struct gate_target *ret);

/* Writes the name or the address.  Returns out. */
const char *gate_target_host(const struct gate_target *t,
    char out[static ALLOW_HOST_MAX + 1]);

/* Decides by the list alone; nothing is resolved for what is refused. */
void gate_target_decide(const struct gate_target *t, const struct policy *p,
    struct gate_verdict *ret);

/* Whether an entry names the host with any port: what the resolver tells. */
bool gate_target_is_known(const char *name, const struct policy *p);

/* Keeps, in order, the addresses that may be dialed: those of the Internet,
 * private ones only within a range of the list that has the port.  Returns
 * how many; if 0, e says what the last one is. */
size_t gate_target_guard(const struct gate_target *t, const struct policy *p,
    struct sock_addr *addrs, size_t count, struct error *e);

/* "example.org:443 is refused: ..." for an audit line, a 403, a model.
 * Returns out. */
const char *gate_target_sentence(const struct gate_target *t,
    const struct gate_verdict *v, char out[static GATE_SENTENCE_MAX]);

#endif
