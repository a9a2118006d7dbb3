/* SPDX-License-Identifier: ISC */
/* Bounded text: formatting that reports truncation, and the few comparisons
 * that protocols need, all in the C locale. */
#ifndef ADIT_STR_H
#define ADIT_STR_H

#include "common/bytes.h"

/* Formats into out.  Returns 0, or -1 with ENAMETOOLONG when cap is too
 * small; out then holds the cut text. */
int str_format(char *out, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies in, which may hold no NUL, as a string.  Returns 0, or -1 with
 * ENAMETOOLONG (too long) or EINVAL (a NUL inside); out is then "". */
int str_from_bytes(char *out, size_t cap, struct bytes in);

bool str_eq(const char *a, const char *b);

/* Whether two ASCII texts are equal but for case. */
bool str_eq_nocase(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Whether a path without "." and ".." is dir or lies below it. */
bool str_is_within(const char *path, const char *dir);

char ascii_lower(char c);

/* What a hexadecimal digit of either case is, or -1. */
int ascii_hex(uint32_t c);

/* Whether name is a DNS host name of LDH labels (RFC 1123 section 2.1), at
 * most 253 bytes, no trailing dot, not an address in numbers. */
bool str_is_hostname(const char *name);

/* Levenshtein's distance of two names, ignoring case, to find what was meant
 * by a word that is unknown; 40 if either is longer than that. */
size_t str_distance(const char *a, const char *b);

/* Writes 2*in.len hexadecimal digits and a NUL to out. */
void str_hex(char *out, struct bytes in);

#endif
