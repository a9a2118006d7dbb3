/* SPDX-License-Identifier: ISC */
/* The gate: the only way from a sandbox to the network.  It is a process
 * outside, which accepts on listening sockets that were made inside, so that
 * nothing inside can reach it but through them.
 *
 * It speaks HTTP (CONNECT and absolute-form) and SOCKS 5 on the proxy's
 * port, answers DNS with made-up addresses for the names that are allowed,
 * and takes over what programs without a proxy send there.  For each
 * connection: the target is made canonical, looked up in the allow list, then
 * resolved, each address is judged, and one that passes is dialed; then what
 * the client says first has to be TLS or HTTP for that same name.
 *
 * SIGTERM has it pass on what was sent, for two seconds at most, and end;
 * SIGQUIT has it end. */
#ifndef ADIT_SANDBOX_GATE_H
#define ADIT_SANDBOX_GATE_H

#include "cmd/sandbox-exec/audit.h"
#include "cmd/sandbox-exec/confine.h"

/* Starts the gate for the listeners of c, which it gets copies of.  It ends
 * with the caller.  Returns its pid, or -1 with a text. */
pid_t gate_start(const struct policy *policy, const struct confine *c,
    struct audit *audit, struct error *e);

#endif
