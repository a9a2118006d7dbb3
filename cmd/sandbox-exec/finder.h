/* SPDX-License-Identifier: ISC */
/* Walks a tree that is put together in search of what to mount on
 * (masks.h): directory by directory, by descriptor, following no link unless
 * asked to, and then only inside. */
#ifndef ADIT_SANDBOX_FINDER_H
#define ADIT_SANDBOX_FINDER_H

#include <sys/stat.h>

#include "cmd/sandbox-exec/masks.h"
#include "cmd/sandbox-exec/path.h"

enum { FINDER_LIST_LEN = 4 << 10 }; /* of a directory, read at once */

/* Where the entries of a directory are while they are visited. */
struct finder_buffer {
	struct finder_buffer *next;
	uint8_t at[FINDER_LIST_LEN];
};

struct finder {
	const struct policy *policy;
	struct masks *masks;
	struct masks_watches *watches;
	const char *granted; /* inside: what is searched for repositories */
	int root_fd;
	size_t visits;      /* directory entries that may still be seen */
	size_t entries_max; /* soft: of all that is found */
	bool soft;          /* running out of them is no failure */
	bool is_default;    /* a path that is granted itself is no secret */
	bool on_paper;      /* nothing is to be mounted on what is kept: that
			     * can be links, and what is not there, too */
	bool failed;        /* too much; error has why */
	struct error *error;
	char path[PATH_LEN]; /* where the finder is; "" for the root */
	size_t len;
	struct finder_buffer *spare; /* to be used again: memory that is
				      * given back costs more than a listing */
	struct finder_buffer first;
};

/* After the fields that the caller sets; on_paper is false then.  To be ended
 * with finder_done. */
void finder_init(struct finder *f);
void finder_done(struct finder *f);

/* Ends the search with a text about the present path: the first one counts. */
void finder_fail(struct finder *f, const char *why);

/* Pays out of what may be visited.  Returns whether there was enough; if not,
 * the search fails, or is told to be cut short (soft). */
bool finder_pay(struct finder *f, size_t price);

/* Adds name to the path.  *old is for finder_leave, which is not to be called
 * when this fails. */
bool finder_enter(struct finder *f, const char *name, size_t *old);
void finder_leave(struct finder *f, size_t old);

/* To the directory that the finder's path is in. */
void finder_leave_last(struct finder *f);

/* To return to a place from anywhere. */
struct finder_place {
	char path[PATH_LEN];
	size_t len;
};
void finder_save(const struct finder *f, struct finder_place *ret);
void finder_restore(struct finder *f, const struct finder_place *place);

/* Adds the present path to the masks, or, if they are too many, does as
 * finder_pay. */
void finder_add(struct finder *f, enum masks_kind kind, mode_t mode);

/* Opens a path inside, following no link.  Returns a descriptor, or -1 with
 * errno. */
int finder_open_inside(const struct finder *f, const char *path,
    uint64_t flags);

/* Opens a directory in the directory fd; no link. */
int finder_open_child(int fd, const char *name);

/* Calls each for every name in the directory fd; in search of repositories
 * (soft) only for directories.  Nobody else reads fd meanwhile. */
typedef void finder_visit(struct finder *f, int fd, const char *name,
    void *arg);
void finder_list(struct finder *f, int fd, finder_visit *each, void *arg);

/* How a granted path lies to the finder's: -1 none is there, 0 one is below,
 * 1 it is one. */
int finder_granted(const struct finder *f);

/* Follows the link at the finder's path, and all that are on the way, as the
 * payload would (soft: as others would, who see the host), and moves the
 * finder there: its path is without links.  Returns a descriptor (O_PATH) of
 * what is no link, or -1: the finder is then anywhere. */
int finder_follow(struct finder *f, int fd, const char *name);

/* The same for a path, from the finder's directory if it is relative. */
int finder_walk(struct finder *f, const char *path);

/* Adds what the link leads to.  The link itself stays: nothing can be mounted
 * on it. */
void finder_add_target(struct finder *f, enum masks_kind kind, int fd,
    const char *name);

#endif
