/* SPDX-License-Identifier: ISC */
/* Lists of patterns, in which '*' stands for any bytes and '!' before a pattern
 * takes out again what it matches; and the URIs that may be held against them.
 * Pure. */
#ifndef ADIT_MCP_PROXY_RULES_H
#define ADIT_MCP_PROXY_RULES_H

#include "common/bytes.h"

/* Whether the pattern matches all of name. */
bool rules_match(const char *pattern, struct bytes name);

/* Whether a list, which ends with NULL, allows name: a pattern matches, or the
 * list has only such that take out; and none of these does.  The order does
 * not matter.  An empty list allows nothing; list NULL everything. */
bool rules_allow(char *const *list, struct bytes name);

/* Whether a URI is written in the plainest way, so that none that means the
 * same looks otherwise: scheme and host in lower case; no segment of the path
 * is empty, but the last, or "." or "..", nor is any in the query; nothing is
 * percent-encoded that need not be, nor a slash; no backslash, space or control
 * byte. */
bool rules_is_plain(struct bytes uri);

/* Whether the path of a request's target has a segment "..", in whatever way
 * some read one: percent-encoded, between backslashes, or with a ';' behind. */
bool rules_goes_up(struct bytes target);

#endif
