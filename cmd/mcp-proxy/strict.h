/* SPDX-License-Identifier: ISC */
/* Whether all who read a message of JSON-RPC read the same: some parsers take
 * the first of two members with one name, some the last, some do not mind the
 * case of letters (Go's encoding/json), some take requestState also as
 * request_state (Python's pydantic), and some end a text at a NUL, so that
 * what was judged would not be what is done.  Pure. */
#ifndef ADIT_MCP_PROXY_STRICT_H
#define ADIT_MCP_PROXY_STRICT_H

#include "common/jsonr.h"

/* Checks a value that jsonr_parse has accepted: no object at any depth has two
 * members of one name; and in a message and its params, or those of each member
 * of an array, every name is clear, and none is like one that matters.
 * Returns 0; or -1 with a text, and ENOMEM, or 0, in e->code. */
int strict_check(struct jsonr v, struct error *e);

/* Whether name, decoded, is not known but could be taken for it: it differs in
 * the case of letters, or in '_' after the first character. */
bool strict_is_like(struct bytes name, const char *known);

/* Whether a text, decoded, is the same for all: it has no NUL, at which some
 * end it, and no U+FFFD, which stands for half a surrogate pair, which some
 * leave out. */
bool strict_is_clear(struct bytes text);

/* jsonr_get, and also -1 if a member could be taken for this one. */
int strict_get(struct jsonr object, const char *key, struct jsonr *ret,
    struct error *e);

#endif
