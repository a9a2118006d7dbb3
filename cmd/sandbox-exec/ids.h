/* SPDX-License-Identifier: ISC */
/* User and group ids across user namespaces: one id of the host's is one id
 * inside, and no others are (user_namespaces(7)). */
#ifndef ADIT_SANDBOX_IDS_H
#define ADIT_SANDBOX_IDS_H

#include <sys/types.h>

struct ids {
	uid_t uid;
	gid_t gid;
};

/* As root: takes other host ids, so that a child can map them by itself;
 * capabilities stay in effect: some hosts let only root make user namespaces.
 * Returns 0, or -1 with errno and some of them taken. */
int ids_take(struct ids host);

/* Takes root's back.  Returns 0, or -1 with errno. */
int ids_give_back(void);

/* Becomes ids for good.  Returns 0, or -1 with errno and perhaps one of
 * them. */
int ids_become(struct ids ids);

/* In a new user namespace, whose maker had these host ids: makes them these
 * inside.  Returns 0, or an error number; errno stays. */
int ids_map(struct ids inside, struct ids host);

#endif
