/* SPDX-License-Identifier: ISC */
/* Host names to addresses without blocking, through c-ares: /etc/hosts, then
 * DNS for A and AAAA.  Nothing is cached: one query, one dial. */
#ifndef ADIT_RESOLVE_H
#define ADIT_RESOLVE_H

#include <ev.h>

#include "common/sock.h"

enum {
	RESOLVE_MAX = 16,          /* addresses of one name; more are dropped */
	RESOLVE_TIMEOUT_MS = 5000, /* of the whole query */
};

/* The addresses in the order to try them, with the port asked for; or count 0
 * and why.  Both are valid during the call only. */
typedef void resolve_done(void *user, const struct sock_addr *addrs,
    size_t count, const struct error *why);

/* One query. */
struct resolve;

/* Once per process, before the first query and after the last.  Returns 0,
 * or -1 with a text. */
int resolve_init(struct error *e);
void resolve_exit(void);

/* Starts to resolve host, a name or an address; a name with a dot at its end is
 * asked for as it is, without the search list of resolv.conf(5).  server: "address:port" of
 * the DNS server to ask, or NULL for those of resolv.conf(5).  done is called
 * once, from the loop and never from inside this function, and the query is
 * then over: no resolve_cancel.  Returns the query, or NULL with a text. */
struct resolve *resolve_start(struct ev_loop *loop, const char *server,
    const char *host, uint16_t port, resolve_done *done, void *user,
    struct error *e);

/* Ends a query whose done was not called yet; it will not be. */
void resolve_cancel(struct resolve *r);

#endif
