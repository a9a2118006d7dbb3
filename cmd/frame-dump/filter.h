/* SPDX-License-Identifier: ISC */
/* A jq expression that says which frames are shown, through libjq. */
#ifndef FRAME_DUMP_FILTER_H
#define FRAME_DUMP_FILTER_H

#include "common/bytes.h"
#include "common/error.h"

struct filter;

/* Compiles expression.  Returns the filter, or NULL with jq's message. */
struct filter *filter_new(const char *expression, struct error *e);
void filter_free(struct filter *f);

/* Whether the first result for this JSON text is neither false nor null.
 * Returns 1 or 0, or -1 with a text if the expression failed on it. */
int filter_match(struct filter *f, struct bytes json, struct error *e);

#endif
