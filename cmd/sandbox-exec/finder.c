/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/finder.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

enum {
	LINKS_MAX = 40, /* as the kernel: path_resolution(7) */
	GROW = 64,
};

void
finder_init(struct finder *f)
{
	f->spare = &f->first;
	f->first.next = NULL;
	f->on_paper = false;
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
finder_pay(struct finder *f, size_t price)
{
	if (f->visits >= price) {
		f->visits -= price;
		return true;
	}
	if (f->soft)
		f->masks->cut = true;
	else
		finder_fail(f, "too many files to look for a mask");
	return false;
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
finder_leave_last(struct finder *f)
{
	char *slash = strrchr(f->path, '/');

	if (slash != NULL)
		finder_leave(f, (size_t)(slash - f->path));
}

void
finder_save(const struct finder *f, struct finder_place *ret)
{
	memcpy(ret->path, f->path, f->len + 1);
	ret->len = f->len;
}

void
finder_restore(struct finder *f, const struct finder_place *place)
{
	memcpy(f->path, place->path, place->len + 1);
	f->len = place->len;
}

static bool
has_room(struct finder *f, enum masks_kind kind)
{
	size_t max = f->soft ? f->entries_max :
	    kind == MASKS_PIN ? 2 * MASKS_MAX : MASKS_MAX;

	if (f->masks->count < max)
		return true;
	if (f->soft)
		f->masks->cut = true;
	else
		finder_fail(f, "too many matches");
	return false;
}

void
finder_add(struct finder *f, enum masks_kind kind, mode_t mode)
{
	struct masks *m = f->masks;
	struct masks_entry entry = {
		.kind = kind, .directory = S_ISDIR(mode),
	};

	if (!has_room(f, kind))
		return;
	if (m->count == m->size) {
		struct masks_entry *more = realloc(m->entries,
		    (m->size + GROW) * sizeof *more);

		if (more == NULL) {
			finder_fail(f, "out of memory");
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
		if (!finder_pay(f, f->soft && is_directory(entry) ?
		    MASKS_DIRECTORY : 1))
			return false;
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

/* Takes the first name of rest and goes there.  Returns a descriptor, or
 * -1. */
static int
step(struct finder *f, char rest[static PATH_LEN])
{
	size_t skip = strspn(rest, "/"), len = strcspn(rest + skip, "/");
	char name[NAME_MAX + 1];

	if (len > NAME_MAX || f->len + len + 2 > sizeof f->path)
		return -1;
	memcpy(name, rest + skip, len);
	name[len] = '\0';
	memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
	if (str_eq(name, ".."))
		finder_leave_last(f);
	else if (len != 0 && !str_eq(name, "."))
		finder_enter(f, name, &(size_t){0});
	return finder_open_inside(f, f->path, O_PATH | O_NOFOLLOW);
}

/* What decides about a path of the host, by the name that was given to it or
 * the one that it has without links; *ret_len: how much of path that is. */
static const struct policy_path *
find_shown(const struct policy *p, const char *path, size_t *ret_len)
{
	const struct policy_path *best = NULL;

	*ret_len = 0;
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *at = &p->paths[i];
		const char *const names[] = {at->host, at->given};

		if (at->access == POLICY_MASK || at->access == POLICY_TMPFS)
			continue;
		for (size_t n = 0; n < 2; n++) {
			if (names[n] == NULL || !path_is_below(path, names[n]) ||
			    (best != NULL && strlen(names[n]) < *ret_len))
				continue;
			best = at;
			*ret_len = strlen(names[n]);
		}
	}
	return best;
}

/* Other programs, on the host, would go from its root: the path as it is
 * called inside, where it is shown. */
static void
begin_at_root(struct finder *f, char path[static PATH_LEN])
{
	const struct policy_path *shown;
	char copy[PATH_LEN];
	size_t len;

	finder_leave(f, 0);
	if (!f->soft)
		return;
	shown = find_shown(f->policy, path, &len);
	if (shown == NULL)
		return;
	memcpy(copy, path, PATH_LEN);
	if (str_format(path, PATH_LEN, "%s/%s", shown->inside, copy + len) !=
	    0)
		memcpy(path, copy, PATH_LEN);
}

/* Puts what the link is in front of what is to come behind it. */
static bool
put_before(char rest[static PATH_LEN], int link_fd)
{
	char text[2 * PATH_LEN];
	ssize_t n = readlinkat(link_fd, "", text, PATH_LEN - 1);

	if (n <= 0)
		return false;
	str_format(text + n, PATH_LEN, "/%s", rest);
	return str_format(rest, PATH_LEN, "%s", text) == 0;
}

/* Adds what is not there, and what would have to be there on the way to
 * rest. */
static void
add_missing(struct finder *f, const char *rest)
{
	rest += strspn(rest, "/");
	if (rest[0] != '\0' && strstr(rest, "..") == NULL &&
	    strstr(rest, "//") == NULL && strstr(rest, "./") == NULL &&
	    f->len + strlen(rest) + 2 < sizeof f->path)
		finder_enter(f, rest, &(size_t){0});
	while (f->len != 0 && f->path[f->len - 1] == '/')
		finder_leave(f, f->len - 1);
	if (f->len != 0)
		finder_add(f, MASKS_KEEP, 0);
}

/* Goes on from at, which it takes, and is where the finder is. */
static int
walk(struct finder *f, int at, char rest[static PATH_LEN])
{
	struct stat st;
	int links = 0;

	while (at != -1 && finder_pay(f, MASKS_STEP +
	    f->len / MASKS_STEP_BYTES) && fstat(at, &st) == 0) {
		if (S_ISLNK(st.st_mode)) {
			if (f->on_paper)
				finder_add(f, MASKS_KEEP, st.st_mode);
			if (links++ == LINKS_MAX || !put_before(rest, at))
				break;
			finder_leave_last(f);
			if (rest[0] == '/')
				begin_at_root(f, rest);
		} else if (rest[strspn(rest, "/")] == '\0') {
			if (f->len != 0)
				return at;
			break;
		} else if (!S_ISDIR(st.st_mode)) {
			break;
		}
		close(at);
		at = step(f, rest);
		if (at == -1 && f->on_paper)
			add_missing(f, rest);
	}
	io_close(&at);
	return -1;
}

int
finder_follow(struct finder *f, int fd, const char *name)
{
	char rest[PATH_LEN] = "";

	return walk(f, openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC),
	    rest);
}

int
finder_walk(struct finder *f, const char *path)
{
	char rest[PATH_LEN];

	if (str_format(rest, sizeof rest, "%s", path) != 0)
		return -1;
	if (path[0] == '/')
		begin_at_root(f, rest);
	return walk(f, finder_open_inside(f, f->path, O_PATH | O_NOFOLLOW),
	    rest);
}

void
finder_add_target(struct finder *f, enum masks_kind kind, int fd,
    const char *name)
{
	struct finder_place place;
	struct stat st;
	int target;

	finder_save(f, &place);
	target = finder_follow(f, fd, name);
	if (target != -1 && fstat(target, &st) == 0)
		finder_add(f, kind, st.st_mode);
	io_close(&target);
	finder_restore(f, &place);
}
