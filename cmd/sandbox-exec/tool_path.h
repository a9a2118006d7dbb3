/* SPDX-License-Identifier: ISC */
/* Where a path that an agent gives leads to, and whether that is inside the
 * roots.
 *
 * Names are looked up one by one from a descriptor with O_NOFOLLOW, and links
 * are read and followed here, so that nothing can be changed between the check
 * and the use: what was found is held.  This is RESOLVE_BENEATH of openat2(2)
 * done by hand, because that call is not allowed inside (it takes the mode
 * of new files from memory, which a filter cannot see) and because a link may
 * lead from one root into another. */
#ifndef ADIT_SANDBOX_TOOL_PATH_H
#define ADIT_SANDBOX_TOOL_PATH_H

#include <limits.h>
#include <sys/stat.h>

#include "cmd/sandbox-exec/toolset.h"

enum {
	TOOL_PATH_HOPS = 40,  /* links in one path, as in the kernel */
	TOOL_PATH_TRIES = 16, /* when files change in between */
};

struct tool_path {
	char path[PATH_MAX];          /* canonical, whether it exists or not */
	const struct tool_root *root; /* it is inside; NULL: outside */
	int dir_fd;                   /* the deepest directory there is, O_PATH;
				       * -1 if path is a root */
	const char *rest;             /* of path below dir_fd, "" for a root */
	int fd;                       /* O_PATH, or -1 if there is none */
	struct stat st;               /* of fd */
	int missing;                  /* if not: ENOENT or ENOTDIR */
};

/* Looks given, absolute or relative to at[0], up; ".." in it goes up in the
 * text, before any link is followed.  Returns 0, to be closed with
 * tool_path_close; or an errno: EAGAIN if it changed all the time. */
int tool_path_find(const struct tool_roots *roots, const char *given,
    struct tool_path *ret);
void tool_path_close(struct tool_path *p);

/* Opens what was found, a regular file, with these flags.  Never blocks.
 * Returns it, or -1 with errno: EAGAIN if it is no longer that. */
int tool_path_open(const struct tool_path *p, int flags);

/* The innermost root that path, canonical, is in; NULL: none. */
const struct tool_root *tool_path_root(const struct tool_roots *roots,
    const char *path);

#endif
