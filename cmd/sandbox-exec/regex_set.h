/* SPDX-License-Identifier: ISC */
/* Sets of characters: ranges of code points, in order, apart from each
 * other. */
#ifndef ADIT_SANDBOX_REGEX_SET_H
#define ADIT_SANDBOX_REGEX_SET_H

#include "common/bytes.h"

#define REGEX_CHAR_MAX 0x10ffffU

enum { REGEX_SET_MAX = 4096 }; /* ranges */

struct regex_range {
	uint32_t low, high;
};

struct regex_set {
	struct regex_range *at;
	size_t count, size;
};

void regex_set_done(struct regex_set *s);

/* Each returns 0, or -1 with ENOMEM or ENOBUFS. */
int regex_set_add(struct regex_set *s, uint32_t low, uint32_t high);

/* \d, \w or \s, and with a capital all others. */
int regex_set_add_escape(struct regex_set *s, char which);

/* [:name:].  Returns 1; 0 if there is none of that name; or -1. */
int regex_set_add_posix(struct regex_set *s, struct bytes name);

/* Adds the other case of what is in s: of ASCII, Latin-1, Greek and Cyrillic
 * letters. */
int regex_set_fold(struct regex_set *s);

/* Turns s into everything else. */
int regex_set_invert(struct regex_set *s);

bool regex_set_has(const struct regex_set *s, uint32_t c);

/* What \w is, for \b. */
bool regex_is_word(uint32_t c);

#endif
