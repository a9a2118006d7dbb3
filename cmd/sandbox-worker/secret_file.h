/* SPDX-License-Identifier: ISC */
/* The files with secrets that this program was given, in one list: no session
 * may read them, whoever it runs as, nor write where they lie. */
#ifndef ADIT_WORKER_SECRET_FILE_H
#define ADIT_WORKER_SECRET_FILE_H

#include <limits.h>
#include <stddef.h>

#include "common/error.h"

enum { SECRET_FILES_MAX = 4 };

struct secret_file {
	const char *option;  /* that named it */
	char path[PATH_MAX]; /* as it was given */
};

/* Adds a file; option stays with the caller, for good.  Returns 0, or
 * -1 with a text if it could not be hidden. */
int secret_file_add(const char *option, const char *path, struct error *e);

/* Adds the file that a descriptor is of, if it is of one that has a name. */
int secret_file_add_fd(const char *option, int fd, struct error *e);

/* The i-th, or NULL. */
const struct secret_file *secret_file_get(size_t i);

/* Where it is now, as a pattern for masks: other characters may stand where
 * those of patterns do.  Returns 0, or -1 if it is nowhere. */
int secret_file_format_mask(const struct secret_file *f,
    char out[static PATH_MAX]);

#endif
