/* SPDX-License-Identifier: ISC */
/* Paths of a policy: absolute, without ".", ".." and doubled slashes.  Host
 * paths are also without symbolic links, since the sandbox opens them
 * without following any. */
#ifndef ADIT_SANDBOX_PATH_H
#define ADIT_SANDBOX_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

enum { PATH_LEN = 4096 };

/* Writes text as an absolute path, "~/x" below home and "x" below cwd (either
 * may be NULL; cwd is "" for one that has been removed).  Touches no file.
 * Returns 0, or -1 with a text. */
int path_absolute(const char *text, const char *cwd, const char *home,
    char out[static PATH_LEN], struct error *e);

/* Reads "PATH" or "PATH:INSIDE", where INSIDE begins with '/'.  host is PATH
 * with every link resolved; inside is INSIDE, or PATH with the links in its
 * directory resolved.  Returns 0, or -1 with a text, also if the host has no
 * such file. */
int path_resolve(const char *text, const char *cwd, const char *home,
    char host[static PATH_LEN], char inside[static PATH_LEN],
    struct error *e);

/* Writes the host path of such a text as it is given, its links not resolved.
 * Returns 0, or -1 with a text. */
int path_given(const char *text, const char *cwd, const char *home,
    char out[static PATH_LEN], struct error *e);

/* Writes a pattern in its canonical form: absolute, or without a slash at its
 * start to match at any depth.  Returns 0, or -1 with a text. */
int path_glob(const char *text, const char *home, char out[static PATH_LEN],
    struct error *e);

/* Writes the pattern of host paths that such a pattern stands for: if it is
 * absolute, the host's links in front of its first wildcard are resolved, so
 * far as there are such files.  Returns 0, or -1 with a text. */
int path_glob_host(const char *glob, char out[static PATH_LEN],
    struct error *e);

/* Writes the pattern that matches path alone; out is of 2 * PATH_LEN. */
void path_escape(const char *path, char *out);

/* Whether path, absolute, is dir or below it. */
bool path_is_below(const char *path, const char *dir);

/* Like strcmp, with a directory directly before what is in it. */
int path_compare(const char *a, const char *b);

/* Whether name, one part of a path, matches pattern: '*', '?', '[a-z]',
 * '[!a]' and '\' as in the shell, but a dot at the start needs no dot.  Takes
 * at most the product of the lengths. */
bool path_match_part(const char *pattern, size_t pattern_len,
    const char *name);

#endif
