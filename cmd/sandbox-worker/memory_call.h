/* SPDX-License-Identifier: ISC */
/* The calls about memories: what is asked, and what an answer says.  Pure. */
#ifndef ADIT_WORKER_MEMORY_CALL_H
#define ADIT_WORKER_MEMORY_CALL_H

#include "cmd/sandbox-worker/api.h"
#include "cmd/sandbox-worker/memory.h"
#include "common/jsonr.h"

enum {
	MEMORY_STORE_ID_CAP = 256,
	MEMORY_PAGE_CAP = 1024,        /* the name of a page */
	MEMORY_PAGE_LEN_MAX = 16 << 20, /* 20 memories, all of it escapes */
	MEMORY_BASIC_LEN_MAX = 2 << 20, /* 100 without their content */
	MEMORY_ANSWER_MAX = 1 << 20,    /* one memory */
	MEMORY_CALL_PATH_CAP = 4096,
};

/* A request, and what it points to. */
struct memory_call {
	struct api_request request;
	char path[MEMORY_CALL_PATH_CAP];
	struct buf body;
};

/* Each makes a call for the store of this id.  Returns 0, or -1 with a text;
 * memory_call_done is due in either case. */
int memory_call_list(struct memory_call *c, const char *store, bool full,
    const char *page, struct error *e);
int memory_call_get(struct memory_call *c, const char *store,
    const struct memory *m, struct error *e);
int memory_call_create(struct memory_call *c, const char *store,
    const struct memory *m, struct bytes content, struct error *e);
int memory_call_update(struct memory_call *c, const char *store,
    const struct memory *m, struct bytes content, struct error *e);
int memory_call_delete(struct memory_call *c, const char *store,
    const struct memory *m, struct error *e);
void memory_call_done(struct memory_call *c);

/* Reads the answer to a call that must succeed.  The value points into
 * r->body.  Returns 0, or -1 with a text. */
int memory_answer_parse(const struct api_response *r, struct jsonr *ret,
    struct error *e);

/* A memory, as an answer shows it. */
struct memory_item {
	char id[MEMORY_ID_CAP], hash[MEMORY_HASH_CAP];
	char path[MEMORY_PATH_MAX + 1];
	struct jsonr content; /* a string, or absent */
	bool misplaced;       /* it has no place in a folder */
};

/* Returns 1; 0 for what is no memory or is misplaced; -1 with a text. */
int memory_item_parse(struct jsonr v, struct memory_item *ret,
    struct error *e);

#endif
