/* SPDX-License-Identifier: ISC */
/* The name server of the sandbox, over UDP and TCP.  It asks nobody. */
#ifndef ADIT_SANDBOX_GATE_RESOLVER_H
#define ADIT_SANDBOX_GATE_RESOLVER_H

#include "cmd/sandbox-exec/gate_dns.h"
#include "cmd/sandbox-exec/gate_state.h"

/* Answers one message and logs the decision.  Returns the answer's length, 0
 * for none. */
size_t gate_resolver_answer(struct gate *g, struct bytes query,
    uint8_t out[static GATE_DNS_ANSWER_MAX]);

/* Serves what waits on the UDP socket. */
void gate_resolver_serve(struct gate *g, int fd);

#endif
