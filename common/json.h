/* SPDX-License-Identifier: ISC */
/* JSON from outside, through libjq: bounded, one value, nothing after it.
 * The values are libjq's jv, whose functions consume their arguments; the
 * getters here do not.  Numbers are doubles. */
#ifndef ADIT_JSON_H
#define ADIT_JSON_H

#include <jq.h>
#include <jv.h>

#include "common/bytes.h"
#include "common/error.h"

enum { JSON_DEPTH_MAX = 64 };

/* Parses in, which must be one JSON value nested at most JSON_DEPTH_MAX
 * deep.  Returns 0 and the value, to be freed with jv_free; or -1 with a
 * text. */
int json_parse(struct bytes in, jv *ret, struct error *e);

/* Like json_parse, and the value must be an object. */
int json_parse_object(struct bytes in, jv *ret, struct error *e);

/* Copies the string member key into out.  Returns 1, 0 if it is absent (out
 * is then ""), or -1 with a text if it is no string, has a NUL inside or does
 * not fit cap. */
int json_get_str(jv object, const char *key, char *out, size_t cap,
    struct error *e);

/* Reads the whole-number member key.  Returns 1, 0 if absent (*ret is left
 * alone), -1 with a text if it is no whole number in min to max. */
int json_get_int(jv object, const char *key, int64_t min, int64_t max,
    int64_t *ret, struct error *e);

/* The member key, or jv_invalid; the caller frees it. */
jv json_get(jv object, const char *key);

#endif
