/* SPDX-License-Identifier: ISC */
/* Directories that hostile code may write in at the same time: everything is
 * reached from a descriptor, no symbolic link is followed, nothing outside is
 * touched whatever is renamed meanwhile. */
#ifndef ADIT_WORKER_TREE_H
#define ADIT_WORKER_TREE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

enum {
	TREE_PATH_MAX = 1024,  /* bytes of a path below a directory */
	TREE_DEPTH_MAX = 40,   /* components of it */
};

/* Opens path below dir_fd (openat2(2), RESOLVE_BENEATH and NO_SYMLINKS), for
 * this process only.  Returns a descriptor, or -1 with errno. */
int tree_open(int dir_fd, const char *path, int flags, mode_t mode);

/* Opens the directory that holds path below dir_fd; *ret_leaf is the last
 * component, in path.  With made not NULL, directories that are missing are
 * made (0700) and counted there.  Returns a descriptor, or -1 with errno. */
int tree_open_parent(int dir_fd, const char *path, uint64_t *made,
    const char **ret_leaf);

/* Removes dir_fd/name, a file or a directory with all below it, however deep,
 * in at most timeout_ms.  Returns 0, also when there was nothing; or -1 with
 * errno, and what could not be removed is left. */
int tree_remove(int dir_fd, const char *name, int64_t timeout_ms);

/* Whether below dir_fd there are only directories, and regular files of one
 * name each, at most TREE_DEPTH_MAX deep.  Returns 0, or -1 with a text. */
int tree_check_plain(int dir_fd, struct error *e);

#endif
