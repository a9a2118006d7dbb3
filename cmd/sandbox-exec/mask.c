/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/mask.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/sandbox-exec/masks.h"
#include "common/io.h"

/* In the private tmpfs, until all covers are made of them. */
static const char cover_file[] = ".cover-file";
static const char cover_directory[] = ".cover-directory";

static int
open_below(int root_fd, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT};

	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
}

/* A detached mount of what covers the entry whose place is target. */
static int
open_cover(const struct tree *t, const struct masks_entry *m, int target)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

	if (m->kind == MASKS_HIDE)
		return open_tree(t->root, m->directory ? cover_directory :
		    cover_file, flags);
	return open_tree(target, "", flags | AT_EMPTY_PATH | AT_RECURSIVE);
}

/* Lets a place below a directory that is kept be changed if it could be before:
 * below old_fd, which the directory's new mount is on top of. */
static void
give_back(const struct tree *t, int old_fd, const char *kept,
    const char *inside)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
	int was = open_below(old_fd, inside + strlen(kept) + 1);
	int now = open_below(t->root, inside);
	struct statvfs fs;

	if (was != -1 && now != -1 && fstatvfs(was, &fs) == 0 &&
	    (fs.f_flag & ST_RDONLY) == 0)
		mount_setattr(now, "", AT_EMPTY_PATH, &attr, sizeof attr);
	io_close(&was);
	io_close(&now);
}

/* What is given below has its own say. */
static void
give_back_all(const struct tree *t, int old_fd, const char *kept,
    const struct policy *p)
{
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access != POLICY_RO && path->access != POLICY_MASK &&
		    path_is_below(path->inside, kept))
			give_back(t, old_fd, kept, path->inside);
	}
}

static int
cover(const struct tree *t, const struct masks_entry *m,
    const struct policy *p)
{
	struct mount_attr attr = {.attr_set = m->kind == MASKS_PIN ? 0 :
		MOUNT_ATTR_RDONLY};
	int target = open_below(t->root, m->path);
	int fd = target == -1 ? -1 : open_cover(t, m, target);
	int r = -1;

	if (fd != -1 && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
	    &attr, sizeof attr) == 0)
		r = move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH |
		    MOVE_MOUNT_T_EMPTY_PATH);
	if (r == 0 && m->kind == MASKS_KEEP)
		give_back_all(t, target, m->path, p);
	io_close(&fd);
	io_close(&target);
	return r;
}

static int
make_covers(const struct tree *t)
{
	int r;

	r = mknodat(t->root, cover_file, S_IFREG | 0444, 0);
	return r == 0 ? mkdirat(t->root, cover_directory, 0555) : r;
}

int
mask_all(struct tree *t, const struct policy *p, struct error *e)
{
	struct masks m;
	bool made = false;
	int r = 0;

	if (masks_find(t->root, p, &m, &t->watches, e) != 0)
		return -1;
	for (size_t i = 0; r == 0 && i < m.count; i++) {
		if (!made && make_covers(t) != 0)
			r = error_errno(e, "masks");
		else if (cover(t, &m.entries[i], p) != 0)
			r = error_errno(e, "%s: mask", m.entries[i].path);
		made = true;
	}
	if (made) {
		unlinkat(t->root, cover_file, 0);
		unlinkat(t->root, cover_directory, AT_REMOVEDIR);
	}
	t->cut = m.cut;
	masks_done(&m);
	return r;
}
