/* SPDX-License-Identifier: ISC */
/* Whether a line matches a regular expression, in time that grows with the
 * length of the line and no faster, whatever the expression.
 *
 * The syntax is JavaScript's as agents write it, without what cannot be had
 * in linear time: look-around and back-references are errors.  More than
 * JavaScript has: (?i), (?s), [[:alpha:]], \A, \z, \x{10ffff}.  Characters are
 * code points; a byte that is no UTF-8 counts as U+FFFD.
 *
 * Libraries were looked at: that of GNU and TRE read \w inside brackets as two
 * characters and grow without bound on (a{99}){99}; RE2 is C++. */
#ifndef ADIT_SANDBOX_REGEX_H
#define ADIT_SANDBOX_REGEX_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	REGEX_PATTERN_MAX = 65536, /* bytes */
	REGEX_NEST_MAX = 200,      /* groups in groups */
	REGEX_PROGRAM_MAX = 10000, /* instructions: what {n,m} may grow to */
	REGEX_RANGES_MAX = 8192,   /* ranges of characters told apart */
	REGEX_CACHE_MAX = 4 << 20, /* bytes of states that were met */
};

struct regex;

/* Returns NULL with a text if pattern is not one. */
struct regex *regex_new(struct bytes pattern, struct error *e);
void regex_free(struct regex *r);

/* Whether any part of line, which holds no newline, matches. */
bool regex_match(struct regex *r, struct bytes line);

/* A text that every line that matches holds; empty if none is known. */
struct bytes regex_literal(const struct regex *r);

#endif
