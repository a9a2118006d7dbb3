/* SPDX-License-Identifier: ISC */
/* Hides what patterns match, in a tree that is put together (masks.h). */
#ifndef ADIT_SANDBOX_MASKS_HIDE_H
#define ADIT_SANDBOX_MASKS_HIDE_H

#include "cmd/sandbox-exec/finder.h"

/* Hides what matches an absolute pattern of paths inside. */
void masks_hide_inside(struct finder *f, const char *pattern);

/* Hides what matches an absolute pattern of host paths, wherever it is
 * granted. */
void masks_hide_host(struct finder *f, const char *pattern);

/* The same in one grant: path is what is left of the granted path, and
 * pattern of the pattern, after parts of both that match. */
void masks_hide_granted(struct finder *f, const struct policy_path *grant,
    const char *path, const char *pattern);

/* Hides what the pattern, of any depth, matches with the end of the granted
 * path's name as its first parts: no walk below the path comes to it. */
void masks_hide_named(struct finder *f, const struct policy_path *grant,
    const char *pattern);

/* Whether the path shows files of the host. */
bool masks_is_grant(const struct policy_path *path);

/* Opens a directory, no link, to look for names in it; it need not be one that
 * can be listed.  Returns a descriptor (O_PATH), or -1 with errno. */
int masks_open_directory(int fd, const char *name);

/* Hides what matches the pattern in the directory fd, where the finder is. */
void masks_hide_in(struct finder *f, int fd, const char *pattern);

/* The same for a name in it that has matched the first part. */
void masks_hide_match(struct finder *f, int fd, const char *name,
    const char *pattern);

#endif
