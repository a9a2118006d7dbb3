/* SPDX-License-Identifier: ISC */
/* The operator's certificate and key, loaded again when a file changes. */
#ifndef ADIT_MCP_PROXY_KEYS_H
#define ADIT_MCP_PROXY_KEYS_H

#include <sys/stat.h>

#include "cmd/mcp-proxy/proxy.h"

/* What tells one state of a file from another. */
struct keys_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
};

struct keys {
	struct proxy *proxy;
	ev_timer timer;
	struct keys_stamp loaded[2]; /* certificate and key */
	struct keys_stamp seen[2];   /* at the last look */
};

/* Loads them into p->server_tls and begins to look after them.  Returns 0, or
 * -1 with a text. */
int keys_start(struct keys *k, struct proxy *p, struct error *e);

/* Loads them again now; on failure the old ones stay and a warning is
 * printed. */
void keys_reload(struct keys *k);
void keys_stop(struct keys *k);

#endif
