/* SPDX-License-Identifier: ISC */
/* Patterns of paths: *, ?, [a-z], [!a-z], {a,b} and ** for any number of
 * directories, as agents know them from JavaScript.  A backslash takes the
 * meaning from the next character.  Names that begin with a dot match only
 * where the pattern has the dot, and .git and node_modules only where it has
 * the whole name.
 *
 * A pattern is followed from directory to directory: a set says which parts of
 * it may come next.  One name costs at most the length of the pattern times
 * its own. */
#ifndef ADIT_SANDBOX_GLOB_H
#define ADIT_SANDBOX_GLOB_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	GLOB_PATTERN_MAX = 4096,    /* bytes */
	GLOB_ALTERNATIVES_MAX = 1024, /* patterns that braces make of one */
	GLOB_PARTS_MAX = 2048,      /* of all of them together */
	GLOB_TEXT_MAX = 65536,      /* bytes, likewise */
	GLOB_SET_WORDS = GLOB_PARTS_MAX / 64,
};

struct glob;

struct glob_set {
	uint64_t bits[GLOB_SET_WORDS];
};

/* Returns NULL with a text. */
struct glob *glob_new(struct bytes pattern, struct error *e);
void glob_free(struct glob *g);

/* What may come first. */
void glob_start(const struct glob *g, struct glob_set *ret);

/* Takes one name.  Returns whether what was taken so far matches; *ret_below
 * is what may come next if it is a directory, *ret_link if it is a link to
 * one, which ** does not follow. */
bool glob_step(const struct glob *g, const struct glob_set *set,
    const char *name, struct glob_set *ret_below, struct glob_set *ret_link);

bool glob_is_empty(const struct glob_set *set);

#endif
