/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/overlay_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cmd/sandbox-exec/removal.h"
#include "common/io.h"
#include "common/str.h"

/* One change on its way to the host. */
struct commit {
	struct stage stage;
	struct change *change;
	int parent_fd;         /* on the host; -1: not there yet */
	const char *name;      /* in there */
};

typedef int action(struct commit *c);

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
prepare(struct commit *c)
{
	return c->change->kind == CHANGE_DELETED ||
	    S_ISDIR(c->change->mode) ? 0 : stage_put(&c->stage, c->change);
}

/* What would be in the way, seen before anything is changed.  Directories
 * that stay have been written to. */
static int
foresee(struct commit *c)
{
	enum change_kind kind = c->change->kind;

	if (kind == CHANGE_ADDED || (kind == CHANGE_MODIFIED &&
	    S_ISDIR(c->change->mode)))
		return 0;
	if (c->parent_fd == -1 || !is_unchanged(c))
		return -1;
	return kind == CHANGE_DELETED ? faccessat(c->parent_fd, ".", W_OK |
	    X_OK, 0) : 0;
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
	upper = overlay_open_beneath(c->stage.overlay->upper_fd,
	    c->change->path, O_RDONLY | O_DIRECTORY);
	if (fd != -1 && upper != -1 && fstat(upper, &st) == 0)
		r = geteuid() != 0 ? 0 : fchown(fd, st.st_uid, st.st_gid);
	io_close(&upper);
	io_close(&fd);
	return r;
}

static int
apply(struct commit *c)
{
	struct change *change = c->change;

	if (c->parent_fd == -1)
		return -1;
	if (change->kind == CHANGE_DELETED)
		return is_unchanged(c) ?
		    removal_remove(c->parent_fd, c->name) : -1;
	if (S_ISDIR(change->mode))
		return change->kind == CHANGE_ADDED ? add_directory(c) : 0;
	return change->kind == CHANGE_ADDED || is_unchanged(c) ?
	    stage_place(&c->stage, change, c->parent_fd, c->name) : -1;
}

static int
set_directory_mode(struct commit *c)
{
	int fd, r;

	if (c->change->kind == CHANGE_DELETED || !S_ISDIR(c->change->mode))
		return 0;
	fd = c->parent_fd == -1 ? -1 : overlay_open_beneath(c->parent_fd,
	    c->name, O_RDONLY | O_DIRECTORY);
	r = fd == -1 ? -1 : fchmod(fd, c->change->mode & 0777);
	io_close(&fd);
	return r;
}

static int
drop(struct commit *c)
{
	stage_drop(&c->stage, c->change);
	return 0;
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
take(struct commit *c, struct change *change, action *f, struct error *e)
{
	const struct overlay *o = c->stage.overlay;
	int r;

	c->change = change;
	c->parent_fd = stage_open_parent(o->lower_fd, change->path, &c->name);
	r = f(c);
	if (r != 0)
		error_errno(e, "%s/%s: commit", o->host, change->path);
	io_close(&c->parent_fd);
	return r;
}

static int
each(struct commit *c, const struct changes *all, action *f, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->count; i++)
		r = take(c, &all->at[i], f, e);
	return r;
}

/* What is in a directory before the directory. */
static int
each_backwards(struct commit *c, const struct changes *all, action *f,
    struct error *e)
{
	int r = 0;

	for (size_t i = all->count; r == 0 && i > 0; i--)
		r = take(c, &all->at[i - 1], f, e);
	return r;
}

static int
commit_all(const struct overlay *o, const struct changes *all,
    struct error *e)
{
	struct commit c = {.parent_fd = -1};
	struct error ignored;

	stage_init(&c.stage, o, all);
	if (each(&c, all, prepare, e) == 0 && each(&c, all, foresee, e) == 0 &&
	    each(&c, all, apply, e) == 0)
		return each_backwards(&c, all, set_directory_mode, e);
	each(&c, all, drop, &ignored);
	return -1;
}

int
changes_commit(const struct overlay *o, const struct changes *c,
    struct error *e)
{
	sigset_t all, before;
	mode_t old;
	int r;

	if (check(o, c, e) != 0)
		return -1;
	/* No signal but SIGKILL ends it half-way. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	old = umask(077);
	r = commit_all(o, c, e);
	umask(old);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
