/* SPDX-License-Identifier: ISC */
/* The tunnels of a running edge: which one a server name belongs to, and which
 * one a credential opens. */
#ifndef ADIT_TABLE_H
#define ADIT_TABLE_H

#include "cmd/tunnel-edge/meter.h"
#include "cmd/tunnel-edge/state.h"

struct link;

struct tunnel {
	struct state_tunnel *conf; /* owned */
	struct link *links;        /* that are up, newest first */
	size_t link_count, stream_count;
	struct meter in, out;      /* from and to the agents */
	struct tunnel *next;
};

struct table_domain {
	const char *name; /* in the conf of tunnel */
	struct tunnel *tunnel;
};

/* A zeroed table is empty. */
struct table {
	struct tunnel *first;
	struct table_domain *domains; /* sorted by name */
	size_t domain_count, domain_cap;
};

void table_done(struct table *t);

struct tunnel *table_find(const struct table *t, const char *name);

/* Adds the tunnel, or gives the one of its name a new conf.  Owns conf on
 * success.  Returns the tunnel, or NULL with a text when a domain belongs to
 * another. */
struct tunnel *table_set(struct table *t, struct state_tunnel *conf,
    struct error *e);

/* Removes a tunnel that has no links. */
void table_remove(struct table *t, struct tunnel *tunnel);

/* The tunnel with the longest domain that is name or a parent of it; NULL:
 * none.  name is in lower case. */
struct tunnel *table_route(const struct table *t, const char *name);

enum table_verdict {
	TABLE_UNKNOWN,
	TABLE_VALID,
	TABLE_EXPIRED,
	TABLE_REVOKED,
};

/* What the conf of a tunnel says of a credential, at now in seconds since
 * 1970.  *ret_expires is 0 when it never does. */
enum table_verdict table_check(const struct tunnel *tunnel,
    const struct credential *c, int64_t now, int64_t *ret_expires);

/* The same over all tunnels; *ret is the tunnel unless TABLE_UNKNOWN.  Its
 * time does not depend on how near c is to what it is compared with. */
enum table_verdict table_authenticate(const struct table *t,
    const struct credential *c, int64_t now, struct tunnel **ret,
    int64_t *ret_expires);

#endif
