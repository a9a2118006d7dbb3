/* SPDX-License-Identifier: ISC */
/* The configuration file, read anew while requests go on. */
#ifndef ADIT_MCP_PROXY_RELOAD_H
#define ADIT_MCP_PROXY_RELOAD_H

#include "cmd/mcp-proxy/server.h"

/* Once, before reload_start. */
void reload_init(struct server *s);

/* Has the server use what the file says now, as soon as the programs that are
 * new compile; until then all goes on as it was.  If anything is wrong with
 * it, a warning tells what, and nothing changes.  While a reload is under way,
 * another follows it. */
void reload_start(struct server *s);

/* Gives up one that is under way. */
void reload_stop(struct server *s);

/* Shows what the configuration in use wants to have shown, unless -v or -q
 * says otherwise. */
void reload_level(const struct server *s);

#endif
