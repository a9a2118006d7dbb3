/* SPDX-License-Identifier: ISC */
/* Writes JSON (RFC 8259) into a buf, with no library: log and audit lines,
 * OPEN and HELLO, error bodies.  Commas are placed by looking at the last
 * byte written.  A buffer that is full stays as it is from then on; the
 * caller asks once, at the end, with jsonw_ok. */
#ifndef ADIT_JSONW_H
#define ADIT_JSONW_H

#include "common/buf.h"

struct jsonw {
	struct buf *out;
	bool failed;
};

void jsonw_init(struct jsonw *w, struct buf *out);

/* '{', '}', '[' or ']'. */
void jsonw_open(struct jsonw *w, char bracket);
void jsonw_close(struct jsonw *w, char bracket);

void jsonw_key(struct jsonw *w, const char *key);
void jsonw_str(struct jsonw *w, const char *value);

/* Foreign bytes: what is not valid UTF-8 becomes U+FFFD. */
void jsonw_bytes(struct jsonw *w, struct bytes value);
void jsonw_int(struct jsonw *w, int64_t value);
void jsonw_bool(struct jsonw *w, bool value);
void jsonw_null(struct jsonw *w);

/* A key and foreign bytes that must not be lost, such as a path: if they are
 * not UTF-8, a second key, with "_hex" behind it, has them as they are. */
void jsonw_key_name(struct jsonw *w, const char *key, struct bytes value);

/* A key and foreign bytes, unless there are none: NULL or "". */
void jsonw_key_given(struct jsonw *w, const char *key, const char *value);

/* Key and value in one call. */
void jsonw_key_str(struct jsonw *w, const char *key, const char *value);
void jsonw_key_int(struct jsonw *w, const char *key, int64_t value);

/* Whether everything so far fitted. */
bool jsonw_ok(const struct jsonw *w);

#endif
