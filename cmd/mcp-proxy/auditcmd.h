/* SPDX-License-Identifier: ISC */
/* "mcp-proxy audit verify|head": whether audit files are whole. */
#ifndef ADIT_MCP_PROXY_AUDITCMD_H
#define ADIT_MCP_PROXY_AUDITCMD_H

/* Runs the subcommand; argv[0] is the program and argv[1] is "audit".  Returns
 * an exit status; stdout is flushed. */
int auditcmd_run(int argc, char **argv);

#endif
