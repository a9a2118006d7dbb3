/* SPDX-License-Identifier: ISC */
/* The list in an answer of a server, tools/list and its like, without the
 * entries that may not be seen: those that stay are the same bytes in the same
 * order, and nobody who shares a cache is given what was made for one.
 * Pure. */
#ifndef ADIT_MCP_PROXY_LISTING_H
#define ADIT_MCP_PROXY_LISTING_H

#include "cmd/mcp-proxy/policy.h"

enum {
	LISTING_ENTRIES_MAX = 10000, /* of one answer; servers have pages */
	LISTING_NAMES_MAX = 256,     /* of those left out that are kept, */
	LISTING_NAMES_LEN = 24 << 10, /* and their bytes */
};

/* An entry: its list, and the string that names it; ABSENT: it has none, and
 * nobody can ask for it. */
struct listing_entry {
	const struct policy_list *list;
	struct jsonr value, name;
};

/* What one array becomes: bytes of kept. */
struct listing_array {
	struct jsonr value;  /* ABSENT: there is none */
	size_t start, len;
	bool changed;
};

struct listing {
	struct bytes text;   /* of the answer */
	struct listing_array arrays[POLICY_LISTS];
	struct jsonr ttl, scope;
	struct buf kept;

	size_t at;           /* the array that is gone through */
	bool inside;         /* it is begun */
	struct jsonr_iter left;
	struct listing_entry entry;
	size_t entry_count, removed_count;

	struct buf names;    /* of entries that were left out, decoded */
	struct bytes removed[LISTING_NAMES_MAX]; /* offsets until all are */
	size_t name_count;
};

/* Looks for lists in an answer, also for others than that which was asked for:
 * an answer may come with what was asked before, or by another way.  list:
 * which that is; NULL: it is not known, or none.  Returns 1 if there is one;
 * 0 if there is none; -1 with a text if it can not be told what is in it.  The
 * answer must last. */
int listing_init(struct listing *l, const struct rpc *m,
    const struct policy_list *list, struct error *e);
void listing_done(struct listing *l);

/* Gives the next entry, of which listing_put then says whether it stays.
 * Returns false at the end. */
bool listing_next(struct listing *l, struct listing_entry *ret);

/* Returns 0, or -1 with ENOBUFS or ENOMEM. */
int listing_put(struct listing *l, bool stays);

/* Appends the answer with what stays, in one line.  Returns 1; 0 if it stays
 * as it is, and nothing is appended; -1 with ENOBUFS or ENOMEM. */
int listing_write(struct listing *l, struct buf *out);

/* The names of the first of the entries that were left out.  Returns how
 * many. */
size_t listing_removed(struct listing *l, const struct bytes **ret);

/* Whether some of them are URIs. */
bool listing_has_uris(const struct listing *l);

#endif
