/* SPDX-License-Identifier: ISC */
/* How often something may happen for each source, which is an IPv4 address or
 * an IPv6 network of 64 bits.  The table is bounded: a source that has to give
 * way to another is forgotten, and may do all again; one that did little gives
 * way first.  Such a table can as well remember sources for a while; it does
 * one or the other. */
#ifndef ADIT_PACER_H
#define ADIT_PACER_H

#include "common/sock.h"

enum {
	PACER_SETS = 512, /* a power of two */
	PACER_WAYS = 8,   /* sources that share a set */
};

/* The source of a connection; 0 if it has none. */
uint64_t pacer_source(const struct sock_addr *peer);

struct pacer_shape {
	int64_t burst;    /* so many at once, */
	int64_t every_ms; /* then one in so much time */
};

/* One source, as the time when it may do all again, in the past if it did
 * nothing lately. */
struct pacer_slot {
	uint64_t source;
	int64_t full_ms;
	uint32_t kind;
};

struct pacer {
	struct pacer_shape shape;
	uint64_t secret; /* nobody outside knows who shares a set */
	struct pacer_slot slots[PACER_SETS][PACER_WAYS];
};

void pacer_init(struct pacer *p, const struct pacer_shape *shape);

/* Whether source may do a thing of this kind at now_ms, which is then done. */
bool pacer_take(struct pacer *p, uint64_t source, uint32_t kind,
    int64_t now_ms);

/* It was no such thing after all. */
void pacer_give(struct pacer *p, uint64_t source, uint32_t kind);

/* The same for one that is kept elsewhere, zeroed at first. */
bool pacer_take_one(int64_t *full_ms, const struct pacer_shape *shape,
    int64_t now_ms);

/* Remembers a source until a time; when there are too many, those that were
 * to be remembered longest. */
void pacer_remember(struct pacer *p, uint64_t source, uint32_t kind,
    int64_t until_ms);
bool pacer_has(struct pacer *p, uint64_t source, uint32_t kind,
    int64_t now_ms);

#endif
