/* SPDX-License-Identifier: ISC */
/* What is going on and has been, see promfile.h and mcp-proxy(1), METRICS. */
#ifndef ADIT_MCP_PROXY_METRICS_H
#define ADIT_MCP_PROXY_METRICS_H

#include "cmd/mcp-proxy/server.h"

/* Keeps them in the file path from now on, until promfile_stop; NULL is no file.
 * Returns 0, or -1 with a text. */
int metrics_start(struct server *s, const char *path, struct error *e);

#endif
