/* SPDX-License-Identifier: ISC */
/* The operator's certificate and key, loaded again when a file changes. */
#ifndef ADIT_MCP_PROXY_KEYS_H
#define ADIT_MCP_PROXY_KEYS_H

#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/stamp.h"

struct keys {
	struct proxy *proxy;
	ev_timer timer;
	struct stamp loaded[2]; /* certificate and key */
	struct stamp seen[2];   /* at the last look */
};

/* Loads them into p->server_tls and begins to look after them.  Returns 0, or
 * -1 with a text. */
int keys_start(struct keys *k, struct proxy *p, struct error *e);

/* Loads them again now; on failure the old ones stay and a warning is
 * printed. */
void keys_reload(struct keys *k);
void keys_stop(struct keys *k);

#endif
