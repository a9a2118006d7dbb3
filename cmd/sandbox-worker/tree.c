/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"

enum {
	DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	REMOVE_DEPTH = 24,   /* descriptors held while a tree is removed */
	NAME_CAP = 256,      /* NAME_MAX and a NUL */
};

int
tree_open(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* EAGAIN: something was renamed while the path was walked. */
	do {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
	} while (fd == -1 && (errno == EAGAIN || errno == EINTR));
	return (int)fd;
}

/* Takes the next component off *path.  Returns its length in name, or 0 if it
 * is the last one. */
static size_t
next_component(const char **path, char name[static NAME_CAP])
{
	size_t n = strcspn(*path, "/");

	if ((*path)[n] == '\0' || n >= NAME_CAP)
		return 0;
	memcpy(name, *path, n);
	name[n] = '\0';
	*path += n + 1;
	return n;
}

int
tree_open_parent(int dir_fd, const char *path, uint64_t *made,
    const char **ret_leaf)
{
	char name[NAME_CAP];
	int fd = openat(dir_fd, ".", DIRECTORY), next, depth = 0;

	while (fd != -1 && next_component(&path, name) != 0) {
		if (++depth > TREE_DEPTH_MAX) {
			errno = ENAMETOOLONG;
			io_close(&fd);
			break;
		}
		if (made != NULL && mkdirat(fd, name, 0700) == 0)
			++*made;
		next = openat(fd, name, DIRECTORY);
		io_close(&fd);
		fd = next;
	}
	*ret_leaf = path;
	return fd;
}

struct removal {
	int top_fd;          /* the directory that is removed */
	int64_t deadline_ms;
	int64_t moved;       /* directories moved up to top_fd */
	bool again;          /* there are such */
	int failure;         /* errno of the first failure */
};

static void empty_directory(struct removal *r, int fd, int depth);

static void
fail(struct removal *r)
{
	if (r->failure == 0)
		r->failure = errno;
}

/* Opens a directory to empty it, whatever its mode. */
static int
open_to_empty(int dir_fd, const char *name)
{
	char self[40];
	int fd = openat(dir_fd, name, DIRECTORY), path_fd;

	if (fd != -1 || errno != EACCES)
		return fd;
	path_fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (path_fd == -1)
		return -1;
	str_format(self, sizeof self, "/proc/self/fd/%d", path_fd);
	if (chmod(self, 0700) == 0)
		fd = openat(dir_fd, name, DIRECTORY);
	io_close(&path_fd);
	return fd;
}

/* Too deep to go on: the directory is moved up and removed from there. */
static void
move_up(struct removal *r, int dir_fd, const char *name)
{
	char moved[40];

	str_format(moved, sizeof moved, ".removed-%d-%lld", (int)getpid(),
	    (long long)r->moved++);
	if (renameat(dir_fd, name, r->top_fd, moved) == 0)
		r->again = true;
	else
		fail(r);
}

static void
remove_directory(struct removal *r, int dir_fd, const char *name, int depth)
{
	int fd;

	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return;
	if (depth >= REMOVE_DEPTH) {
		move_up(r, dir_fd, name);
		return;
	}
	fd = open_to_empty(dir_fd, name);
	if (fd == -1) {
		fail(r);
		return;
	}
	empty_directory(r, fd, depth);
	io_close(&fd);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT &&
	    !r->again)
		fail(r);
}

/* Opens what fd is open on once more, to read it from its start. */
static DIR *
open_listing(int fd)
{
	int own = openat(fd, ".", DIRECTORY);
	DIR *d = own == -1 ? NULL : fdopendir(own);

	if (d == NULL)
		io_close(&own);
	return d;
}

static bool
is_dots(const char *name)
{
	return str_eq(name, ".") || str_eq(name, "..");
}

static void
empty_directory(struct removal *r, int fd, int depth)
{
	DIR *d = open_listing(fd);
	struct dirent *entry;

	if (d == NULL) {
		fail(r);
		return;
	}
	while ((entry = readdir(d)) != NULL) {
		if (clock_ms() > r->deadline_ms) {
			errno = ETIMEDOUT;
			fail(r);
			break;
		}
		if (is_dots(entry->d_name) ||
		    unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno == EISDIR)
			remove_directory(r, fd, entry->d_name, depth + 1);
		else
			fail(r);
	}
	closedir(d);
}

int
tree_remove(int dir_fd, const char *name, int64_t timeout_ms)
{
	struct removal r = {.deadline_ms = clock_ms() + timeout_ms};

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -1;
	r.top_fd = open_to_empty(dir_fd, name);
	if (r.top_fd == -1)
		return -1;
	do {
		r.again = false;
		empty_directory(&r, r.top_fd, 0);
	} while (r.again && r.failure == 0);
	io_close(&r.top_fd);
	if (r.failure == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (r.failure != 0)
		errno = r.failure;
	return -1;
}

static int check_plain(int dir_fd, int depth, struct error *e);

static int
check_entry(int dir_fd, const char *name, int depth, struct error *e)
{
	struct stat st;
	int fd, r;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return error_errno(e, "stat");
	if (S_ISREG(st.st_mode))
		return st.st_nlink == 1 ? 0
		    : error_set(e, "a file has several names");
	if (!S_ISDIR(st.st_mode))
		return error_set(e, "neither a file nor a directory");
	if (depth >= TREE_DEPTH_MAX)
		return error_set(e, "deeper than %d directories",
		    TREE_DEPTH_MAX);
	fd = openat(dir_fd, name, DIRECTORY);
	if (fd == -1)
		return error_errno(e, "open");
	r = check_plain(fd, depth + 1, e);
	io_close(&fd);
	return r;
}

static int
check_plain(int dir_fd, int depth, struct error *e)
{
	DIR *d = open_listing(dir_fd);
	struct dirent *entry;
	int r = 0;

	if (d == NULL)
		return error_errno(e, "open");
	while (r == 0 && (entry = readdir(d)) != NULL)
		if (!is_dots(entry->d_name))
			r = check_entry(dir_fd, entry->d_name, depth, e);
	closedir(d);
	return r;
}

int
tree_check_plain(int dir_fd, struct error *e)
{
	return check_plain(dir_fd, 0, e);
}
