/* SPDX-License-Identifier: ISC */
/* Reads JSON (RFC 8259) where it lies, with no library and no tree: a text is
 * checked once, whole, and is then a value that can be looked into; a value is
 * a view of its own bytes, so what was judged can be passed on unchanged.
 * Pure: nothing is allocated but in a buffer that is given.
 *
 * Strings must be UTF-8.  A member that is given twice is an error for who
 * asks for it, never the one or the other. */
#ifndef ADIT_JSONR_H
#define ADIT_JSONR_H

#include "common/buf.h"
#include "common/error.h"

enum { JSONR_DEPTH_MAX = 64 };

enum jsonr_kind {
	JSONR_ABSENT, /* zeroed: no value */
	JSONR_NULL,
	JSONR_BOOL,
	JSONR_NUMBER,
	JSONR_STRING,
	JSONR_ARRAY,
	JSONR_OBJECT,
};

struct jsonr {
	enum jsonr_kind kind;
	struct bytes text; /* of the value, without white space around */
};

/* Checks in, which must be one value nested at most JSONR_DEPTH_MAX deep.
 * Returns 0 and the value, which points into in; or -1 with a text. */
int jsonr_parse(struct bytes in, struct jsonr *ret, struct error *e);

/* Like jsonr_parse, and the value must be an object. */
int jsonr_parse_object(struct bytes in, struct jsonr *ret, struct error *e);

/* Goes through the elements of an array, or the members of an object, in
 * their order. */
struct jsonr_iter {
	struct bytes left;
	bool object;
};

void jsonr_iter_init(struct jsonr_iter *i, struct jsonr v);

/* Returns false at the end.  ret_key may be NULL, and is JSONR_ABSENT in an
 * array. */
bool jsonr_next(struct jsonr_iter *i, struct jsonr *ret_key,
    struct jsonr *ret_value);

/* Finds the member key of an object.  Returns 1; 0 if it is absent, or object
 * is none (*ret is then JSONR_ABSENT); -1 with a text if it is given
 * twice. */
int jsonr_get(struct jsonr object, const char *key, struct jsonr *ret,
    struct error *e);

/* Whether v is a string and this one; whether it is true. */
bool jsonr_eq_str(struct jsonr v, const char *s);
bool jsonr_is_true(struct jsonr v);

/* Appends a string as UTF-8.  Half a surrogate pair becomes U+FFFD; NUL is
 * possible.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int jsonr_add_str(struct jsonr v, struct buf *out);

/* The whole number that v is, also as 1e5 or 2.0.  Returns 0, or -1 if it is
 * none or not in min to max. */
int jsonr_int(struct jsonr v, int64_t min, int64_t max, int64_t *ret);

/* The same of any number, without what is behind its point. */
int jsonr_trunc(struct jsonr v, int64_t min, int64_t max, int64_t *ret);

/* Members of known types.  Each returns 1; 0 if it is absent or null (out is
 * then "", *ret left alone); -1 with a text that names the key. */
int jsonr_get_str(struct jsonr object, const char *key, char *out, size_t cap,
    struct error *e);
int jsonr_get_int(struct jsonr object, const char *key, int64_t min,
    int64_t max, int64_t *ret, struct error *e);
int jsonr_get_bool(struct jsonr object, const char *key, bool *ret,
    struct error *e);

#endif
