/* SPDX-License-Identifier: ISC */
/* A small YAML document as a tree with positions, read through libyaml's
 * events.  Bounded in depth and in nodes; anchors, aliases, tags but !!str, a
 * key given twice and a second document are refused. */
#ifndef ADIT_YAMLDOC_H
#define ADIT_YAMLDOC_H

#include "common/bytes.h"

enum { YAMLDOC_DEPTH_MAX = 16, YAMLDOC_NODES_MAX = 32768 };

enum yamldoc_kind {
	YAMLDOC_NULL, /* nothing, ~ or null without quotes */
	YAMLDOC_SCALAR,
	YAMLDOC_LIST,
	YAMLDOC_MAP,
};

/* Counted from 1. */
struct yamldoc_at {
	unsigned line, column;
};

struct yamldoc_node {
	enum yamldoc_kind kind;
	struct yamldoc_at at;
	char *text;     /* of a scalar, no NUL inside; "" for YAMLDOC_NULL;
	                 * NULL for a list or a map */
	char *key;      /* in a map, else NULL */
	struct yamldoc_at key_at;
	struct yamldoc_node *first, *next;
};

/* Told of each thing that is wrong with the text. */
typedef void yamldoc_problem(void *user, struct yamldoc_at at,
    const char *text);

/* Reads a document.  Returns its root, to be freed with yamldoc_free; or NULL
 * after at least one call of problem.  Keys given twice are told about and do
 * not end the reading: the first stays. */
struct yamldoc_node *yamldoc_read(struct bytes in, yamldoc_problem *problem,
    void *user);

void yamldoc_free(struct yamldoc_node *root);

/* How many children n has. */
size_t yamldoc_count(const struct yamldoc_node *n);

#endif
