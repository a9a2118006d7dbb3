/* SPDX-License-Identifier: ISC */
/* The configuration file, read anew while requests go on. */
#ifndef ADIT_MCP_PROXY_RELOAD_H
#define ADIT_MCP_PROXY_RELOAD_H

#include "cmd/mcp-proxy/server.h"

/* Has the server use what the file says now.  If anything is wrong with it,
 * a warning tells what, and nothing changes. */
void reload_run(struct server *s);

/* Shows what the configuration in use wants to have shown, unless -v or -q
 * says otherwise. */
void reload_level(const struct server *s);

#endif
