/* SPDX-License-Identifier: ISC */
/* Skims a message that is too long to be kept, to tell whose answer it is.
 * It does not check that the message is JSON: who sends it could answer any of
 * its calls anyway.  Pure; memory does not grow. */
#ifndef ADIT_MCP_PROXY_SKIM_H
#define ADIT_MCP_PROXY_SKIM_H

#include "common/bytes.h"

enum { SKIM_WORD_MAX = 16 }; /* more than "method" and a number need */

/* A zeroed skim is at the beginning of a message. */
struct skim {
	size_t depth;           /* of brackets and braces */
	bool in_string, escaped;
	bool in_value;          /* of a member of the message itself */
	bool is_id;             /* the member's name */
	bool has_method;
	size_t id_count;
	char word[SKIM_WORD_MAX]; /* of the name or the value, cut */
	size_t word_len;
	uint32_t number;        /* the id, 0: none */
};

/* Goes on with the next bytes of the message. */
void skim_feed(struct skim *s, struct bytes in);

/* The number of the call that the message answers.  Returns 0, or -1 if it is
 * no answer or has not one id that is such a number. */
int skim_number(const struct skim *s, uint32_t *ret);

#endif
