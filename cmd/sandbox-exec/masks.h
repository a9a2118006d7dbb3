/* SPDX-License-Identifier: ISC */
/* Finds what the payload must not read (credentials, the policy's masks) or
 * not change (protect.h) in a tree that is put together.  Only looks;
 * creates nothing.  Descriptor by descriptor, no link is followed. */
#ifndef ADIT_SANDBOX_MASKS_H
#define ADIT_SANDBOX_MASKS_H

#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/policy.h"
#include "cmd/sandbox-exec/protect.h"

enum {
	MASKS_MAX = 4096,         /* entries, and as many pins; as many for
				   * each path in search of repositories */
	MASKS_VISITS_MAX = 200000, /* directory entries for the policy's */
	MASKS_DIRECTORY = 16, /* what one costs in search of repositories, */
	MASKS_STEP = 4,       /* one to where a link or a setting leads, and */
	MASKS_STEP_BYTES = 16, /* 1 for so many of the path that it is at, */
	MASKS_BYTES = 1024,   /* so many of a file that is read as much as 1, */
	MASKS_PROTECT_VISITS = 4096 * MASKS_DIRECTORY, /* a file 1, of these */
	MASKS_PROTECT_DEPTH = 3,
	MASKS_WATCHED_MAX = 128, /* two for each repository below a path */
	MASKS_DEPTH_MAX = 96, /* directories below each other */
};

enum masks_kind {
	MASKS_HIDE, /* cover with an empty file or directory */
	MASKS_KEEP, /* mount on itself, read-only */
	MASKS_PIN,  /* mount on itself as it is, so that it cannot be
		     * renamed with what is below */
};

struct masks_entry {
	enum masks_kind kind;
	bool directory;
	char *path; /* absolute, inside */
};

/* In the order to mount in: a directory before what is below it. */
struct masks {
	struct masks_entry *entries;
	size_t count, size;
	bool cut; /* the search for repositories was */
};

/* A directory below what is writable that lacks a protected name of git's, or
 * has a link for it: nothing can be mounted there. */
struct masks_watched {
	char *path; /* absolute, inside */
	struct protect_state state;
};

struct masks_watches {
	const struct protect_watch *known; /* what the supervisor watches; or
					    * NULL */
	size_t count, size;
	struct masks_watched *at;
};

/* Looks below root_fd, the root of the tree.  Returns 0, to be freed with
 * masks_done; or -1 with a text, also if the policy's masks match too much or
 * in too large a tree to be sure. */
int masks_find(int root_fd, const struct policy *p, struct masks *ret,
    struct masks_watches *watches, struct error *e);
void masks_done(struct masks *m);

/* A sandbox has its watches to the end: the supervisor, which may share the
 * memory that they are in, must not see it freed. */
void masks_watches_done(struct masks_watches *w);

#endif
