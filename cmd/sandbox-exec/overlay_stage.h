/* SPDX-License-Identifier: ISC */
/* The new files and links of a commit, complete on the host before one of them
 * gets its name: what takes room, or rights that are missing, fails while
 * nothing has been changed. */
#ifndef ADIT_SANDBOX_OVERLAY_STAGE_H
#define ADIT_SANDBOX_OVERLAY_STAGE_H

#include "cmd/sandbox-exec/overlay_changes.h"

enum { STAGE_RANDOM = 16 };

struct stage {
	const struct overlay *overlay;
	const struct changes *changes;
	char random[STAGE_RANDOM + 1]; /* of the names until then */
};

void stage_init(struct stage *s, const struct overlay *o,
    const struct changes *c);

/* Writes what is at the change's path in the upper, into the directory that
 * it belongs in or the nearest above that exists.  A file that takes the place
 * of another one has its owner and its access list.  Returns 0, or -1 with
 * errno. */
int stage_put(const struct stage *s, struct change *change);

/* Gives it its name in parent_fd, which has to be new for CHANGE_ADDED.
 * Returns 0, or -1 with errno. */
int stage_place(const struct stage *s, struct change *change, int parent_fd,
    const char *name);

/* Removes it unless it has been placed. */
void stage_drop(const struct stage *s, struct change *change);

/* Opens the directory that a path is in and points name to the rest. */
int stage_open_parent(int root_fd, const char *path, const char **name);

#endif
