/* SPDX-License-Identifier: ISC */
/* sandbox-exec --mcp: the tools of one sandbox as a server of the Model
 * Context Protocol on standard input and output, for one client.  Revisions
 * 2025-06-18, 2025-11-25 and 2026-07-28, which may be mixed. */
#ifndef ADIT_SANDBOX_MCP_H
#define ADIT_SANDBOX_MCP_H

#include "cmd/sandbox-exec/options.h"
#include "cmd/sandbox-exec/session.h"

enum {
	MCP_CALLS_MAX = 64,           /* that wait, with the one that runs */
	MCP_CALLS_BYTES_MAX = 32 << 20, /* of their arguments */
	MCP_OUT_HIGH = 1 << 20,       /* output that waits: nothing is started,
				       * nothing read */
	MCP_PROGRESS_MS = 500,        /* between two, when there is output */
	MCP_SILENT_MS = 5000,         /* and when there is none */
};

/* Serves until the input ends.  Returns the exit status; what could not be
 * done was printed. */
int mcp_run(const struct options *o, struct audit *audit,
    struct zygote *zygote);

#endif
