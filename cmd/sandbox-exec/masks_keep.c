/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks_keep.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cmd/sandbox-exec/protect.h"
#include "common/io.h"
#include "common/str.h"

static bool
has(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether fd is a git directory itself: a bare repository, or one whose
 * working copy has it elsewhere. */
static bool
is_git(int fd)
{
	return has(fd, "HEAD") && has(fd, "objects");
}

/* Keeps the names that the directory fd has. */
static void
keep_names(struct finder *f, int fd, const char *const names[])
{
	for (; *names != NULL; names++) {
		struct stat st;
		size_t old;

		if (fstatat(fd, *names, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !finder_enter(f, *names, &old))
			continue;
		if (S_ISLNK(st.st_mode))
			finder_add_target(f, MASKS_KEEP, fd, *names);
		else
			finder_add(f, MASKS_KEEP, st.st_mode);
		finder_leave(f, old);
	}
}

static void keep_git(struct finder *f, int fd, const char *name,
    unsigned depth);

static void
keep_module(struct finder *f, int fd, const char *name, void *arg)
{
	unsigned depth = *(const unsigned *)arg;

	if (depth < MASKS_PROTECT_DEPTH)
		keep_git(f, fd, name, depth + 1);
}

/* Whether the supervisor, too, knows the git directory that the finder is
 * in: protect_start. */
static bool
is_known(const struct finder *f)
{
	const char *rest = f->path + f->granted_len;

	return rest[0] == '\0' || str_eq(rest, "/.git");
}

/* What cannot be kept by a mount. */
static void
watch_git_names(struct finder *f, int fd)
{
	struct masks_watches *w = f->watches;
	struct protect_state *s;

	if (is_known(f))
		return;
	if (w->count == MASKS_WATCHED_MAX) {
		f->masks->cut = true;
		return;
	}
	s = &w->at[w->count].state;
	protect_note(s, fd, protect_git_names);
	if ((s->missing | s->links) != 0 && str_format(
	    w->at[w->count].path, PATH_LEN, "%s", f->path) == 0)
		w->count++;
}

/* The finder is in a git directory. */
static void
keep_git_names(struct finder *f, int fd, unsigned depth)
{
	keep_names(f, fd, protect_git_names);
	watch_git_names(f, fd);
	keep_module(f, fd, "modules", &depth);
	keep_module(f, fd, "worktrees", &depth);
}

/* A git directory, or one that has them below: modules, modules/a/b,
 * worktrees. */
static void
keep_git(struct finder *f, int fd, const char *name, unsigned depth)
{
	int child = finder_open_child(fd, name);
	size_t old;

	if (child == -1 || !finder_enter(f, name, &old)) {
		io_close(&child);
		return;
	}
	finder_add(f, MASKS_PIN, S_IFDIR);
	if (has(child, "HEAD"))
		keep_git_names(f, child, depth);
	else
		finder_list(f, child, keep_module, &depth);
	finder_leave(f, old);
	close(child);
}

/* A directory that people work in: the finder is there. */
static void
keep_directory(struct finder *f, int fd)
{
	struct stat st;
	size_t old;

	keep_names(f, fd, protect_names);
	if (fstatat(fd, ".git", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		keep_git(f, fd, ".git", 0);
	} else if (S_ISREG(st.st_mode) && finder_enter(f, ".git", &old)) {
		finder_add(f, MASKS_KEEP, st.st_mode);
		finder_leave(f, old);
	}
}

struct search {
	unsigned depth;
	size_t root_len; /* of the granted path */
};

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

static void
search_one(struct finder *f, int fd, const char *name, void *arg)
{
	struct search search = *(const struct search *)arg;
	bool is_last = search.depth + 1 == MASKS_PROTECT_DEPTH;
	size_t old;
	int child;

	if (str_eq(name, ".git") || str_eq(name, "node_modules"))
		return;
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
			keep_directory(f, child);
		}
		if (is_git(child)) {
			pin_ancestors(f, search.root_len);
			keep_git_names(f, child, 0);
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
	struct search search = {0, 0};

	if (fd == -1)
		return;
	finder_leave(f, 0);
	if (path->inside[1] == '\0' ||
	    finder_enter(f, path->inside + 1, &(size_t){0})) {
		search.root_len = f->granted_len = f->len;
		keep_directory(f, fd);
		if (is_git(fd))
			keep_git_names(f, fd, 0);
		finder_list(f, fd, search_one, &search);
	}
	finder_leave(f, 0);
	close(fd);
}

/* The path that decides about a place, itself apart; or NULL. */
static const struct policy_path *
find_parent(const struct policy *p, const char *inside)
{
	const struct policy_path *best = NULL;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *other = &p->paths[i];

		if (other->access != POLICY_MASK &&
		    !str_eq(other->inside, inside) &&
		    path_is_below(inside, other->inside) &&
		    (best == NULL || path_is_below(other->inside,
		    best->inside)))
			best = other;
	}
	return best;
}

/* Pins the directories between a place and the writable path that it is
 * in. */
static void
pin_place(struct finder *f, const char *inside)
{
	const struct policy_path *parent = find_parent(f->policy, inside);
	size_t root_len;
	char *slash;

	if (parent == NULL || parent->access != POLICY_RW)
		return;
	root_len = parent->inside[1] == '\0' ? 0 : strlen(parent->inside);
	finder_leave(f, 0);
	if (!finder_enter(f, inside + 1, &(size_t){0}))
		return;
	slash = strrchr(f->path, '/');
	finder_leave(f, (size_t)(slash - f->path));
	if (f->len > root_len)
		pin_ancestors(f, root_len);
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
