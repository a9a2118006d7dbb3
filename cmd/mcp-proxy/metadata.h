/* SPDX-License-Identifier: ISC */
/* What a client that has no access token is told about where to get one: OAuth
 * 2.0 Protected Resource Metadata (RFC 9728), for routes whose agents have an
 * issuer.  The resource is the URL that the client uses, by Host and path. */
#ifndef ADIT_MCP_PROXY_METADATA_H
#define ADIT_MCP_PROXY_METADATA_H

#include "cmd/mcp-proxy/config.h"
#include "common/buf.h"
#include "common/http.h"

enum { METADATA_MAX = 64 << 10 };

/* Whether a request is for the metadata of the route, which anybody may
 * have. */
bool metadata_is_asked(const struct config_route *r,
    const struct http_head *h);

/* Appends the document that it asks for.  Returns 0, or -1 with ENOBUFS or
 * ENOMEM. */
int metadata_write(struct buf *out, const struct config_route *r,
    const struct http_head *h);

/* Writes the URL of the metadata of what h asks for; if that does not fit, of
 * all that its host has.  Returns 0, or -1 when that does not fit either. */
int metadata_url(char *out, size_t cap, const struct http_head *h);

#endif
