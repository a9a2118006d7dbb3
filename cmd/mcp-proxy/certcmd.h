/* SPDX-License-Identifier: ISC */
/* "mcp-proxy cert make|renew|check": certificates for the inner TLS. */
#ifndef ADIT_MCP_PROXY_CERTCMD_H
#define ADIT_MCP_PROXY_CERTCMD_H

/* Runs the subcommand; argv[0] is the program and argv[1] is "cert".  Returns
 * an exit status; stdout is flushed. */
int certcmd_run(int argc, char **argv);

#endif
