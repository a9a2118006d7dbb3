/* SPDX-License-Identifier: ISC */
/* The operator's certificate and key, loaded again when a file changes. */
#ifndef ADIT_MCP_PROXY_KEYS_H
#define ADIT_MCP_PROXY_KEYS_H

#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/stamp.h"

/* What is served with, and the files that it is from as they were. */
struct keys_pair {
	struct tls_context *tls;
	struct stamp stamps[2]; /* certificate and key */
};

struct keys {
	struct proxy *proxy;
	ev_timer timer;
	struct stamp loaded[2]; /* certificate and key */
	struct stamp seen[2];   /* at the last look */
};

/* Loads those that c names, and warns of what agents or the operator would
 * better not find in them.  Returns 0, or -1 with a text. */
int keys_load(struct keys_pair *pair, const struct config *c,
    struct error *e);
void keys_pair_done(struct keys_pair *pair);

/* Has the proxy serve with a pair, which is taken over, and looks after its
 * files.  k is zeroed. */
void keys_start(struct keys *k, struct proxy *p, struct keys_pair *pair);

/* The same for another pair, of c, afterwards; and says so. */
void keys_take(struct keys *k, struct keys_pair *pair,
    const struct config *c);
void keys_stop(struct keys *k);

#endif
