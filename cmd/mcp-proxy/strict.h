/* SPDX-License-Identifier: ISC */
/* Whether all who read a message of JSON-RPC read the same: some parsers take
 * the first of two members with one name, some the last, and some do not mind
 * the case of letters (Go's encoding/json), so that what was judged would not
 * be what is done.  Pure. */
#ifndef ADIT_MCP_PROXY_STRICT_H
#define ADIT_MCP_PROXY_STRICT_H

#include "common/jsonr.h"

/* Checks a value that jsonr_parse has accepted: no object at any depth has two
 * members of one name; and in a message and its params, or those of each member
 * of an array, no name is like one that matters but for the case of letters.
 * Returns 0; or -1 with a text, and ENOMEM, or 0, in e->code. */
int strict_check(struct jsonr v, struct error *e);

/* Whether name, decoded, is not known but could be taken for it. */
bool strict_is_like(struct bytes name, const char *known);

#endif
