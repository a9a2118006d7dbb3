/* SPDX-License-Identifier: ISC */
/* A memory store of the API and its folder, kept in step.  Everything here
 * blocks, until a deadline. */
#ifndef ADIT_WORKER_MEMORY_STORE_H
#define ADIT_WORKER_MEMORY_STORE_H

#include "cmd/sandbox-worker/api.h"
#include "cmd/sandbox-worker/memory_files.h"

enum {
	MEMORY_STORE_ID_CAP = 256,
	MEMORY_STORE_NAME_CAP = 256,
	MEMORY_PAGES_MAX = 512,        /* of one listing */
	MEMORY_PAGE_LEN_MAX = 16 << 20,   /* 20 memories, all of it escapes */
	MEMORY_CALL_MS = 60000,        /* for one attempt of a call */
};

struct memory_store {
	char id[MEMORY_STORE_ID_CAP];
	char name[MEMORY_STORE_NAME_CAP]; /* for people */
	char folder[16];                  /* name of its folder */
	bool read_only;
	enum memory_deletes deletes;
	struct api *api;                  /* of the caller */
	int stop_fd;      /* when it is readable, opening is given up; or -1 */
	struct memory_list list;
	struct memory_files files;
};

/* Makes the folder in parent_fd and fills it.  id, name, folder, read_only,
 * deletes and api are set.  Returns 0, or -1 with a text and no folder. */
int memory_store_open(struct memory_store *s, int parent_fd,
    struct error *e);

/* Carries changes both ways, until deadline_ms; final: deletions do not
 * wait.  What fails is said in a warning, and is tried in the next sync. */
void memory_store_sync(struct memory_store *s, bool final,
    int64_t deadline_ms);

/* Uploads what is new or changed, and nothing else. */
void memory_store_flush(struct memory_store *s, int64_t deadline_ms);

/* Takes the folder away. */
void memory_store_close(struct memory_store *s);

#endif
