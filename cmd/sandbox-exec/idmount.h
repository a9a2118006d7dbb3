/* SPDX-License-Identifier: ISC */
/* Mounts that show a file's owner as somebody else (mount_setattr(2),
 * ID-mapped mounts): so that a payload that is nobody on the host can work in
 * a directory of root's, and what it writes there is root's. */
#ifndef ADIT_SANDBOX_IDMOUNT_H
#define ADIT_SANDBOX_IDMOUNT_H

#include <sys/stat.h>

/* A mapping that is kept for the next mount: most have the same owner. */
struct idmount {
	int userns_fd; /* -1: none yet */
	uid_t from_uid;
	gid_t from_gid;
};

/* Maps the owner and group of st to the host's uid and gid on the detached
 * mount fd.  Needs CAP_SYS_ADMIN.  Returns 0, or -1 with errno; the mount
 * still works then, unmapped. */
int idmount_set(struct idmount *m, int mount_fd, const struct stat *st,
    uid_t uid, gid_t gid);

#endif
