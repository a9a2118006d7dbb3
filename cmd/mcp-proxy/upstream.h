/* SPDX-License-Identifier: ISC */
/* Connections to MCP servers.  A name is resolved once per connection, every
 * address is asked of the guard, and exactly an allowed one is dialed, so
 * that a name which changes its mind reaches nothing else.  Connections are
 * used again; an idle one that ended or has unasked bytes is not. */
#ifndef ADIT_MCP_PROXY_UPSTREAM_H
#define ADIT_MCP_PROXY_UPSTREAM_H

#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/reply.h"
#include "cmd/mcp-proxy/watchdog.h"
#include "cmd/mcp-proxy/wire.h"
#include "common/resolve.h"

enum {
	/* Node and uvicorn close an idle connection after 5 s; a request
	 * that meets the close is lost. */
	UPSTREAM_IDLE_MS = 4000,
	UPSTREAM_IDLE_MARGIN_MS = 1000, /* before Keep-Alive: timeout */
	UPSTREAM_IDLE_MAX = 64,         /* connections per route */
	UPSTREAM_ATTEMPT_MIN_MS = 250,  /* for one of several addresses */
	UPSTREAM_AGAIN_MS = 10,         /* after a full backlog */
};

enum upstream_state {
	UPSTREAM_RESOLVING,
	UPSTREAM_CONNECTING,
	UPSTREAM_SHAKING, /* hands, TLS */
	UPSTREAM_READY,   /* carries a request */
	UPSTREAM_IDLE,    /* in the pool */
};

/* Calls to whoever opened it, from the loop; the first two end the dialing. */
struct upstream_events {
	void (*ready)(void *user);
	/* It is gone already. */
	void (*failed)(void *user, const struct failure *why);
	void (*input)(void *user);
	void (*drained)(void *user);
	void (*broken)(void *user, int error);
};

struct idle_pool;

struct upstream {
	struct corpse corpse;
	struct proxy *proxy;
	const struct config_route *route;
	const struct upstream_events *events;
	void *user;
	enum upstream_state state;
	bool reused;                /* it carried a request before */
	uint64_t era;               /* of the proxy, when it was dialed */
	struct wire wire;
	struct watchdog watchdog;
	struct resolve *query;
	struct sock_addr addrs[RESOLVE_MAX]; /* allowed ones only */
	size_t addr_count, addr_next;
	int64_t deadline_ms;        /* of the dialing */
	struct failure why;         /* of the last attempt */
	struct upstream *newer, *older; /* in the pool */
};

/* Takes a connection from the pool, unless fresh is set, or dials one: it is
 * then READY at once or later.  Returns NULL and why when nothing can be
 * begun. */
struct upstream *upstream_open(struct proxy *p, const struct config_route *r,
    bool fresh, const struct upstream_events *events, void *user,
    struct failure *ret_why);

/* Puts it into the pool.  keep_alive_ms: what the upstream said about it, or
 * -1. */
void upstream_release(struct upstream *u, int64_t keep_alive_ms);

/* Closes it, or gives up dialing; abort: with a reset, so that the upstream
 * learns at once that nobody waits any more. */
void upstream_close(struct upstream *u);
void upstream_abort(struct upstream *u);

/* Closes everything in a pool, or in all. */
void upstream_close_pool(struct idle_pool *pool);
void upstream_close_idle(struct proxy *p);

#endif
