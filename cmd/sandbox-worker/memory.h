/* SPDX-License-Identifier: ISC */
/* What is to be done so that a folder and a memory store agree: the decision
 * alone, without files and calls.  For each path three things are known: what
 * both sides had when they last agreed, what the folder has, and what the
 * store has. */
#ifndef ADIT_WORKER_MEMORY_H
#define ADIT_WORKER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MEMORY_PATH_MAX = 1024,        /* bytes, with the leading slash */
	MEMORY_SEGMENTS_MAX = 20,
	MEMORY_CONTENT_MAX = 102400,   /* bytes of one memory */
	MEMORY_COUNT_MAX = 8192,       /* paths of one store, 2000 remote */
	MEMORY_HASH_CAP = 80,          /* 64 digits and room */
	MEMORY_ID_CAP = 256,
	MEMORY_ABSENT_MS = 30000,      /* before a deletion is believed */
	MEMORY_DELETES_MIN = 8,        /* deletions in one sync */
	MEMORY_DELETES_MAX = 50,
};

/* What becomes of files that were deleted locally. */
enum memory_deletes {
	MEMORY_DELETES_ENABLED,   /* the memory is deleted */
	MEMORY_DELETES_LOG_ONLY,  /* said, not done */
	MEMORY_DELETES_DISABLED,  /* nothing */
};

enum memory_action {
	MEMORY_NOTHING,
	MEMORY_ADOPT,         /* both sides have the same: remember that */
	MEMORY_FORGET,        /* neither has it */
	MEMORY_KEEP,          /* the folder has what the store will not get */
	MEMORY_PULL,          /* write the store's to the folder */
	MEMORY_CREATE,        /* write the folder's to the store */
	MEMORY_UPDATE,
	MEMORY_DELETE_LOCAL,
	MEMORY_DELETE_REMOTE,
	MEMORY_WAIT,          /* deleted locally, but not for long enough */
	MEMORY_REPORT,        /* would delete, but only says so */
};

/* One path.  The hashes are SHA-256 in hexadecimal, "" for absent. */
struct memory {
	char *path;                          /* "/a/b.md" */
	char base_local[MEMORY_HASH_CAP];    /* at the last agreement: ... */
	char base_remote[MEMORY_HASH_CAP];   /* ... as each side says it */
	char local[MEMORY_HASH_CAP];         /* now */
	char remote[MEMORY_HASH_CAP];
	char sent[MEMORY_HASH_CAP];          /* with an outcome not known */
	char refused[MEMORY_HASH_CAP];       /* by the store */
	char id[MEMORY_ID_CAP];              /* in the store */
	bool blocked;          /* something that cannot be a memory is there */
	int64_t absent_ms;     /* since when it is deleted locally; 0: not */
	enum memory_action action;
	bool conflict;         /* both sides changed; the store won */
	/* What its file was when it was last hashed. */
	struct {
		char hash[MEMORY_HASH_CAP];
		uint64_t inode, size;
		int64_t mtime_ns, ctime_ns;
	} stamp;
};

/* Sorted by path. */
struct memory_list {
	struct memory **at;
	size_t count, room;
};

/* What the folder looks like. */
enum memory_folder {
	MEMORY_FOLDER_GOOD,
	MEMORY_FOLDER_LOST,    /* gone, or empty and without its marker */
	MEMORY_FOLDER_FOREIGN, /* files, but not our marker: hands off */
};

struct memory_sync {
	int64_t now_ms;
	bool read_only;        /* nothing is written to the store */
	bool final;            /* deletions need not wait */
	bool upload_only;      /* the store was not listed */
	bool cut;              /* the folder has more than was looked at */
	enum memory_folder folder;
	enum memory_deletes deletes;
};

void memory_list_init(struct memory_list *l);
void memory_list_done(struct memory_list *l);

/* Finds path, or NULL. */
struct memory *memory_find(const struct memory_list *l, const char *path);

/* Finds path or adds it.  Returns NULL with ENOBUFS (MEMORY_COUNT_MAX) or
 * ENOMEM. */
struct memory *memory_add(struct memory_list *l, const char *path);

/* Drops the paths that nobody knows anymore. */
void memory_list_compact(struct memory_list *l);

/* Whether a path may be that of a memory: absolute, plain, in bounds, and not
 * one of the names that the folder needs for itself. */
bool memory_path_is_good(const char *path);

/* Decides what is to be done for each path and sets action and conflict;
 * counts absences from s->now_ms. */
void memory_plan(struct memory_list *l, const struct memory_sync *s);

/* After an action was done, or an answer came: both sides agree on m, the
 * folder as local and the store as remote; "" on both: neither has it. */
void memory_agree(struct memory *m, const char *local, const char *remote);

#endif
