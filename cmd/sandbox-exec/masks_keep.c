/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks_keep.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cmd/sandbox-exec/masks_git.h"
#include "cmd/sandbox-exec/protect.h"
#include "cmd/sandbox-exec/setting.h"
#include "common/io.h"
#include "common/str.h"

enum { WATCHED_GROW = 16 };

static bool
has(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The directories from below the granted path to here. */
static void
pin_ancestors(struct finder *f, size_t root_len)
{
	size_t whole = f->len;

	for (size_t i = root_len + 1; i <= whole; i++) {
		char c = f->path[i];

		if (c != '/' && c != '\0')
			continue;
		f->path[i] = '\0';
		finder_add(f, MASKS_PIN, S_IFDIR);
		f->path[i] = c;
	}
}

/* The path that decides about a place, or would, itself apart; or NULL. */
static const struct policy_path *
find_parent(const struct policy *p, const char *inside, bool apart)
{
	const struct policy_path *best = NULL;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *other = &p->paths[i];

		if (other->access != POLICY_MASK &&
		    !(apart && str_eq(other->inside, inside)) &&
		    path_is_below(inside, other->inside) &&
		    (best == NULL || path_is_below(other->inside,
		    best->inside)))
			best = other;
	}
	return best;
}

/* Pins the directories between the finder's path and the writable one that it
 * is in.  Returns whether there is one. */
static bool
pin_above(struct finder *f)
{
	const struct policy_path *parent = find_parent(f->policy, f->path,
	    true);
	struct finder_place place;
	size_t root_len;

	if (parent == NULL || parent->access != POLICY_RW)
		return false;
	root_len = parent->inside[1] == '\0' ? 0 : strlen(parent->inside);
	finder_save(f, &place);
	finder_leave_last(f);
	if (f->len > root_len)
		pin_ancestors(f, root_len);
	finder_restore(f, &place);
	return true;
}

bool
masks_pin_here(struct finder *f)
{
	if (!pin_above(f))
		return false;
	finder_add(f, MASKS_PIN, S_IFDIR);
	return true;
}

bool
masks_keep_here(struct finder *f, mode_t mode)
{
	if (finder_granted(f) == 1 || !pin_above(f))
		return false;
	finder_add(f, MASKS_KEEP, mode);
	return true;
}

/* What a link leads to, which may not be what the link is in. */
static void
keep_target(struct finder *f, int fd, const char *name)
{
	struct finder_place place;
	struct stat st;
	int target;

	finder_save(f, &place);
	target = finder_follow(f, fd, name);
	if (target != -1 && fstat(target, &st) == 0 &&
	    !path_is_below(place.path, f->path))
		masks_keep_here(f, st.st_mode);
	io_close(&target);
	finder_restore(f, &place);
}

/* Whether the supervisor, too, knows the directory that the finder is in, as
 * one of the list: protect_start. */
static bool
is_known(const struct finder *f, enum protect_list list)
{
	size_t len = f->granted[1] == '\0' ? 0 : strlen(f->granted);
	const char *rest = f->path + len;

	return list <= PROTECT_REPOSITORY && f->len >= len &&
	    memcmp(f->path, f->granted, len) == 0 &&
	    (rest[0] == '\0' || (list == PROTECT_GIT &&
	    str_eq(rest, "/.git")));
}

static bool
is_watched(const struct masks_watches *w, const char *path,
    enum protect_list list)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->at[i].state.list == list && str_eq(w->at[i].path, path))
			return true;
	}
	return false;
}

/* Makes room for another one.  Returns it, or NULL. */
static struct masks_watched *
add_watched(struct masks_watches *w, const char *path)
{
	struct masks_watched *more = w->at;

	if (w->count == MASKS_WATCHED_MAX)
		return NULL;
	if (w->count == w->size) {
		more = realloc(w->at, (w->size + WATCHED_GROW) * sizeof *more);
		if (more == NULL)
			return NULL;
		w->at = more;
		w->size += WATCHED_GROW;
	}
	more += w->count;
	more->path = strdup(path);
	w->count += more->path != NULL;
	return more->path != NULL ? more : NULL;
}

/* What cannot be kept by a mount. */
static void
watch_names(struct finder *f, int fd, enum protect_list list)
{
	struct protect_state s;
	struct masks_watched *w;

	if (f->on_paper || is_known(f, list) ||
	    is_watched(f->watches, f->path, list))
		return;
	protect_note(&s, fd, list);
	if ((s.missing | s.links) == 0)
		return;
	w = add_watched(f->watches, f->path);
	if (w != NULL)
		w->state = s;
	else
		f->masks->cut = true;
}

void
masks_watches_done(struct masks_watches *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->at[i].path);
	free(w->at);
	*w = (struct masks_watches){0};
}

/* all: on paper also what is not there; else that is to be told by its name
 * (protect_is_name). */
static void
keep_name(struct finder *f, int fd, const char *name, bool all)
{
	struct stat st = {.st_mode = 0};
	size_t old;

	if ((fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 &&
	    !(all && f->on_paper)) || !finder_enter(f, name, &old))
		return;
	if (S_ISLNK(st.st_mode))
		keep_target(f, fd, name);
	else if (finder_granted(f) != 1)
		finder_add(f, MASKS_KEEP, st.st_mode);
	finder_leave(f, old);
}

static void
keep_names(struct finder *f, int fd, enum protect_list list, uint64_t missing)
{
	const char *const *names = protect_names[list];

	for (size_t i = 0; names[i] != NULL; i++) {
		if ((missing & UINT64_C(1) << i) == 0)
			keep_name(f, fd, names[i],
			    list != PROTECT_DIRECTORY);
	}
	if (list != PROTECT_DIRECTORY)
		watch_names(f, fd, list);
}

void
masks_keep_names(struct finder *f, int fd, enum protect_list list)
{
	keep_names(f, fd, list, 0);
}

/* A directory that people work in: the finder is there.  missing: names that
 * need not be looked for. */
static void
keep_directory(struct finder *f, int fd, uint64_t missing)
{
	bool is_git = protect_is_git(fd);

	keep_names(f, fd, PROTECT_DIRECTORY, missing);
	if (is_git)
		masks_git_keep(f, fd);
	if (!has(fd, ".git"))
		return;
	masks_git_keep_of(f, fd);
	if (!is_git) {
		keep_name(f, fd, "HEAD", true);
		watch_names(f, fd, PROTECT_REPOSITORY);
	}
}

struct search {
	unsigned depth;
	size_t root_len; /* of the granted path */
};

/* Whether the directory fd has none in it, where the file system is known to
 * count their ".." as links. */
static bool
is_leaf(int fd)
{
	struct stat st;
	struct statfs fs;

	if (fstat(fd, &st) != 0 || st.st_nlink != 2 || fstatfs(fd, &fs) != 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

static bool
has_below(int fd, const char *dir, const char *name)
{
	char path[NAME_MAX + 8];

	return str_format(path, sizeof path, "%s/%s", dir, name) == 0 &&
	    has(fd, path);
}

/* Mercurial's directory, which is called name, in the directory fd. */
static void
keep_mercurial(struct finder *f, int fd, const char *name, size_t root_len)
{
	int child = finder_open_child(fd, name);
	size_t old;

	if (child != -1 && finder_enter(f, name, &old)) {
		pin_ancestors(f, root_len);
		keep_names(f, child, PROTECT_MERCURIAL, 0);
		finder_leave(f, old);
	}
	io_close(&child);
}

static void
search_one(struct finder *f, int fd, const char *name, void *arg)
{
	struct search search = *(const struct search *)arg;
	bool is_last = search.depth + 1 == MASKS_PROTECT_DEPTH;
	size_t old;
	int child;

	if (str_eq(name, ".git") || str_eq(name, "node_modules"))
		return;
	if (str_eq(name, ".hg")) {
		keep_mercurial(f, fd, name, search.root_len);
		return;
	}
	/* Most are here, and most are nothing: they need not be opened. */
	if (is_last && !has_below(fd, name, ".git") &&
	    !has_below(fd, name, "HEAD"))
		return;
	child = finder_open_child(fd, name);
	if (child == -1 || !finder_enter(f, name, &old)) {
		io_close(&child);
		return;
	}
	if (finder_granted(f) != 1) {
		if (has(child, ".git")) {
			pin_ancestors(f, search.root_len);
			keep_directory(f, child, 0);
		} else if (protect_is_git(child)) {
			pin_ancestors(f, search.root_len);
			masks_git_keep(f, child);
		}
		if (++search.depth < MASKS_PROTECT_DEPTH && !is_leaf(child))
			finder_list(f, child, search_one, &search);
	}
	finder_leave(f, old);
	close(child);
}

void
masks_keep_path(struct finder *f, const struct policy_path *path)
{
	int fd = finder_open_inside(f, path->inside, O_RDONLY | O_DIRECTORY |
	    O_NONBLOCK);
	const struct protect_watch *known = f->watches->known;
	uint64_t missing = known == NULL ? 0 :
	    protect_missing(known, path->host, PROTECT_DIRECTORY);
	struct search search = {0, 0};

	if (fd == -1)
		return;
	finder_leave(f, 0);
	if (path->inside[1] == '\0' ||
	    finder_enter(f, path->inside + 1, &(size_t){0})) {
		search.root_len = f->len;
		f->granted = path->inside;
		keep_directory(f, fd, missing);
		finder_list(f, fd, search_one, &search);
	}
	finder_leave(f, 0);
	close(fd);
}

/* Whether what is where the finder is can be changed, and is not in the home
 * directory of the command's own that is on top of it. */
static bool
is_writable(const struct finder *f)
{
	const struct policy_path *decides = find_parent(f->policy, f->path,
	    false);
	const char *home = setting_home(f->policy);

	return decides != NULL && decides->access == POLICY_RW &&
	    (f->on_paper || !path_is_below(f->path, home) ||
	    path_is_below(decides->inside, home));
}

/* Moves the finder to where a path of the host is by the granted one, following
 * links, or on paper there even if it is nothing.  Returns a descriptor, or
 * -1. */
static int
walk_granted(struct finder *f, const struct policy_path *grant,
    const char *host)
{
	const char *rest = host + (grant->host[1] == '\0' ? 0 :
	    strlen(grant->host));
	bool on_paper = f->on_paper;
	int fd;

	finder_leave(f, 0);
	if (grant->inside[1] != '\0')
		finder_enter(f, grant->inside + 1, &(size_t){0});
	/* What leads there can be made. */
	f->on_paper = false;
	fd = finder_walk(f, rest[0] == '/' ? rest + 1 : ".");
	f->on_paper = on_paper;
	if (fd == -1 && on_paper) {
		finder_leave(f, 0);
		finder_enter(f, host + 1, &(size_t){0});
	}
	return fd;
}

/* A list's names in a directory of a home directory, home itself if dir is
 * "". */
static void
keep_in_home(struct finder *f, const struct policy_path *grant,
    const char *home, const char *dir, enum protect_list list)
{
	char path[PATH_LEN];
	int fd;

	if (str_format(path, sizeof path, "%s%s", home, dir) != 0 ||
	    !path_is_below(path, grant->host) ||
	    !policy_shows(f->policy, path, true))
		return;
	fd = walk_granted(f, grant, path);
	if ((fd != -1 || f->on_paper) && is_writable(f)) {
		masks_pin_here(f);
		keep_names(f, fd, list, 0);
		if (list == PROTECT_DIRECTORY)
			watch_names(f, fd, list);
	}
	io_close(&fd);
}

static void
keep_home(struct finder *f, const struct policy_path *grant, const char *home)
{
	/* Of what is granted itself that is done. */
	if (!str_eq(home, grant->host))
		keep_in_home(f, grant, home, "", PROTECT_DIRECTORY);
	keep_in_home(f, grant, home, "", PROTECT_HOME);
	keep_in_home(f, grant, home, "/.config", PROTECT_CONFIG);
	keep_in_home(f, grant, home, "/.local/share", PROTECT_SHARE);
	finder_leave(f, 0);
}

/* Whether it is in the path, or the path in it, and not said before. */
static bool
is_home_of(const struct policy *p, size_t which, const struct policy_path *path)
{
	const char *home = p->home_of[which];

	if (home == NULL || home[1] == '\0' || path->access != POLICY_RW ||
	    !(path_is_below(home, path->host) ||
	    path_is_below(path->host, home)))
		return false;
	for (size_t i = 0; i < which; i++) {
		if (p->home_of[i] != NULL && str_eq(p->home_of[i], home))
			return false;
	}
	return true;
}

void
masks_keep_homes(struct finder *f)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count; i++) {
		for (size_t j = 0; j < POLICY_OTHERS && !f->failed; j++) {
			if (is_home_of(p, j, &p->paths[i]))
				keep_home(f, &p->paths[i], p->home_of[j]);
		}
	}
}

static void
pin_place(struct finder *f, const char *inside)
{
	finder_leave(f, 0);
	if (finder_enter(f, inside + 1, &(size_t){0}))
		pin_above(f);
	finder_leave(f, 0);
}

void
masks_pin_grants(struct finder *f)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count && !f->failed; i++) {
		if (p->paths[i].access == POLICY_RO ||
		    p->paths[i].access == POLICY_OVERLAY)
			pin_place(f, p->paths[i].inside);
	}
}

/* Whether both are names in one directory. */
static bool
is_beside(const char *a, const char *b)
{
	const char *slash = strrchr(a, '/');
	size_t len = (size_t)(slash - a) + 1;

	return strncmp(a, b, len) == 0 && strchr(b + len, '/') == NULL;
}

void
masks_pin_hidden(struct finder *f)
{
	struct masks *m = f->masks;
	size_t count = m->count;

	for (size_t i = 0; i < count && !f->failed; i++) {
		if (i == 0 || !is_beside(m->entries[i - 1].path,
		    m->entries[i].path))
			pin_place(f, m->entries[i].path);
	}
}
