/* SPDX-License-Identifier: ISC */
/* All that a configuration needs, made before the configuration is used: so
 * it is used whole, at the start and when it is read anew, or not at all. */
#ifndef ADIT_MCP_PROXY_SETUP_H
#define ADIT_MCP_PROXY_SETUP_H

#include "cmd/mcp-proxy/keys.h"

struct setup {
	struct config *config;
	struct keys_pair keys;
	struct tls_context *client_tls; /* NULL without an https route */
};

/* Makes what c needs; routes that the configuration in use has as well are
 * shared with it.  c, from malloc, is taken over.  Returns 0, or -1 with
 * a text and an exit status in e->code: then nothing has changed, and c is
 * freed. */
int setup_prepare(struct setup *u, struct proxy *p, struct config *c,
    struct error *e);

/* Has p use it.  What began under a route that was changed or removed ends
 * under it. */
void setup_use(struct setup *u, struct proxy *p);

/* Ends what runs for the configuration in use, if there is one. */
void setup_end(struct proxy *p);

#endif
