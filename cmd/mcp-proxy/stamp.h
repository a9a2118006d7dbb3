/* SPDX-License-Identifier: ISC */
/* Whether a file is another than it was.  Looking beats being told: inotify on
 * a path misses the swap of a directory behind a symbolic link, which is how
 * Kubernetes replaces files. */
#ifndef ADIT_MCP_PROXY_STAMP_H
#define ADIT_MCP_PROXY_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
};

/* All zero if there is no such file. */
void stamp_take(const char *path, struct stamp *ret);

bool stamp_eq(const struct stamp *a, const struct stamp *b);

/* A file that was loaded, and is looked at now and then. */
struct stamp_watch {
	struct stamp loaded, seen; /* seen: at the last look */
};

/* It is to be loaded next. */
void stamp_watch_init(struct stamp_watch *w, const char *path);

/* Whether it is to be loaded again.  A change counts when it has been there
 * for one look: the file may be written in parts. */
bool stamp_watch_look(struct stamp_watch *w, const char *path);

#endif
