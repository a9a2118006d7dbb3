/* SPDX-License-Identifier: ISC */
/* Asks the kernel where an address leads. */
#ifndef ADIT_SANDBOX_GATE_ROUTE_H
#define ADIT_SANDBOX_GATE_ROUTE_H

#include "common/sock.h"

/* Whether what is sent to the address arrives at this machine: one of its
 * own, or one of a range that is routed to itself.  Returns 1 or 0; or -1 if
 * the kernel does not say. */
int gate_route_is_local(const struct sock_addr *a);

#endif
