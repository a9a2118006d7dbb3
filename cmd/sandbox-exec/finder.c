/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/finder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

enum {
	LINKS_MAX = 8,
	GROW = 64,
};

void
finder_init(struct finder *f)
{
	f->spare = &f->first;
	f->first.next = NULL;
	f->path[0] = '\0';
	f->len = 0;
}

void
finder_done(struct finder *f)
{
	while (f->spare != NULL) {
		struct finder_buffer *b = f->spare;

		f->spare = b->next;
		if (b != &f->first)
			free(b);
	}
}

void
finder_fail(struct finder *f, const char *why)
{
	if (!f->failed)
		error_set(f->error, "masks: %s: %s",
		    f->len == 0 ? "/" : f->path, why);
	f->failed = true;
}

bool
finder_enter(struct finder *f, const char *name, size_t *old)
{
	size_t n = strlen(name);

	*old = f->len;
	if (f->len + n + 2 > sizeof f->path) {
		finder_fail(f, "path too long");
		return false;
	}
	f->path[f->len++] = '/';
	memcpy(f->path + f->len, name, n + 1);
	f->len += n;
	return true;
}

void
finder_leave(struct finder *f, size_t old)
{
	f->len = old;
	f->path[old] = '\0';
}

void
finder_add(struct finder *f, enum masks_kind kind, mode_t mode)
{
	struct masks *m = f->masks;
	struct masks_entry entry = {
		.kind = kind, .directory = S_ISDIR(mode),
	};

	if (m->count == m->size) {
		size_t max = kind == MASKS_PIN ? 2 * MASKS_MAX : MASKS_MAX;
		struct masks_entry *more = m->size >= max ? NULL :
		    realloc(m->entries, (m->size + GROW) * sizeof *more);

		if (more == NULL) {
			finder_fail(f, "too many matches");
			return;
		}
		m->entries = more;
		m->size += GROW;
	}
	entry.path = strdup(f->path);
	if (entry.path == NULL)
		finder_fail(f, "out of memory");
	else
		m->entries[m->count++] = entry;
}

int
finder_open_inside(const struct finder *f, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT,
	};

	return (int)syscall(SYS_openat2, f->root_fd,
	    path[0] == '\0' ? "." : path, &how, sizeof how);
}

static bool
is_directory(const struct dirent *entry)
{
	return entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
}

int
finder_open_child(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC | O_NONBLOCK);
}

/* Pays for a directory entry out of what may be visited.  Returns whether
 * there was enough. */
static bool
pay(struct finder *f, const struct dirent *entry)
{
	size_t price = f->soft && is_directory(entry) ? MASKS_DIRECTORY : 1;

	if (f->visits < price)
		return false;
	f->visits -= price;
	return true;
}

/* Visits what one read of a directory gave.  Returns whether to go on. */
static bool
visit_all(struct finder *f, int fd, struct bytes entries, finder_visit *each,
    void *arg)
{
	const struct dirent *entry;

	for (; entries.len != 0; entries = bytes_after(entries,
	    entry->d_reclen)) {
		entry = (const void *)entries.ptr;
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (!pay(f, entry)) {
			if (f->soft)
				f->masks->cut = true;
			else
				finder_fail(f, "too many files to look for a "
				    "mask");
			return false;
		}
		if (!f->soft || is_directory(entry))
			each(f, fd, entry->d_name, arg);
		if (f->failed)
			return false;
	}
	return true;
}

/* readdir(3) reads 2 KiB at a time here, and wants a descriptor of its own. */
void
finder_list(struct finder *f, int fd, finder_visit *each, void *arg)
{
	struct finder_buffer *b = f->spare;
	long n;

	if (b != NULL)
		f->spare = b->next;
	else
		b = malloc(sizeof *b);
	if (b == NULL) {
		finder_fail(f, "out of memory");
		return;
	}
	lseek(fd, 0, SEEK_SET);
	/* What we cannot list the payload cannot list either. */
	do {
		n = syscall(SYS_getdents64, fd, b->at, sizeof b->at);
	} while (n > 0 && visit_all(f, fd, bytes_of(b->at, (size_t)n), each,
	    arg));
	b->next = f->spare;
	f->spare = b;
}

int
finder_granted(const struct finder *f)
{
	int r = -1;

	for (size_t i = 0; i < f->policy->path_count; i++) {
		const struct policy_path *p = &f->policy->paths[i];

		if (p->access == POLICY_MASK || p->narrows ||
		    !path_is_below(p->inside, f->path))
			continue;
		if (str_eq(p->inside, f->path))
			return 1;
		r = 0;
	}
	return r;
}

/* Where the link at the finder's path leads; it is in a directory that was
 * reached without links, so that leading ".." can be taken literally. */
static int
join_link(const struct finder *f, const char *text,
    char out[static PATH_LEN])
{
	char dir[PATH_LEN];
	struct error ignored;

	memcpy(dir, f->path, f->len + 1);
	*strrchr(dir, '/') = '\0';
	while (str_starts(text, "../")) {
		char *slash = strrchr(dir, '/');

		if (slash != NULL)
			*slash = '\0';
		text += 3;
	}
	return path_absolute(text, dir[0] == '\0' ? "/" : dir, NULL, out,
	    &ignored);
}

int
finder_follow(struct finder *f, int fd, const char *name)
{
	int link_fd = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char text[PATH_LEN], target[PATH_LEN];
	struct stat st;

	for (int i = 0; i < LINKS_MAX && link_fd != -1; i++) {
		ssize_t n = readlinkat(link_fd, "", text, sizeof text - 1);

		if (n <= 0)
			break;
		text[n] = '\0';
		if (join_link(f, text, target) != 0 || target[1] == '\0')
			break;
		close(link_fd);
		link_fd = finder_open_inside(f, target, O_PATH | O_NOFOLLOW);
		finder_leave(f, 0);
		if (link_fd == -1 || fstat(link_fd, &st) != 0 ||
		    !finder_enter(f, target + 1, &(size_t){0}))
			break;
		if (!S_ISLNK(st.st_mode))
			return link_fd;
	}
	io_close(&link_fd);
	return -1;
}

void
finder_add_target(struct finder *f, enum masks_kind kind, int fd,
    const char *name)
{
	char saved[PATH_LEN];
	size_t saved_len = f->len;
	struct stat st;
	int target;

	memcpy(saved, f->path, saved_len + 1);
	target = finder_follow(f, fd, name);
	if (target != -1 && fstat(target, &st) == 0)
		finder_add(f, kind, st.st_mode);
	io_close(&target);
	memcpy(f->path, saved, saved_len + 1);
	f->len = saved_len;
}
