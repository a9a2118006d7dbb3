/* SPDX-License-Identifier: ISC */
/* Files that routes need, read again within two seconds after one has changed.
 * One that cannot be read then leaves what is in use, with a warning. */
#ifndef ADIT_MCP_PROXY_KEPT_H
#define ADIT_MCP_PROXY_KEPT_H

#include "cmd/mcp-proxy/proxy.h"

struct kept;

/* What a file is read into. */
struct kept_kind {
	const char *what; /* "agents", for people */
	/* Returns it, to be freed with done; or NULL with a text. */
	void *(*read)(const char *path, struct error *e);
	void (*done)(void *value);
};

/* The file of that kind, which is read unless somebody holds it already.
 * Returns NULL with a text. */
struct kept *kept_hold(struct proxy *p, const struct kept_kind *kind,
    const char *path, struct error *e);
void kept_drop(struct proxy *p, struct kept *k); /* NULL is nothing */

/* What it was read into: until the next turn of the loop. */
const void *kept_value(const struct kept *k);

/* Begins, and ends, to look after the files. */
void kept_start(struct proxy *p);
void kept_stop(struct proxy *p);

#endif
