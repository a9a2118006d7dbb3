/* SPDX-License-Identifier: ISC */
/* What runs for a route: its idle connections, its bridge, its policy's
 * program.  It is counted: the configuration in use holds it, and so does
 * whatever began under the route, which ends under it though the route may
 * have been changed or removed since. */
#ifndef ADIT_MCP_PROXY_SERVICE_H
#define ADIT_MCP_PROXY_SERVICE_H

#include "cmd/mcp-proxy/proxy.h"

struct kept;
struct program;

/* Connections to the route's upstream that wait for a request. */
struct idle_pool {
	struct upstream *first; /* the one used last */
	size_t count;
};

struct service {
	struct service *next_dead;
	struct proxy *proxy;
	struct config_route *route;
	size_t refs;
	bool retired;             /* the configuration in use has it no more */
	struct idle_pool pool;
	struct bridge *bridge;    /* NULL: not stdio, or retired */
	struct program *program;  /* of its policy, or NULL */
	struct kept *roster;      /* of its agents, or NULL */
	struct kept *keys;        /* of its agents' issuer, or NULL */
	struct kept *headers;     /* that requests get, or NULL */
};

/* Makes what runs for r, which has none, and holds it for the configuration.
 * moves: without a bridge, since that of another route goes on for it.
 * Returns 0, or -1 with a text. */
int service_start(struct proxy *p, struct config_route *r, bool moves,
    struct error *e);

/* The configuration in use has it no more; NULL is nothing. */
void service_retire(struct service *s);

/* Whether the route is one of the configuration in use. */
bool service_is_current(const struct config_route *r);

/* For as long as something goes on for r; NULL is nothing. */
void service_hold(const struct config_route *r);
void service_drop(const struct config_route *r);

/* Frees those that nobody holds.  Only from the loop itself, or what it calls
 * first: nothing may be in the middle of a service. */
void service_reap(struct proxy *p);

#endif
