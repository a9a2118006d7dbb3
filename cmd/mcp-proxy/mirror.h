/* SPDX-License-Identifier: ISC */
/* What the head of a request says of the message in its body: the headers
 * MCP-Protocol-Version, Mcp-Method and Mcp-Name, and whether the body says the
 * same.  Pure. */
#ifndef ADIT_MCP_PROXY_MIRROR_H
#define ADIT_MCP_PROXY_MIRROR_H

#include "cmd/mcp-proxy/message.h"

enum {
	MIRROR_MAX = 16 << 10, /* bytes of a name */
	MIRROR_VERSION_LEN = 32,
};

struct mirror {
	char version[MIRROR_VERSION_LEN]; /* "": none; "?": no revision */
	bool has_method, has_name;
	struct buf method, name;          /* as in the head */
};

void mirror_init(struct mirror *m);
void mirror_done(struct mirror *m);

/* Takes a field of the head.  Returns 1 if it is one of the three, 0 if not,
 * -1 with a text if it is given twice or too long. */
int mirror_take(struct mirror *m, struct bytes name, struct bytes value,
    struct error *e);

/* Whether the body says what the head does, by the rules of 2026-07-28.
 * Returns 0, or -1 with a text and an rpc_code in e->code. */
int mirror_check_modern(const struct mirror *m, const struct rpc *message,
    struct error *e);

/* The same of what is in the head, for older revisions, where nothing has to
 * be. */
int mirror_check(const struct mirror *m, const struct rpc *message,
    struct error *e);

#endif
