/* SPDX-License-Identifier: ISC */
/* The folder of a memory store.  What runs in the sandbox writes in it at the
 * same time and may be hostile: everything goes through a descriptor of the
 * folder, nothing but regular files is opened, nothing outside is reached. */
#ifndef ADIT_WORKER_MEMORY_FILES_H
#define ADIT_WORKER_MEMORY_FILES_H

#include "cmd/sandbox-worker/memory.h"
#include "common/buf.h"
#include "common/error.h"

enum {
	MEMORY_SCAN_MAX = 50000, /* names looked at in one scan */
	MEMORY_REMOVE_MS = 30000,
};

struct memory_files {
	int parent_fd;     /* of the caller */
	const char *name;  /* of the folder in it, of the caller */
	const char *store; /* id, for the marker, of the caller */
	int root_fd;
};

/* Makes the folder, which may not exist, and its marker.  Returns 0, or -1
 * with a text. */
int memory_files_open(struct memory_files *f, int parent_fd, const char *name,
    const char *store, struct error *e);

/* Takes the folder and all in it away. */
int memory_files_remove_all(struct memory_files *f, struct error *e);

/* Sets local and blocked of every path in l, and adds paths that are new.
 * Returns what the folder looks like; *ret_cut: not everything was looked
 * at. */
enum memory_folder memory_files_scan(struct memory_files *f,
    struct memory_list *l, bool *ret_cut);

/* Makes a folder that was lost anew.  Returns 0, or -1 with a text. */
int memory_files_restore(struct memory_files *f, struct error *e);

/* Appends the content of path and writes its hash.  Returns 0, or -1 with
 * ENOENT, EFBIG (too large), EILSEQ (not UTF-8), EINVAL (no file) or another
 * errno. */
int memory_files_read(const struct memory_files *f, const char *path,
    struct buf *content, char hash[static MEMORY_HASH_CAP]);

/* Replaces the file of m by content, unless it is no longer what the scan
 * found (EBUSY).  Returns 0 and the hash, or -1 with errno. */
int memory_files_write(const struct memory_files *f, const struct memory *m,
    struct bytes content, char hash[static MEMORY_HASH_CAP]);

/* Deletes the file of m, with the same condition. */
int memory_files_delete(const struct memory_files *f, const struct memory *m);

#endif
