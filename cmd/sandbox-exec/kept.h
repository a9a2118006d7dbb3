/* SPDX-License-Identifier: ISC */
/* What of a directory of the host's is not to be changed there, beside what
 * protect_is_name says: the repositories' in it by whatever name they have,
 * and where links and settings of git lead.  What a mount keeps elsewhere
 * (masks_keep.h) is said here of changes that are not made yet. */
#ifndef ADIT_SANDBOX_KEPT_H
#define ADIT_SANDBOX_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct kept {
	char **paths; /* absolute, in the order of path_compare */
	size_t count;
	const char *dir;
	bool cut; /* not all repositories were looked for */
};

/* Looks below dir, absolute and without links, which stays the caller's; home
 * is the user's home directory, or NULL.  Returns 0, to be freed with
 * kept_done; or -1 with a text. */
int kept_find(const char *dir, char *home, struct kept *ret,
    struct error *e);
void kept_done(struct kept *k);

/* Whether path, relative to the directory, is to be kept or in what is. */
bool kept_has(const struct kept *k, const char *path);

#endif
