/* SPDX-License-Identifier: ISC */
/* The first step of regex.h: text to tree. */
#ifndef ADIT_SANDBOX_REGEX_PARSE_H
#define ADIT_SANDBOX_REGEX_PARSE_H

#include "cmd/sandbox-exec/regex_set.h"
#include "common/error.h"

enum { REGEX_REPEAT_MAX = 10000, REGEX_INFINITE = -1 };

enum regex_kind {
	REGEX_EMPTY,
	REGEX_SET,      /* one character of a set */
	REGEX_START,    /* ^ */
	REGEX_END,      /* $ */
	REGEX_WORD,     /* \b */
	REGEX_NOT_WORD, /* \B */
	REGEX_CAT,      /* left, then right */
	REGEX_ALT,      /* left or right */
	REGEX_REPEAT,   /* left, min to max times */
};

struct regex_node {
	enum regex_kind kind;
	struct regex_node *left, *right;
	int min, max;        /* REGEX_REPEAT; max may be REGEX_INFINITE */
	size_t set;          /* REGEX_SET: index */
	struct regex_node *next; /* of all, to be freed */
};

struct regex_tree {
	struct regex_node *root;
	struct regex_node *all;
	struct regex_set *sets;
	size_t set_count, set_size;
};

/* Returns 0, or -1 with a text; to be freed in any case. */
int regex_parse(struct bytes pattern, struct regex_tree *ret,
    struct error *e);
void regex_tree_done(struct regex_tree *t);

#endif
