/* SPDX-License-Identifier: ISC */
/* The characters and field lines of HTTP (RFC 9110 section 5).  Pure. */
#ifndef ADIT_FIELD_H
#define ADIT_FIELD_H

#include "common/bytes.h"

/* Whether all of in is a token: letters, digits and !#$%&'*+-.^_`|~ */
bool field_is_token(struct bytes in);

/* Whether all of in can stand in a value: no control byte but TAB. */
bool field_is_text(struct bytes in);

/* Whether all of in can stand in a request target: visible ASCII but '#',
 * which no client sends. */
bool field_is_target(struct bytes in);

/* Splits "token: value", without its CRLF, and trims the value.  Returns 0,
 * or -1 if line is anything else. */
int field_parse(struct bytes line, struct bytes *ret_name,
    struct bytes *ret_value);

/* Takes the next element of a comma-separated list off *list.  Returns false
 * at its end; empty elements are skipped. */
bool field_next_element(struct bytes *list, struct bytes *ret);

/* Whether a and b are equal but for ASCII case. */
bool field_eq(struct bytes a, struct bytes b);
bool field_eq_str(struct bytes a, const char *b);

/* Reads digits only, at most max.  Returns 0 or -1. */
int field_parse_number(struct bytes in, uint64_t max, uint64_t *ret);

#endif
