/* SPDX-License-Identifier: ISC */
/* A file of agents: who they are by the digests of their tokens and client
 * certificates, mcp-proxy.yaml(5), "Files of agents". */
#ifndef ADIT_MCP_PROXY_ROSTER_H
#define ADIT_MCP_PROXY_ROSTER_H

#include "cmd/mcp-proxy/kept.h"
#include "common/credential.h"

enum {
	ROSTER_FILE_MAX = 1 << 20,
	ROSTER_LINE_MAX = 256,
	ROSTER_AGENTS_MAX = 4096, /* lines that name one */
};

enum roster_kind { ROSTER_TOKEN, ROSTER_CERT };

/* A credential of an agent; an agent may have several. */
struct roster_agent {
	char name[CREDENTIAL_NAME_CAP];
	enum roster_kind kind;
	struct credential credential;
	int64_t expires; /* seconds since 1970, 0: never */
};

struct roster_list {
	struct roster_agent *at;
	size_t count;
};

/* Reads the text of a file that is called name.  Returns 0, and *ret is to be
 * freed with roster_list_done; or -1 with a text that names the line. */
int roster_parse(const char *name, struct bytes text, struct roster_list *ret,
    struct error *e);
void roster_list_done(struct roster_list *l);

/* The same for a file, which nobody but its owner may be able to write. */
int roster_read(const char *path, struct roster_list *ret, struct error *e);

/* Appends the line of an agent.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int roster_format(struct buf *out, const struct roster_agent *a);

/* "token" or "cert". */
const char *roster_kind_name(enum roster_kind kind);

/* Whether what an agent has shown is still good at a time. */
bool roster_is_valid(const struct roster_agent *a, int64_t now_s);

/* The agent with this credential, if it is valid now; or NULL. */
const struct roster_agent *roster_find(const struct roster_list *l,
    enum roster_kind kind, const struct credential *c);

/* Into a struct roster_list. */
extern const struct kept_kind roster_kept;

#endif
