/* SPDX-License-Identifier: ISC */
/* A program in jq that an operator wrote, which gives one value for each
 * input.  What is wrong is told by the first line of what jq says first. */
#ifndef ADIT_JQPROGRAM_H
#define ADIT_JQPROGRAM_H

#include "common/json.h"

/* A jq without inputs other than one, and without modules; NULL: no memory. */
jq_state *jqprogram_init(void);

/* Compiles.  Returns NULL with a text; else e is where jq's complaints go, so
 * it must last as long as the program, which is freed with jq_teardown. */
jq_state *jqprogram_compile(struct bytes text, struct error *e);

/* Runs it on input, which is consumed.  Returns 0 and the only value that it
 * gives, to be freed; or -1 with a text. */
int jqprogram_run(jq_state *jq, jv input, jv *ret, struct error *e);

#endif
