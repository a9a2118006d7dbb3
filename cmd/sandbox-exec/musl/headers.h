/* SPDX-License-Identifier: ISC */
/* What musl's headers (1.2.3) lack of glibc's, for the sources as they are:
 * included in front of each (see rules.mk).  Thin system calls, a type and a
 * table; nothing else. */
#ifndef ADIT_SANDBOX_MUSL_HEADERS_H
#define ADIT_SANDBOX_MUSL_HEADERS_H

#include <limits.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

typedef int __rlimit_resource_t;

static inline int
close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

static inline int
execveat(int dir_fd, const char *path, char *const argv[],
    char *const environment[], int flags)
{
	return (int)syscall(SYS_execveat, dir_fd, path, argv, environment,
	    flags);
}

static inline int
renameat2(int from_fd, const char *from, int to_fd, const char *to,
    unsigned flags)
{
	return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

static inline int
open_tree(int dir_fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

static inline int
move_mount(int from_fd, const char *from, int to_fd, const char *to,
    unsigned flags)
{
	return (int)syscall(SYS_move_mount, from_fd, from, to_fd, to, flags);
}

static inline int
mount_setattr(int dir_fd, const char *path, unsigned flags,
    struct mount_attr *attr, size_t size)
{
	return (int)syscall(SYS_mount_setattr, dir_fd, path, flags, attr,
	    size);
}

static inline int
fsopen(const char *type, unsigned flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

static inline int
fsconfig(int fd, unsigned command, const char *key, const void *value,
    int aux)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

static inline int
fsmount(int fd, unsigned flags, unsigned attributes)
{
	return (int)syscall(SYS_fsmount, fd, flags, attributes);
}

/* "ENOENT", or NULL; see errors.c. */
const char *strerrorname_np(int number);

/* musl gives memory back by itself. */
static inline int
malloc_trim(size_t pad)
{
	(void)pad;
	return 0;
}

#endif
