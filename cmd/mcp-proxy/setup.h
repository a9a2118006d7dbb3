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
 * shared with it, and that stays in use until setup_use or setup_cancel.  c,
 * from malloc, is taken over.  Programs of policies may compile yet, see
 * policy_state.  Returns 0, or -1 with a text and an exit status in e->code:
 * then nothing has changed, and c is freed. */
int setup_prepare(struct setup *u, struct proxy *p, struct config *c,
    struct error *e);

/* Frees what was prepared, and not used. */
void setup_cancel(struct setup *u, struct proxy *p);

/* Has p use it; programs have compiled.  What began under a route that was
 * changed or removed ends under it. */
void setup_use(struct setup *u, struct proxy *p);

/* Ends what runs for the configuration in use, if there is one. */
void setup_end(struct proxy *p);

#endif
