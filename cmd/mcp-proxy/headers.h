/* SPDX-License-Identifier: ISC */
/* What an upstream gets to see besides what the agent sends, such as the
 * operator's credential: a file of fields, one a line, mcp-proxy.yaml(5),
 * headers_file. */
#ifndef ADIT_MCP_PROXY_HEADERS_H
#define ADIT_MCP_PROXY_HEADERS_H

#include "cmd/mcp-proxy/kept.h"

enum { HEADERS_FILE_MAX = 32 << 10 };

struct headers {
	size_t count;
	struct http_field at[HTTP_ADDED_MAX];
	struct buf text; /* that they point into */
};

/* Reads text, which is taken over, of a file that is called name.  Returns 0,
 * and *ret is to be freed with headers_done; or -1 with a text that names the
 * line and holds no value. */
int headers_parse(const char *name, struct buf *text, struct headers *ret,
    struct error *e);
void headers_done(struct headers *s);

/* Puts them into a request, in the place of its fields of the same names. */
void headers_put(const struct headers *s, struct http_head *h);

/* Into a struct headers, of a file that only its owner can read. */
extern const struct kept_kind headers_kept;

#endif
