/* SPDX-License-Identifier: ISC */
/* Which agent a request is of, and whether it may call on a route: by its
 * client certificate, or by the bearer token of its Authorization (RFC 6750),
 * which a file of agents knows or an issuer has signed; mcp-proxy.yaml(5),
 * Agents. */
#ifndef ADIT_MCP_PROXY_ADMIT_H
#define ADIT_MCP_PROXY_ADMIT_H

#include "cmd/mcp-proxy/config.h"
#include "cmd/mcp-proxy/reply.h"
#include "cmd/mcp-proxy/roster.h"
#include "common/http.h"
#include "common/jwt.h"

enum { ADMIT_NAME_CAP = JWT_NAME_MAX + 1 };

enum admit_by {
	ADMIT_ANYBODY, /* nobody was asked */
	ADMIT_FILE,    /* the route's file has it */
	ADMIT_ISSUER,  /* the route's issuer has signed it */
};

/* An agent that was let in. */
struct admitted {
	enum admit_by by;
	char name[ADMIT_NAME_CAP]; /* "" if nobody was asked */
	enum roster_kind kind;     /* of ADMIT_FILE, as is credential */
	struct credential credential;
	int64_t expires_s;         /* of ADMIT_ISSUER */
};

/* Looks at a request; cert: what the agent has shown in TLS, or NULL.  An
 * Authorization that lets the agent in is taken out of it.  Returns 0, or -1
 * and why, with what to show in its challenge. */
int admit(const struct config_route *r, const struct credential *cert,
    struct http_head *h, struct admitted *ret, struct failure *why);

/* Whether they are one agent: of a name in the file, or of one that the issuer
 * has given. */
bool admit_is_same(const struct admitted *a, const struct admitted *b);

/* Whether the same would be let in now. */
bool admit_holds(const struct config_route *r, const struct admitted *a);

/* Into a struct jwks. */
extern const struct kept_kind admit_keys_kept;

#endif
