/* SPDX-License-Identifier: ISC */
/* The files that the payload sees: a root of its own, put together from
 * descriptors.  Each host path is resolved once, when it is opened; nothing
 * is created but in the sandbox's own tmpfs. */
#ifndef ADIT_SANDBOX_TREE_H
#define ADIT_SANDBOX_TREE_H

#include <stdbool.h>

#include "cmd/sandbox-exec/idmount.h"
#include "cmd/sandbox-exec/masks.h"
#include "cmd/sandbox-exec/owner.h"
#include "cmd/sandbox-exec/policy.h"
#include "common/landlock.h"

enum {
	TREE_SOURCES_MAX = POLICY_PATHS_MAX + 24,
	TREE_LINKS = 6,
};

/* A mount that is not attached yet. */
struct tree_source {
	const struct policy_path *path; /* NULL: one of the defaults */
	char *inside;                   /* static, the policy's or name */
	char *name;                     /* its own, or NULL */
	int fd;                         /* detached mount */
	int upper_fd;                   /* POLICY_OVERLAY: another, or -1 */
	bool directory;
	bool writable;
};

/* Pseudoterminals that the payload can have. */
#define TREE_PTYS_MAX "256"

struct tree {
	int root; /* the new root's mount, a tmpfs */
	dev_t private_dev;
	struct idmount idmount;
	bool links_read;
	char links[TREE_LINKS][64]; /* of "/bin", "/sbin", "/lib" ... */
	bool no_proc;       /* the kernel refused a fresh /proc */
	const char *no_idmap; /* a path whose owner could not be mapped */
	bool refused;       /* the kernel does not let us mount as such */
	bool cut;           /* not all repositories were looked for */
	size_t source_count;
	struct tree_source sources[TREE_SOURCES_MAX];
	struct masks_watches watches;
};

void tree_init(struct tree *t);
void tree_done(struct tree *t);

/* Opens every source as a detached mount with its final flags.  Runs in the
 * supervisor if that is root, else in init.  Returns 0, or -1 with a text. */
int tree_open(struct tree *t, const struct policy *p,
    const struct owner *owner, struct error *e);

/* In init, with its final ids: makes the tmpfs that the tree stands on.
 * Returns 0, or -1 with a text and errno. */
int tree_make_root(struct tree *t, const struct policy *p, struct error *e);

/* When all sources are open: mounts it on "/", of which a clone would have it.
 * A lookup still starts below it.  Returns 0, or -1 with a text and errno. */
int tree_attach_root(struct tree *t, struct error *e);

/* In init: builds the tree and fills the Landlock rule set.  Returns 0, or -1
 * with a text and errno. */
int tree_build(struct tree *t, const struct policy *p, struct landlock *l,
    struct error *e);

/* In init: makes the tree the root; the host's is still to be had by "/..".
 * Returns 0, or -1 with errno. */
int tree_enter(struct tree *t);

/* Then, in any process of the mount namespace: lets go of the host's, at once
 * for all of them, and waits until each processor has left the kernel once,
 * which takes long while one makes a network namespace.  Returns 0 or an error
 * number; errno stays. */
int tree_leave(void);

#endif
