/* SPDX-License-Identifier: ISC */
/* A hash table from nonzero 32-bit numbers to pointers: the streams of
 * a connection.  Constant time, no allocation per entry, and it shrinks. */
#ifndef ADIT_IDMAP_H
#define ADIT_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
	uint32_t id; /* 0: free */
	void *value;
};

struct idmap {
	struct idmap_entry *entries;
	size_t size; /* a power of two, or 0 */
	size_t count;
	size_t cursor; /* where idmap_any looks first */
};

/* A zeroed idmap is empty.  done frees the table, not the values. */
void idmap_done(struct idmap *m);

/* Adds id, which is not yet there.  Returns 0, or -1 with ENOMEM. */
int idmap_add(struct idmap *m, uint32_t id, void *value);

/* The value, or NULL. */
void *idmap_get(const struct idmap *m, uint32_t id);
void idmap_remove(struct idmap *m, uint32_t id);

/* The value of some entry, NULL when empty.  Removing each costs time in
 * proportion to their number. */
void *idmap_any(struct idmap *m);

#endif
