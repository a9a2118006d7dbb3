/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-exec/finder.h"
#include "cmd/sandbox-exec/masks_default.h"
#include "cmd/sandbox-exec/masks_hide.h"
#include "cmd/sandbox-exec/masks_keep.h"
#include "common/io.h"
#include "common/str.h"

/* The policy's patterns that match at any depth. */
struct anywhere {
	const char *patterns[POLICY_PATHS_MAX];
	size_t count;
};

struct walk {
	const struct anywhere *anywhere;
	unsigned depth;
};

static void walk_one(struct finder *f, int fd, const char *name, void *arg);

/* Looks in the directory fd; in one that nobody may list, for the names that
 * can be guessed. */
static void
walk_in(struct finder *f, int fd, struct walk walk)
{
	int list_fd = finder_open_child(fd, ".");

	if (list_fd != -1)
		finder_list(f, list_fd, walk_one, &walk);
	else if (errno == EACCES)
		for (size_t i = 0; i < walk.anywhere->count; i++)
			masks_hide_in(f, fd, walk.anywhere->patterns[i]);
	io_close(&list_fd);
}

static void
walk_into(struct finder *f, int fd, const char *name, struct walk walk)
{
	int child = masks_open_directory(fd, name);
	size_t old;

	if (child == -1)
		return;
	if (walk.depth++ == MASKS_DEPTH_MAX)
		finder_fail(f, "too deep to look for a mask");
	/* What is granted itself has its own walk. */
	if (finder_enter(f, name, &old)) {
		if (finder_granted(f) != 1)
			walk_in(f, child, walk);
		finder_leave(f, old);
	}
	close(child);
}

static void
walk_one(struct finder *f, int fd, const char *name, void *arg)
{
	const struct walk *walk = arg;
	bool hidden = false;

	for (size_t i = 0; i < walk->anywhere->count && !hidden; i++) {
		const char *pattern = walk->anywhere->patterns[i];
		size_t part = strcspn(pattern, "/");

		if (!path_match_part(pattern, part, name))
			continue;
		hidden = pattern[part] == '\0';
		masks_hide_match(f, fd, name, pattern);
	}
	if (!hidden)
		walk_into(f, fd, name, *walk);
}

static void
walk_grant(struct finder *f, const struct policy_path *grant,
    const struct anywhere *anywhere)
{
	int fd = finder_open_inside(f, grant->inside, O_PATH | O_DIRECTORY);

	for (size_t i = 0; i < anywhere->count; i++)
		masks_hide_named(f, grant, anywhere->patterns[i]);
	if (fd == -1)
		return;
	finder_leave(f, 0);
	if (grant->inside[1] == '\0' ||
	    finder_enter(f, grant->inside + 1, &(size_t){0}))
		walk_in(f, fd, (struct walk){anywhere, 0});
	finder_leave(f, 0);
	close(fd);
}

/* The masks of the policy.  They hold for what is granted, too. */
static void
hide_policy(struct finder *f)
{
	const struct policy *p = f->policy;
	struct anywhere anywhere = {.count = 0};

	for (size_t i = 0; i < p->path_count && !f->failed; i++) {
		const char *glob = p->paths[i].inside;

		if (p->paths[i].access != POLICY_MASK)
			continue;
		while (str_starts(glob, "**/"))
			glob += 3;
		if (glob[0] == '/') {
			masks_hide_inside(f, glob);
			masks_hide_host(f, p->paths[i].host);
		} else {
			anywhere.patterns[anywhere.count++] = glob;
		}
	}
	for (size_t i = 0; anywhere.count != 0 && i < p->path_count; i++) {
		if (masks_is_grant(&p->paths[i]))
			walk_grant(f, &p->paths[i], &anywhere);
	}
}

static int
compare(const void *a, const void *b)
{
	const struct masks_entry *left = a, *right = b;
	int order = path_compare(left->path, right->path);

	return order != 0 ? order : (int)left->kind - (int)right->kind;
}

/* Sorts, and drops what is said twice or lies in what is hidden. */
static void
finish(struct masks *m)
{
	const struct masks_entry *hidden = NULL;
	size_t kept = 0;

	if (m->count == 0)
		return;
	qsort(m->entries, m->count, sizeof *m->entries, compare);
	for (size_t i = 0; i < m->count; i++) {
		struct masks_entry *e = &m->entries[i];
		bool again = kept != 0 && str_eq(m->entries[kept - 1].path,
		    e->path);

		if (again || (hidden != NULL &&
		    path_is_below(e->path, hidden->path))) {
			free(e->path);
			continue;
		}
		m->entries[kept] = *e;
		if (e->kind == MASKS_HIDE)
			hidden = &m->entries[kept];
		kept++;
	}
	m->count = kept;
}

/* What is searched next may take so much, and be cut short. */
static void
begin_soft(struct finder *f)
{
	f->soft = true;
	f->visits = MASKS_PROTECT_VISITS;
	f->entries_max = f->masks->count + MASKS_MAX;
}

int
masks_find(int root_fd, const struct policy *p, struct masks *ret,
    struct masks_watches *watches, struct error *e)
{
	struct finder f;

	f.policy = p;
	f.masks = ret;
	f.watches = watches;
	f.root_fd = root_fd;
	f.error = e;
	f.visits = MASKS_VISITS_MAX;
	f.soft = f.is_default = f.failed = false;
	finder_init(&f);
	*ret = (struct masks){0};
	watches->count = 0;
	hide_policy(&f);
	if (p->default_masks && !f.failed)
		masks_hide_defaults(&f);
	masks_pin_hidden(&f);
	masks_pin_grants(&f);
	for (size_t i = 0; p->protect && i < p->path_count && !f.failed;
	    i++) {
		begin_soft(&f);
		if (p->paths[i].access == POLICY_RW)
			masks_keep_path(&f, &p->paths[i]);
	}
	if (p->protect && !f.failed) {
		begin_soft(&f);
		masks_keep_homes(&f);
	}
	finder_done(&f);
	if (f.failed) {
		masks_done(ret);
		return -1;
	}
	finish(ret);
	return 0;
}

void
masks_done(struct masks *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->entries[i].path);
	free(m->entries);
	*m = (struct masks){0};
}
