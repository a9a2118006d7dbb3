/* SPDX-License-Identifier: ISC */
/* "mcp-proxy agent add|list|remove": a file of agents, roster.h. */
#ifndef ADIT_MCP_PROXY_AGENTCMD_H
#define ADIT_MCP_PROXY_AGENTCMD_H

/* Runs the subcommand; argv[0] is the program and argv[1] is "agent".  Returns
 * an exit status; stdout is flushed. */
int agentcmd_run(int argc, char **argv);

#endif
