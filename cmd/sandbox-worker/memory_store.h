/* SPDX-License-Identifier: ISC */
/* The memory stores of a session and their folders, kept in step, all at the
 * same time.  Everything here blocks, until a deadline.
 *
 * Of each memory there is one call at a time, and what is to be done follows
 * from one look at both sides: first all listings, then what comes down, then
 * what goes up, then deletions. */
#ifndef ADIT_WORKER_MEMORY_STORE_H
#define ADIT_WORKER_MEMORY_STORE_H

#include "cmd/sandbox-worker/calls.h"
#include "cmd/sandbox-worker/memory_call.h"
#include "cmd/sandbox-worker/memory_files.h"

enum {
	MEMORY_STORE_NAME_CAP = 256,
	MEMORY_PAGES_MAX = 512,    /* of one listing */
	/* Pages with all the content, of one store each: they are large. */
	MEMORY_PAGES_AT_ONCE = 4,
	/* Calls at once for each store, as the vendor's worker has them. */
	MEMORY_PULLS_AT_ONCE = 16,
	MEMORY_PUSHES_AT_ONCE = 32,
	/* Of an upload that will not be tried later: half a minute's. */
	MEMORY_LAST_RETRIES = 6,
};

struct memory_store {
	char id[MEMORY_STORE_ID_CAP];
	char name[MEMORY_STORE_NAME_CAP]; /* for people */
	char folder[16];                  /* name of its folder */
	bool read_only;
	enum memory_deletes deletes;
	struct memory_list list;
	struct memory_files files;
	bool active;                      /* it takes part in what is done */
	/* Of the listing that runs. */
	char page[MEMORY_PAGE_CAP];       /* "": the first */
	int pages;
	struct error why;                 /* it failed */
};

struct memory_stores {
	struct memory_store *at;
	size_t count;
	struct calls *calls;   /* of the caller */
	int stop_fd;           /* opening is given up when it is readable;
	                        * or -1 */
};

/* Makes the folders in parent_fd and fills them.  id, name, folder, read_only
 * and deletes of each are set.  Returns 0, or -1 with a text and no
 * folders. */
int memory_stores_open(struct memory_stores *s, int parent_fd,
    struct error *e);

/* Carries changes both ways, until deadline_ms; final: deletions do not wait,
 * and calls are repeated more patiently.  What fails is said in a warning, and
 * is tried in the next sync. */
void memory_stores_sync(struct memory_stores *s, bool final,
    int64_t deadline_ms);

/* Uploads what is new or changed, and nothing else. */
void memory_stores_flush(struct memory_stores *s, int64_t deadline_ms);

/* Takes the folders away. */
void memory_stores_close(struct memory_stores *s);

#endif
