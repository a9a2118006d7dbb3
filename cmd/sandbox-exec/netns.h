/* SPDX-License-Identifier: ISC */
/* The sandbox's own network: a loopback, and for the gate listening sockets
 * that are made inside and used outside. */
#ifndef ADIT_SANDBOX_NETNS_H
#define ADIT_SANDBOX_NETNS_H

#include "cmd/sandbox-exec/confine.h"

/* In a network that the caller has made: brings lo up, where somebody else's
 * kernel has not done so.  Returns 0 or an error number; errno stays. */
int netns_up(void);

/* In init, after netns_up: makes every address local, so that a listener on
 * a port gets what is meant for any host, and opens the gate's sockets.
 * Returns 0 and fills at (CONFINE_LISTENERS_MAX of them), or -1 with a
 * text. */
int netns_listen(const struct policy *p, struct confine_listener *at,
    size_t *ret_count, struct error *e);

/* Makes a network namespace with a loopback that is up, and nobody in it: for
 * netns_join later, which takes two microseconds instead of half a
 * millisecond.  It lasts as long as its descriptor.  An ordinary user's
 * belongs to a user namespace in which the caller has its own ids.  The
 * caller has a single thread.  Returns the descriptor, or -1 with errno. */
int netns_make(void);

/* Takes the calling process into a network namespace for one sandbox with
 * POLICY_NET_NONE, which confine_start then makes without one of its own
 * (policy->netns_fd).  The caller cannot come back, and an ordinary user's is
 * in the user namespace of the network's then.  Refused unless the namespace
 *
 * - belongs to the caller or to root: nobody else can give it interfaces;
 * - has nothing but a loopback;
 * - has no socket of any kind in it;
 * - is not locked (flock(2)) by another sandbox: loopback ports and abstract
 *   Unix sockets are common to all that is in one.
 *
 * The lock is the descriptor's: init keeps it until the sandbox is gone.
 * Returns 0, or -1 with a text. */
int netns_join(int fd, struct error *e);

/* Whether /proc/net/dev tells of lo alone. */
bool netns_is_lonely(const char *dev);

/* Whether /proc/net/sockstat tells of no socket. */
bool netns_is_unused(const char *sockstat);

#endif
