/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

/* What is deeper than REMOVAL_DEPTH is moved up, to be met again. */
struct removal {
	int top_fd;
	unsigned long number; /* of the last that was moved */
	bool moved;
};

/* Where openat2(2) is hidden, as in a sandbox of ours: what is in a directory
 * has a name of one part. */
static int
open_plainly(int dir_fd, const char *name, int flags)
{
	int fd = openat(dir_fd, name, flags);
	struct stat dir, st;

	if (fd == -1 || dir_fd == AT_FDCWD)
		return fd;
	if (fstat(dir_fd, &dir) != 0 || fstat(fd, &st) != 0 ||
	    dir.st_dev != st.st_dev) {
		io_close(&fd);
		errno = EXDEV;
	}
	return fd;
}

static int
open_child(int dir_fd, const char *name, int flags)
{
	struct open_how how = {
		/* The first name may be a path of ours. */
		.resolve = RESOLVE_NO_MAGICLINKS | (dir_fd == AT_FDCWD ? 0 :
		    RESOLVE_BENEATH | RESOLVE_NO_XDEV),
	};
	int fd;

	flags |= O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	how.flags = (__u64)(unsigned)flags;
	fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof how);
	return fd == -1 && errno == ENOSYS ? open_plainly(dir_fd, name,
	    flags) : fd;
}

/* The payload can have taken its own rights away.  By descriptor: a name
 * could be a link. */
static void
allow(int dir_fd, const char *name)
{
	int fd = open_child(dir_fd, name, O_PATH);
	char path[32];

	if (fd == -1)
		return;
	str_format(path, sizeof path, "/proc/self/fd/%d", fd);
	chmod(path, 0700);
	io_close(&fd);
}

static int
open_directory(int dir_fd, const char *name)
{
	int fd = open_child(dir_fd, name, O_RDONLY);

	if (fd == -1 && errno == EACCES) {
		allow(dir_fd, name);
		fd = open_child(dir_fd, name, O_RDONLY);
	}
	return fd;
}

static int
move_up(struct removal *r, int dir_fd, const char *name)
{
	char new[32];

	/* Its own ".." changes, too. */
	allow(dir_fd, name);
	for (;;) {
		str_format(new, sizeof new, ".%lu", ++r->number);
		r->moved = true;
		if (renameat2(dir_fd, name, r->top_fd, new,
		    RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
}

static int remove_below(struct removal *r, int fd, int depth);

static int
remove_entry(struct removal *r, int dir_fd, const char *name, int depth)
{
	int fd;

	if (unlinkat(dir_fd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (depth == REMOVAL_DEPTH)
		return move_up(r, dir_fd, name);
	fd = open_directory(dir_fd, name);
	if (fd == -1 || remove_below(r, fd, depth + 1) != 0)
		return -1;
	return unlinkat(dir_fd, name, AT_REMOVEDIR);
}

/* Takes fd. */
static int
remove_below(struct removal *r, int fd, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *entry;
	int result = 0;

	if (d == NULL) {
		io_close(&fd);
		return -1;
	}
	fchmod(fd, 0700);
	while (result == 0 && (entry = readdir(d)) != NULL) {
		if (!str_eq(entry->d_name, ".") &&
		    !str_eq(entry->d_name, ".."))
			result = remove_entry(r, fd, entry->d_name, depth);
	}
	closedir(d);
	return result;
}

int
removal_remove(int dir_fd, const char *name)
{
	struct removal r = {.top_fd = -1};
	int result = 0;

	if (unlinkat(dir_fd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	r.top_fd = open_directory(dir_fd, name);
	if (r.top_fd == -1)
		return -1;
	do {
		int fd = openat(r.top_fd, ".", O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);

		r.moved = false;
		result = fd == -1 ? -1 : remove_below(&r, fd, 1);
	} while (result == 0 && r.moved);
	io_close(&r.top_fd);
	return result != 0 ? result : unlinkat(dir_fd, name, AT_REMOVEDIR);
}
