/* SPDX-License-Identifier: ISC */
/* Copy-on-write directories: the payload's writes to a directory of the host
 * go to another one, the upper, and are looked at or made when nothing of the
 * sandbox is left.
 *
 * The upper is in memory when nobody asks for the changes; else on the host
 * in a directory that the payload cannot reach: the one that is given or a
 * new one beside what is overlaid.  A file of the host is taken to be as it
 * was at the start if its ctime, which no program can set, is not younger than
 * the upper; so nothing has to be recorded for each file. */
#ifndef ADIT_SANDBOX_OVERLAY_H
#define ADIT_SANDBOX_OVERLAY_H

#include <time.h>

#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/policy.h"

enum { OVERLAY_MAX = 16 };

struct overlay {
	char *host;            /* the directory */
	char *home;            /* the caller's, or NULL */
	char dir[PATH_LEN];    /* holds upper, work and state */
	int lower_fd;          /* of host */
	int upper_fd;
	int state_fd;          /* locked */
	struct timespec start; /* of the changes, by the file system */
	bool protect;          /* protected names are refused */
};

struct overlays {
	size_t count;
	char parent[PATH_LEN]; /* made here, to be removed; or "" */
	struct overlay at[OVERLAY_MAX];
};

/* In the supervisor, before the sandbox: finds or makes the uppers in the
 * directory changes, or, if that is NULL and keep is set, in new ones, and
 * enters them in the policy.  Returns 0, to be ended with overlay_close in
 * any case; or -1 with a text. */
int overlay_open(struct overlays *o, struct policy *p, const char *changes,
    bool keep, struct error *e);

/* Removes the changes.  Returns 0, or -1 with a text. */
int overlay_drop(struct overlays *o, struct error *e);
void overlay_close(struct overlays *o);

/* In init: puts the directory that upper_mount holds over lower_mount, both
 * detached.  upper_mount: "upper" and "work" are in it, or are made when
 * fresh is set.  Returns a detached mount, or -1 with errno. */
int overlay_mount(int root_fd, int lower_mount, int upper_mount, bool fresh);

/* Like openat2(2) with RESOLVE_BENEATH, and no link, magic link or mount on
 * the way. */
int overlay_open_beneath(int dir_fd, const char *path, int flags);

#endif
