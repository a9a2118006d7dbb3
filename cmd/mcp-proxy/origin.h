/* SPDX-License-Identifier: ISC */
/* Where an upstream is, as it is written in the configuration file: exactly
 * scheme://host:port. */
#ifndef ADIT_MCP_PROXY_ORIGIN_H
#define ADIT_MCP_PROXY_ORIGIN_H

#include "common/sock.h"

struct origin {
	bool https;
	char host[SOCK_HOST_MAX]; /* lower case, no brackets */
	uint16_t port;            /* not 0 */
};

/* Returns 0, or -1 with a text that says what is missing or too much. */
int origin_parse(const char *text, struct origin *ret, struct error *e);

/* Whether name can be a host: LDH labels as str_is_hostname wants them, but
 * with '_' allowed, or an address. */
bool origin_is_host(const char *name);

#endif
