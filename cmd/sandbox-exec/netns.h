/* SPDX-License-Identifier: ISC */
/* The sandbox's own network: a loopback, and for the gate listening sockets
 * that are made inside and used outside. */
#ifndef ADIT_SANDBOX_NETNS_H
#define ADIT_SANDBOX_NETNS_H

#include "cmd/sandbox-exec/confine.h"

/* In init: brings lo up.  Returns 0, or -1 with errno. */
int netns_up(void);

/* A descriptor of the network namespace that the caller is in, which it has
 * made: without /proc, which may be another one by then or none.  Returns -1
 * with errno. */
int netns_open(void);

/* In init, after netns_up: makes every address local, so that a listener on
 * a port gets what is meant for any host, and opens the gate's sockets.
 * Returns 0 and fills at (CONFINE_LISTENERS_MAX of them), or -1 with a
 * text. */
int netns_listen(const struct policy *p, struct confine_listener *at,
    size_t *ret_count, struct error *e);

#endif
