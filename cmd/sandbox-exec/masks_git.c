/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks_git.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-exec/gitconfig.h"
#include "cmd/sandbox-exec/masks_keep.h"
#include "common/io.h"
#include "common/str.h"

enum {
	NESTED_MAX = 3,      /* modules/a/b */
	FILES_MAX = 10,      /* that one includes, and so on */
	FILE_MAX = 1 << 20,
	FILE_FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
};

/* Where the settings of a git directory hold. */
struct settings {
	char top[PATH_LEN];  /* of the working copy, inside */
	const char *git;     /* the git directory */
	unsigned files;
	bool of_worktree;    /* there are those in config.worktree */
};

/* One file of them, while it is read. */
struct reading {
	struct finder_place place; /* its directory */
	struct gitconfig config;
	struct gitconfig_entry entry;
};

/* ---- files ---- */

/* Opens the file that name in the directory fd leads to, and moves the finder
 * there. */
static int
open_file(struct finder *f, int fd, const char *name)
{
	int found, target;

	if (!finder_enter(f, name, &(size_t){0}))
		return -1;
	found = openat(fd, name, FILE_FLAGS | O_NOFOLLOW);
	if (found != -1 || errno != ELOOP)
		return found;
	target = finder_follow(f, fd, name);
	if (target != -1)
		found = finder_open_inside(f, f->path, FILE_FLAGS);
	io_close(&target);
	return found;
}

/* Reads the file fd, which it takes.  Returns its text, to be freed, with a
 * NUL behind it; or NULL. */
static char *
read_file(struct finder *f, int fd, size_t *ret_len)
{
	char *text = NULL;
	struct stat st;
	ssize_t n = -1;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= FILE_MAX &&
	    finder_pay(f, 1 + (size_t)st.st_size / MASKS_BYTES))
		text = malloc((size_t)st.st_size + 1);
	if (text != NULL)
		n = read(fd, text, (size_t)st.st_size);
	close(fd);
	if (n < 0) {
		f->masks->cut = true;
		free(text);
		return NULL;
	}
	text[n] = '\0';
	*ret_len = (size_t)n;
	return text;
}

/* ---- settings ---- */

/* Follows a setting that is a path. */
static int
walk_value(struct finder *f, const char *value)
{
	const char *home = f->policy->home_of[POLICY_OWN];
	char path[PATH_LEN];

	if (home == NULL || !str_starts(value, "~/"))
		return finder_walk(f, value);
	return str_format(path, sizeof path, "%s%s", home, value + 1) == 0 ?
	    finder_walk(f, path) : -1;
}

static void follow_settings(struct finder *f, struct settings *s, int fd);

static void
follow_include(struct finder *f, struct settings *s, const char *path)
{
	int fd = walk_value(f, path);
	struct stat st;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		masks_keep_here(f, st.st_mode);
		follow_settings(f, s, finder_open_inside(f, f->path,
		    FILE_FLAGS));
	}
	io_close(&fd);
}

static void
keep_hooks(struct finder *f, const struct settings *s, const char *path)
{
	struct stat st;
	int fd;

	finder_leave(f, 0);
	if (s->top[0] != '\0' && !finder_enter(f, s->top + 1, &(size_t){0}))
		return;
	fd = walk_value(f, path);
	/* All that can be changed is not for hooks alone. */
	if (fd != -1 && fstat(fd, &st) == 0 &&
	    !path_is_below(s->top, f->path) && !path_is_below(s->git, f->path))
		masks_keep_here(f, st.st_mode);
	io_close(&fd);
}

static void
take_setting(struct finder *f, struct settings *s,
    const struct gitconfig_entry *e)
{
	int fd;

	if (str_eq(e->key, "include.path") ||
	    str_eq(e->key, "includeif.path")) {
		follow_include(f, s, e->value);
	} else if (str_eq(e->key, "core.hookspath")) {
		keep_hooks(f, s, e->value);
	} else if (str_eq(e->key, "extensions.worktreeconfig")) {
		s->of_worktree = true;
	} else if (str_eq(e->key, "core.worktree")) {
		fd = finder_walk(f, e->value);
		if (fd != -1)
			str_format(s->top, sizeof s->top, "%s", f->path);
		io_close(&fd);
	}
}

/* Keeps where the settings in the file fd, which it takes, lead, and what
 * files they include.  The finder is at the file, and does not return. */
static void
follow_settings(struct finder *f, struct settings *s, int fd)
{
	size_t len;
	char *text;
	struct reading *r;

	if (s->files == FILES_MAX) {
		f->masks->cut = true;
		io_close(&fd);
		return;
	}
	s->files++;
	text = read_file(f, fd, &len);
	r = text == NULL ? NULL : malloc(sizeof *r);
	if (r != NULL) {
		finder_leave_last(f);
		finder_save(f, &r->place);
		gitconfig_init(&r->config, bytes_of(text, len));
		while (gitconfig_next(&r->config, &r->entry)) {
			take_setting(f, s, &r->entry);
			finder_restore(f, &r->place);
		}
	}
	free(r);
	free(text);
}

/* Of the git directory fd, where the finder is; top is its working copy. */
static void
keep_settings(struct finder *f, int fd, const char *top)
{
	struct finder_place place;
	struct settings s = {.git = place.path};

	finder_save(f, &place);
	str_format(s.top, sizeof s.top, "%s", top);
	follow_settings(f, &s, open_file(f, fd, "config"));
	finder_restore(f, &place);
	if (s.of_worktree)
		follow_settings(f, &s, open_file(f, fd, "config.worktree"));
	finder_restore(f, &place);
}

/* ---- git directories ---- */

static void keep_nested(struct finder *f, int fd, const char *name,
    unsigned depth);

static void
keep_module(struct finder *f, int fd, const char *name, void *arg)
{
	unsigned depth = *(const unsigned *)arg;

	if (depth < NESTED_MAX)
		keep_nested(f, fd, name, depth + 1);
}

static void
keep_directory(struct finder *f, int fd, const char *top, unsigned depth)
{
	masks_keep_names(f, fd, PROTECT_GIT);
	keep_settings(f, fd, top);
	keep_module(f, fd, "modules", &depth);
	keep_module(f, fd, "worktrees", &depth);
}

/* A git directory, or one that has them below: modules, modules/a/b,
 * worktrees. */
static void
keep_nested(struct finder *f, int fd, const char *name, unsigned depth)
{
	int child = finder_open_child(fd, name);
	size_t old;

	if (child == -1 || !finder_enter(f, name, &old)) {
		io_close(&child);
		return;
	}
	finder_add(f, MASKS_PIN, S_IFDIR);
	if (faccessat(child, "HEAD", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		keep_directory(f, child, f->path, depth);
	else
		finder_list(f, child, keep_module, &depth);
	finder_leave(f, old);
	close(child);
}

void
masks_git_keep(struct finder *f, int fd)
{
	keep_directory(f, fd, f->path, 0);
}

/* ---- what .git is ---- */

/* The git directory fd, which it takes, and where the finder is. */
static void
keep_found(struct finder *f, int fd, const char *top)
{
	int child = fd == -1 || !masks_pin_here(f) ? -1 :
	    finder_open_child(fd, ".");

	if (child != -1)
		keep_directory(f, child, top, 0);
	io_close(&child);
	io_close(&fd);
}

/* A working copy's settings may be those of another one's git directory: of
 * the git directory fd, where the finder is. */
static void
keep_common(struct finder *f, int fd, const char *top)
{
	struct finder_place place;
	struct settings s = {.git = place.path};
	size_t len;
	char *text;
	int common = -1;

	finder_save(f, &place);
	text = read_file(f, open_file(f, fd, "commondir"), &len);
	finder_restore(f, &place);
	if (text != NULL) {
		text[strcspn(text, "\r\n")] = '\0';
		common = finder_walk(f, text);
	}
	if (common != -1) {
		str_format(s.top, sizeof s.top, "%s", top);
		follow_settings(f, &s, open_file(f, common, "config"));
	}
	finder_restore(f, &place);
	if (s.of_worktree)
		follow_settings(f, &s, open_file(f, fd, "config.worktree"));
	io_close(&common);
	free(text);
	finder_restore(f, &place);
}

/* The file in the directory fd names a git directory. */
static void
keep_named(struct finder *f, int fd, const char *top)
{
	static const char before[] = "gitdir: ";
	size_t len;
	char *text = read_file(f, openat(fd, ".git", FILE_FLAGS | O_NOFOLLOW),
	    &len);
	int found = -1;

	finder_leave_last(f);
	if (text != NULL && str_starts(text, before)) {
		text[strcspn(text, "\r\n")] = '\0';
		found = finder_walk(f, text + sizeof before - 1);
	}
	if (found != -1)
		keep_common(f, found, top);
	keep_found(f, found, top);
	free(text);
}

void
masks_git_keep_of(struct finder *f, int fd)
{
	struct finder_place place;
	struct stat st;

	if (fstatat(fd, ".git", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	finder_save(f, &place);
	if (!finder_enter(f, ".git", &(size_t){0}))
		return;
	if (S_ISLNK(st.st_mode)) {
		keep_found(f, finder_follow(f, fd, ".git"), place.path);
	} else if (S_ISREG(st.st_mode)) {
		finder_add(f, MASKS_KEEP, st.st_mode);
		keep_named(f, fd, place.path);
	} else if (S_ISDIR(st.st_mode)) {
		keep_found(f, finder_open_child(fd, ".git"), place.path);
	}
	finder_restore(f, &place);
}
