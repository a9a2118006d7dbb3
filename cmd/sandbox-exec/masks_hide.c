/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks_hide.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

static void hide(struct finder *f, int fd, const char *name);

static void
hide_one(struct finder *f, int fd, const char *name, void *arg)
{
	(void)arg;
	hide(f, fd, name);
}

/* Whether the payload could not read it anyway; it is not its own, so that
 * it cannot change its mode either. */
static bool
is_unreadable(int fd, const char *name, const struct stat *st)
{
	if (S_ISLNK(st->st_mode) || st->st_uid == geteuid())
		return false;
	return faccessat(fd, name, R_OK, AT_EACCESS) != 0 &&
	    (!S_ISDIR(st->st_mode) ||
	    faccessat(fd, name, X_OK, AT_EACCESS) != 0);
}

/* Nothing was found because the directory fd is closed to us.  Then it is to
 * the payload, unless that may change its mode. */
static void
check_closed(struct finder *f, int fd)
{
	struct statvfs v;
	struct stat st;

	if (errno != EACCES || fstat(fd, &st) != 0 || fstatvfs(fd, &v) != 0 ||
	    st.st_uid != geteuid() || (v.f_flag & ST_RDONLY) != 0)
		return;
	finder_fail(f, "closed, and the command could open it");
}

/* Hides name; by default, not what is granted by its own path. */
static void
hide(struct finder *f, int fd, const char *name)
{
	struct stat st;
	int child, grant;
	size_t old;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		check_closed(f, fd);
		return;
	}
	if ((f->is_default && is_unreadable(fd, name, &st)) ||
	    !finder_enter(f, name, &old))
		return;
	grant = f->is_default ? finder_granted(f) : -1;
	if (S_ISLNK(st.st_mode)) {
		finder_add_target(f, MASKS_HIDE, fd, name);
	} else if (grant == -1) {
		finder_add(f, MASKS_HIDE, st.st_mode);
	} else if (grant == 0 && (child = finder_open_child(fd, name)) != -1) {
		finder_list(f, child, hide_one, NULL);
		close(child);
	}
	finder_leave(f, old);
}

static bool
is_pattern(const char *part, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", part[i]) != NULL)
			return true;
	}
	return false;
}

/* A pattern's parts that are still to be matched, and how deep. */
struct rest {
	const char *pattern;
	unsigned depth;
};

static void expand(struct finder *f, int fd, struct rest rest);

int
masks_open_directory(int fd, const char *name)
{
	return openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

static void
list(struct finder *f, int fd, finder_visit *each, struct rest rest)
{
	int list_fd = finder_open_child(fd, ".");

	if (list_fd == -1)
		check_closed(f, fd);
	else
		finder_list(f, list_fd, each, &rest);
	io_close(&list_fd);
}

static void
expand_into(struct finder *f, int fd, const char *name, struct rest rest)
{
	int child;
	size_t old;

	if (rest.depth == MASKS_DEPTH_MAX) {
		finder_fail(f, "too deep to look for a mask");
		return;
	}
	child = masks_open_directory(fd, name);
	if (child == -1) {
		check_closed(f, fd);
		return;
	}
	rest.depth++;
	if (finder_enter(f, name, &old)) {
		expand(f, child, rest);
		finder_leave(f, old);
	}
	close(child);
}

/* Goes on where a link leads that matches. */
static void
expand_link(struct finder *f, int fd, const char *name, struct rest rest)
{
	char saved[PATH_LEN];
	size_t old;
	int target, child;

	if (!finder_enter(f, name, &old))
		return;
	memcpy(saved, f->path, old);
	target = finder_follow(f, fd, name);
	child = target == -1 ? -1 : masks_open_directory(target, ".");
	if (child != -1 && rest.depth++ < MASKS_DEPTH_MAX)
		expand(f, child, rest);
	io_close(&child);
	io_close(&target);
	memcpy(f->path, saved, old);
	finder_leave(f, old);
}

/* name matched the first part of the pattern. */
static void
expand_match(struct finder *f, int fd, const char *name, struct rest rest)
{
	size_t part = strcspn(rest.pattern, "/");
	struct stat st;

	if (rest.pattern[part] == '\0') {
		hide(f, fd, name);
		return;
	}
	rest.pattern += part + 1;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		expand_link(f, fd, name, rest);
	else
		expand_into(f, fd, name, rest);
}

static void
expand_one(struct finder *f, int fd, const char *name, void *arg)
{
	const struct rest *rest = arg;

	if (path_match_part(rest->pattern, strcspn(rest->pattern, "/"), name))
		expand_match(f, fd, name, *rest);
}

static void
expand_below(struct finder *f, int fd, const char *name, void *arg)
{
	expand_into(f, fd, name, *(const struct rest *)arg);
}

/* Hides what matches the pattern in the directory fd. */
static void
expand(struct finder *f, int fd, struct rest rest)
{
	size_t part = strcspn(rest.pattern, "/");
	char name[PATH_LEN];

	if (part == 2 && str_starts(rest.pattern, "**") &&
	    rest.pattern[part] == '/') {
		struct rest none = {rest.pattern + 3, rest.depth};

		expand(f, fd, none);
		list(f, fd, expand_below, rest);
	} else if (is_pattern(rest.pattern, part)) {
		list(f, fd, expand_one, rest);
	} else if (str_from_bytes(name, sizeof name, bytes_of(rest.pattern,
	    part)) == 0) {
		expand_match(f, fd, name, rest);
	}
}

void
masks_hide_in(struct finder *f, int fd, const char *pattern)
{
	expand(f, fd, (struct rest){pattern, 0});
}

void
masks_hide_match(struct finder *f, int fd, const char *name,
    const char *pattern)
{
	expand_match(f, fd, name, (struct rest){pattern, 0});
}

/* Hides what matches the pattern below a path inside. */
static void
hide_below(struct finder *f, const char *inside, const char *pattern)
{
	int fd = finder_open_inside(f, inside, O_PATH | O_DIRECTORY);

	if (fd == -1)
		return;
	finder_leave(f, 0);
	if (inside[1] == '\0' || finder_enter(f, inside + 1, &(size_t){0}))
		masks_hide_in(f, fd, pattern);
	finder_leave(f, 0);
	close(fd);
}

void
masks_hide_inside(struct finder *f, const char *pattern)
{
	hide_below(f, "/", pattern + 1);
}

bool
masks_is_grant(const struct policy_path *path)
{
	return path->access != POLICY_MASK && path->access != POLICY_TMPFS;
}

/* Hides a granted path that matches, or lies in what does. */
static void
hide_all(struct finder *f, const struct policy_path *grant)
{
	struct stat st;
	int fd;

	if (f->is_default && !grant->narrows)
		return;
	fd = finder_open_inside(f, grant->inside, O_PATH);
	finder_leave(f, 0);
	if (grant->inside[1] == '\0')
		finder_fail(f, "everything would be hidden");
	else if (fd != -1 && fstat(fd, &st) == 0 &&
	    finder_enter(f, grant->inside + 1, &(size_t){0}))
		finder_add(f, MASKS_HIDE, st.st_mode);
	finder_leave(f, 0);
	io_close(&fd);
}

/* Where in a pattern what is left of it can begin: at[i] is 1 for its byte i,
 * or 0. */
struct rests {
	const char *pattern;
	size_t len;
	uint8_t at[PATH_LEN];
};

/* Goes on to what is left after one more name.  Returns whether all of the
 * pattern has matched. */
static bool
match_name(struct rests *r, const char *name)
{
	uint8_t next[PATH_LEN];
	bool ended = false;

	memset(next, 0, r->len);
	for (size_t i = 0; i < r->len; i++) {
		size_t from = i, part;

		if (r->at[i] == 0)
			continue;
		for (; str_starts(r->pattern + from, "**/"); from += 3)
			next[from] = 1;
		part = strcspn(r->pattern + from, "/");
		if (!path_match_part(r->pattern + from, part, name))
			continue;
		if (r->pattern[from + part] == '\0')
			ended = true;
		else
			next[from + part + 1] = 1;
	}
	memcpy(r->at, next, r->len);
	return ended;
}

/* As masks_hide_granted; or only if the pattern does not end before path. */
static void
hide_granted(struct finder *f, const struct policy_path *grant,
    const char *path, const char *pattern, bool from_above)
{
	struct rests r;

	r.pattern = pattern;
	r.len = strlen(pattern);
	memset(r.at, 0, r.len);
	r.at[0] = 1;
	while (*path != '\0') {
		size_t part = strcspn(path, "/");
		char name[NAME_MAX + 1];

		if (str_from_bytes(name, sizeof name, bytes_of(path, part)) !=
		    0)
			return;
		path += part + (path[part] == '/');
		if (match_name(&r, name) && (from_above || *path == '\0')) {
			hide_all(f, grant);
			return;
		}
		if (memchr(r.at, 1, r.len) == NULL)
			return;
	}
	for (size_t i = 0; i < r.len; i++) {
		if (r.at[i] != 0)
			hide_below(f, grant->inside, pattern + i);
	}
}

void
masks_hide_granted(struct finder *f, const struct policy_path *grant,
    const char *path, const char *pattern)
{
	hide_granted(f, grant, path, pattern, true);
}

void
masks_hide_host(struct finder *f, const char *pattern)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count; i++) {
		if (masks_is_grant(&p->paths[i]))
			hide_granted(f, &p->paths[i], p->paths[i].host + 1,
			    pattern + 1, true);
	}
}

static void
hide_named(struct finder *f, const struct policy_path *grant,
    const char *path, const char *pattern)
{
	for (path++; *path != '\0'; path += strspn(path, "/")) {
		hide_granted(f, grant, path, pattern, false);
		path += strcspn(path, "/");
	}
}

void
masks_hide_named(struct finder *f, const struct policy_path *grant,
    const char *pattern)
{
	hide_named(f, grant, grant->inside, pattern);
	if (!str_eq(grant->host, grant->inside))
		hide_named(f, grant, grant->host, pattern);
}
