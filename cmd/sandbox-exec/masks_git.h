/* SPDX-License-Identifier: ISC */
/* What the payload must not change of git's: what makes it run programs, in a
 * git directory and where the settings there lead. */
#ifndef ADIT_SANDBOX_MASKS_GIT_H
#define ADIT_SANDBOX_MASKS_GIT_H

#include "cmd/sandbox-exec/finder.h"

/* Keeps what is in the git directory fd, where the finder is, and in those of
 * its submodules and working copies below it. */
void masks_git_keep(struct finder *f, int fd);

/* The same for what ".git" is in the directory fd, where the finder is: a git
 * directory, a link to one or a file that names one. */
void masks_git_keep_of(struct finder *f, int fd);

#endif
