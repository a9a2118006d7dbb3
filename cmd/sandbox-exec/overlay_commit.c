/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/overlay_changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/sandbox-exec/removal.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"

enum { COPY_RANGE = 1 << 20, COPY_LEN = 64 << 10, TEMP_LEN = 48, LINK_LEN = 4096 };

/* One change on its way to the host. */
struct commit {
	const struct overlay *overlay;
	const struct change *change;
	int parent_fd;         /* on the host */
	const char *name;      /* in there */
	char temp[TEMP_LEN];
};

/* Opens the directory that a path is in and points name to the rest. */
static int
open_parent(int root_fd, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	*name = slash == NULL ? path : slash + 1;
	if (slash == NULL)
		return overlay_open_beneath(root_fd, ".", O_RDONLY |
		    O_DIRECTORY);
	if (str_format(parent, sizeof parent, "%.*s", (int)(slash - path),
	    path) != 0)
		return -1;
	return overlay_open_beneath(root_fd, parent, O_RDONLY | O_DIRECTORY);
}

/* Whether the host's file is what was looked at. */
static bool
is_unchanged(const struct commit *c)
{
	const struct stat *was = &c->change->was;
	struct stat st;

	if (fstatat(c->parent_fd, c->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == was->st_dev && st.st_ino == was->st_ino &&
	    st.st_size == was->st_size && st.st_mode == was->st_mode &&
	    st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == was->st_mtim.tv_nsec &&
	    /* The commit of another name of the file changes this. */
	    (was->st_nlink > 1 ||
	    (st.st_ctim.tv_sec == was->st_ctim.tv_sec &&
	    st.st_ctim.tv_nsec == was->st_ctim.tv_nsec)))
		return true;
	errno = ESTALE;
	return false;
}

static int
make_temp_name(struct commit *c)
{
	char hex[17];

	random_hex(hex, sizeof hex - 1);
	return str_format(c->temp, sizeof c->temp, ".sandbox-exec-%s", hex);
}

static int
copy_bytes(int from, int to)
{
	static char block[COPY_LEN];
	ssize_t n;

	while ((n = copy_file_range(from, NULL, to, NULL, COPY_RANGE, 0)) > 0)
		;
	if (n == 0)
		return 0;
	/* File systems that cannot do that between them. */
	while ((n = read(from, block, sizeof block)) > 0) {
		if (io_write_all(to, bytes_of(block, (size_t)n)) != 0)
			return -1;
	}
	return n == 0 ? 0 : -1;
}

/* The owner that the host's file had; a new one has the upper's, which is the
 * overlaid directory's. */
static int
set_owner(const struct commit *c, int fd, const struct stat *upper)
{
	const struct stat *from = c->change->kind == CHANGE_MODIFIED ?
	    &c->change->was : upper;

	return geteuid() != 0 ? 0 : fchown(fd, from->st_uid, from->st_gid);
}

/* Writes the file under a temporary name. */
static int
write_temp_file(struct commit *c)
{
	int from = overlay_open_beneath(c->overlay->upper_fd,
	    c->change->path, O_RDONLY | O_NONBLOCK);
	int to = -1, r = -1;
	struct stat st;

	if (from == -1 || fstat(from, &st) != 0 || !S_ISREG(st.st_mode))
		goto out;
	to = openat(c->parent_fd, c->temp, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to == -1)
		goto out;
	if (copy_bytes(from, to) == 0 && set_owner(c, to, &st) == 0 &&
	    fchmod(to, st.st_mode & 0777) == 0 && futimens(to,
	    (struct timespec[]){st.st_atim, st.st_mtim}) == 0)
		r = 0;
out:
	io_close(&from);
	io_close(&to);
	return r;
}

static int
write_temp_link(struct commit *c)
{
	const char *name;
	char target[LINK_LEN + 1];
	int fd = open_parent(c->overlay->upper_fd, c->change->path, &name);
	ssize_t n = fd == -1 ? -1 : readlinkat(fd, name, target, LINK_LEN);

	io_close(&fd);
	if (n < 0)
		return -1;
	target[n] = '\0';
	return symlinkat(target, c->parent_fd, c->temp);
}

/* A file or a link: complete under a temporary name, then renamed. */
static int
put(struct commit *c)
{
	bool added = c->change->kind == CHANGE_ADDED;
	int r, saved;

	if (make_temp_name(c) != 0)
		return -1;
	r = S_ISLNK(c->change->mode) ? write_temp_link(c) :
	    write_temp_file(c);
	if (r == 0 && !added && !is_unchanged(c))
		r = -1;
	if (r == 0)
		r = renameat2(c->parent_fd, c->temp, c->parent_fd, c->name,
		    added ? RENAME_NOREPLACE : 0);
	if (r == 0)
		return 0;
	saved = errno;
	unlinkat(c->parent_fd, c->temp, 0);
	errno = saved;
	return -1;
}

/* The final mode comes when what is in it is there. */
static int
add_directory(struct commit *c)
{
	struct stat st;
	int fd, upper, r = -1;

	if (mkdirat(c->parent_fd, c->name, 0700) != 0)
		return -1;
	fd = overlay_open_beneath(c->parent_fd, c->name, O_RDONLY |
	    O_DIRECTORY);
	upper = overlay_open_beneath(c->overlay->upper_fd, c->change->path,
	    O_RDONLY | O_DIRECTORY);
	if (fd != -1 && upper != -1 && fstat(upper, &st) == 0)
		r = set_owner(c, fd, &st);
	io_close(&upper);
	io_close(&fd);
	return r;
}

static int
set_directory_mode(struct commit *c)
{
	int fd = overlay_open_beneath(c->parent_fd, c->name, O_RDONLY |
	    O_DIRECTORY);
	int r = fd == -1 ? -1 : fchmod(fd, c->change->mode & 0777);

	io_close(&fd);
	return r;
}

static int
apply(struct commit *c)
{
	const struct change *change = c->change;

	if (change->kind == CHANGE_DELETED)
		return is_unchanged(c) ?
		    removal_remove(c->parent_fd, c->name) : -1;
	if (!S_ISDIR(change->mode))
		return put(c);
	return change->kind == CHANGE_ADDED ? add_directory(c) : 0;
}

static int
step(const struct overlay *o, const struct change *change,
    int (*f)(struct commit *), struct error *e)
{
	struct commit c = {.overlay = o, .change = change};
	int r;

	c.parent_fd = open_parent(o->lower_fd, change->path, &c.name);
	r = c.parent_fd == -1 ? -1 : f(&c);
	if (r != 0)
		error_errno(e, "%s/%s: commit", o->host, change->path);
	io_close(&c.parent_fd);
	return r;
}

static int
check(const struct overlay *o, const struct changes *c, struct error *e)
{
	size_t problems = 0;
	const struct change *first = NULL;

	for (size_t i = 0; i < c->count; i++) {
		if (c->at[i].problem == CHANGE_FINE)
			continue;
		if (problems++ == 0)
			first = &c->at[i];
	}
	if (problems == 0)
		return 0;
	error_set(e, "%s/%s: %s", o->host, first->path,
	    changes_problem(first->problem));
	return problems == 1 ? -1 :
	    error_set(e, "%s/%s: %s, and %zu more like it", o->host,
	    first->path, changes_problem(first->problem), problems - 1);
}

static int
commit_all(const struct overlay *o, const struct changes *c, struct error *e)
{
	for (size_t i = 0; i < c->count; i++) {
		if (step(o, &c->at[i], apply, e) != 0)
			return -1;
	}
	/* What is in a directory before the directory. */
	for (size_t i = c->count; i > 0; i--) {
		const struct change *change = &c->at[i - 1];

		if (change->kind != CHANGE_DELETED &&
		    S_ISDIR(change->mode) &&
		    step(o, change, set_directory_mode, e) != 0)
			return -1;
	}
	return 0;
}

int
changes_commit(const struct overlay *o, const struct changes *c,
    struct error *e)
{
	mode_t old;
	int r;

	if (check(o, c, e) != 0)
		return -1;
	old = umask(077);
	r = commit_all(o, c, e);
	umask(old);
	return r;
}
