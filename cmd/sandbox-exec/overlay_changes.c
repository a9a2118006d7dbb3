/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/overlay_changes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cmd/sandbox-exec/kept.h"
#include "cmd/sandbox-exec/protect.h"
#include "common/io.h"
#include "common/jsonw.h"
#include "common/offer.h"
#include "common/str.h"
#include "common/utf8.h"

enum { PATH_CAP = 4096, SHOWN_LEN = 200, COMPARE_LEN = 16 << 10, PRINT_MAX = 64 << 10 };

/* A pair of directories, one on each side; lower_fd -1: only the upper. */
struct walk {
	const struct overlay *overlay;
	struct changes *changes;
	struct kept kept;
	struct error *error;
	char path[PATH_CAP];
	size_t len;
	int depth;
};

const char *
changes_problem(enum change_problem problem)
{
	static const char *const texts[] = {
		[CHANGE_PROTECTED] = "a protected name",
		[CHANGE_CONFLICT] = "changed on the host since the start",
		[CHANGE_GONE] = "removed on the host since the start",
		[CHANGE_UNREADABLE] = "cannot be read",
		[CHANGE_SPECIAL] = "neither a file, a directory nor a link",
	};

	return texts[problem];
}

static bool
is_newer(const struct stat *st, const struct timespec *start)
{
	return st->st_ctim.tv_sec != start->tv_sec ?
	    st->st_ctim.tv_sec > start->tv_sec :
	    st->st_ctim.tv_nsec > start->tv_nsec;
}

static bool
is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int
fail(struct walk *w, const char *what)
{
	return error_errno(w->error, "%s/%.*s%s: %s", w->overlay->host,
	    SHOWN_LEN, w->path, w->len > SHOWN_LEN ? "..." : "", what);
}

static int
enter(struct walk *w, const char *name, size_t *old)
{
	size_t n = strlen(name);

	*old = w->len;
	if (w->len + n + 2 > sizeof w->path ||
	    w->depth == CHANGES_DEPTH_MAX) {
		errno = ENAMETOOLONG;
		return fail(w, "too deep");
	}
	if (w->len != 0)
		w->path[w->len++] = '/';
	memcpy(w->path + w->len, name, n + 1);
	w->len += n;
	w->depth++;
	return 0;
}

static void
leave(struct walk *w, size_t old)
{
	w->len = old;
	w->path[old] = '\0';
	w->depth--;
}

static bool
is_protected(const struct walk *w)
{
	return w->overlay->protect && (protect_is_name(w->path) ||
	    kept_has(&w->kept, w->path));
}

/* Adds the present path. */
static int
add(struct walk *w, enum change_kind kind, enum change_problem problem,
    mode_t mode, const struct stat *was)
{
	struct changes *c = w->changes;
	struct change *new;

	if (c->count == c->size) {
		size_t size = c->size == 0 ? 64 : 2 * c->size;

		new = c->count >= CHANGES_MAX ? NULL :
		    reallocarray(c->at, size, sizeof *new);
		if (new == NULL) {
			errno = ENOMEM;
			return fail(w, "too many changes");
		}
		c->at = new;
		c->size = size;
	}
	new = &c->at[c->count];
	*new = (struct change){.kind = kind, .problem = problem,
		.mode = mode, .path = strdup(w->path)};
	if (new->path == NULL)
		return fail(w, "path");
	if (was != NULL)
		new->was = *was;
	if (is_protected(w))
		new->problem = CHANGE_PROTECTED;
	c->count++;
	return 0;
}

typedef int visit(struct walk *w, int dir_fd, const char *name, void *arg);

/* Calls f for each entry of dir_fd/name. */
static int
each(struct walk *w, int dir_fd, const char *name, visit *f, void *arg)
{
	int fd = overlay_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (d == NULL) {
		r = fail(w, "directory");
		io_close(&fd);
		return r;
	}
	while (r == 0 && (entry = readdir(d)) != NULL) {
		size_t old;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (enter(w, entry->d_name, &old) != 0) {
			r = -1;
		} else {
			r = f(w, dirfd(d), entry->d_name, arg);
			leave(w, old);
		}
	}
	closedir(d);
	return r;
}

/* What speaks against the removal of a file of the host's, and of all that is
 * below it. */
static int
look_below(struct walk *w, int dir_fd, const char *name, void *arg)
{
	enum change_problem *problem = arg;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(w, "on the host");
	if (is_newer(&st, &w->overlay->start))
		*problem = CHANGE_CONFLICT;
	if (is_protected(w))
		*problem = CHANGE_PROTECTED;
	return S_ISDIR(st.st_mode) ?
	    each(w, dir_fd, name, look_below, arg) : 0;
}

static int
add_deletion(struct walk *w, int lower_fd, const char *name,
    const struct stat *was)
{
	enum change_problem problem = CHANGE_FINE;

	if (look_below(w, lower_fd, name, &problem) != 0)
		return -1;
	return add(w, CHANGE_DELETED, problem, was->st_mode, was);
}

/* Whether two files hold the same. */
static bool
is_same_file(int upper_fd, int lower_fd, const char *name)
{
	static char a[COMPARE_LEN], b[COMPARE_LEN];
	int afd = overlay_open_beneath(upper_fd, name, O_RDONLY);
	int bfd = overlay_open_beneath(lower_fd, name, O_RDONLY);
	bool same = afd != -1 && bfd != -1;

	while (same) {
		ssize_t n = read(afd, a, sizeof a);

		if (n <= 0 || read(bfd, b, sizeof b) != n) {
			same = n == 0 && read(bfd, b, 1) == 0;
			break;
		}
		same = memcmp(a, b, (size_t)n) == 0;
	}
	io_close(&afd);
	io_close(&bfd);
	return same;
}

static bool
is_same_link(int upper_fd, int lower_fd, const char *name)
{
	char a[PATH_CAP], b[PATH_CAP];
	ssize_t n = readlinkat(upper_fd, name, a, sizeof a);

	return n >= 0 && readlinkat(lower_fd, name, b, sizeof b) == n &&
	    memcmp(a, b, (size_t)n) == 0;
}

/* Both sides have something of the same type that is no directory. */
static bool
is_same(int upper_fd, const struct stat *u, int lower_fd,
    const struct stat *l, const char *name)
{
	if ((u->st_mode & 0777) != (l->st_mode & 0777))
		return false;
	if (S_ISLNK(u->st_mode))
		return is_same_link(upper_fd, lower_fd, name);
	return S_ISREG(u->st_mode) && u->st_size == l->st_size &&
	    is_same_file(upper_fd, lower_fd, name);
}

/* The kernel marks what it copied up: that was on the host, under this name
 * or, of files, another. */
static bool
is_copied(int fd)
{
	return fgetxattr(fd, "user.overlay.origin", NULL, 0) >= 0;
}

/* What is wrong with adding a file of the upper.  A copy without its original
 * was renamed inside, or its original was removed; then the directory that it
 * was in has changed. */
static enum change_problem
judge(int upper_fd, const char *name, const struct stat *u, int lower_fd,
    const struct timespec *start)
{
	enum change_problem problem = CHANGE_FINE;
	struct stat parent;
	int fd;

	if (S_ISLNK(u->st_mode))
		return CHANGE_FINE;
	if (!S_ISREG(u->st_mode))
		return CHANGE_SPECIAL;
	fd = overlay_open_beneath(upper_fd, name, O_RDONLY | O_NONBLOCK);
	if (fd == -1)
		return CHANGE_UNREADABLE;
	if (lower_fd != -1 && is_copied(fd) && (fstat(lower_fd,
	    &parent) != 0 || is_newer(&parent, start)))
		problem = CHANGE_GONE;
	io_close(&fd);
	return problem;
}

static int
compare_file(struct walk *w, int upper_fd, const char *name,
    const struct stat *u, int lower_fd, const struct stat *l)
{
	enum change_problem problem = judge(upper_fd, name, u, lower_fd,
	    &w->overlay->start);

	if (l == NULL)
		return add(w, CHANGE_ADDED, problem, u->st_mode, NULL);
	if (problem == CHANGE_GONE)
		problem = CHANGE_FINE;
	if (is_same(upper_fd, u, lower_fd, l, name))
		return 0;
	if (problem == CHANGE_FINE && is_newer(l, &w->overlay->start))
		problem = CHANGE_CONFLICT;
	return add(w, CHANGE_MODIFIED, problem, u->st_mode, l);
}

struct pair {
	int upper_fd, lower_fd;
};

static int compare(struct walk *w, int upper_fd, const char *name, void *arg);

/* An entry of the host's in a directory that hides all of them. */
static int
compare_hidden(struct walk *w, int lower_fd, const char *name, void *arg)
{
	const struct pair *pair = arg;
	struct stat u, l;

	if (fstatat(pair->upper_fd, name, &u, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (fstatat(lower_fd, name, &l, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(w, "on the host");
	return add_deletion(w, lower_fd, name, &l);
}

static int
compare_directory(struct walk *w, int upper_fd, const char *name,
    const struct stat *u, int lower_fd, const struct stat *l)
{
	const int flags = O_RDONLY | O_DIRECTORY;
	struct pair pair = {overlay_open_beneath(upper_fd, name, flags), -1};
	char opaque = '\0';
	int r = 0;

	if (pair.upper_fd == -1)
		return fail(w, "directory of the changes");
	if (l == NULL) {
		/* Directories of the host are never renamed inside. */
		r = add(w, CHANGE_ADDED, is_copied(pair.upper_fd) ?
		    CHANGE_GONE : CHANGE_FINE, u->st_mode, NULL);
	} else {
		pair.lower_fd = overlay_open_beneath(lower_fd, name, flags);
		if (pair.lower_fd == -1)
			r = fail(w, "directory");
		else if ((u->st_mode & 0777) != (l->st_mode & 0777))
			r = add(w, CHANGE_MODIFIED, CHANGE_FINE, u->st_mode,
			    l);
	}
	if (r == 0 && l != NULL && fgetxattr(pair.upper_fd,
	    "user.overlay.opaque", &opaque, 1) == 1 && opaque == 'y')
		r = each(w, lower_fd, name, compare_hidden, &pair);
	if (r == 0)
		r = each(w, upper_fd, name, compare, &pair);
	io_close(&pair.upper_fd);
	io_close(&pair.lower_fd);
	return r;
}

static int
compare(struct walk *w, int upper_fd, const char *name, void *arg)
{
	const struct pair *pair = arg;
	const struct stat *lower = NULL;
	struct stat u, l;

	if (fstatat(upper_fd, name, &u, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(w, "in the changes");
	if (pair->lower_fd != -1) {
		if (fstatat(pair->lower_fd, name, &l,
		    AT_SYMLINK_NOFOLLOW) == 0)
			lower = &l;
		else if (errno != ENOENT)
			return fail(w, "on the host");
	}
	if (is_whiteout(&u))
		return lower == NULL ? 0 :
		    add_deletion(w, pair->lower_fd, name, lower);
	if (lower != NULL && (l.st_mode & S_IFMT) != (u.st_mode & S_IFMT)) {
		if (add_deletion(w, pair->lower_fd, name, lower) != 0)
			return -1;
		lower = NULL;
	}
	return S_ISDIR(u.st_mode) ?
	    compare_directory(w, upper_fd, name, &u, pair->lower_fd, lower) :
	    compare_file(w, upper_fd, name, &u, pair->lower_fd, lower);
}

static int
compare_changes(const void *a, const void *b)
{
	const struct change *left = a, *right = b;
	bool left_gone = left->kind == CHANGE_DELETED;

	if (left_gone != (right->kind == CHANGE_DELETED))
		return left_gone ? -1 : 1;
	return path_compare(left->path, right->path);
}

int
changes_find(const struct overlay *o, struct changes *ret, struct error *e)
{
	static struct walk w;
	struct pair pair = {o->upper_fd, o->lower_fd};
	int r;

	*ret = (struct changes){0};
	w = (struct walk){.overlay = o, .changes = ret, .error = e};
	if (o->protect && kept_find(o->host, o->home, &w.kept, e) != 0)
		return -1;
	ret->cut = w.kept.cut;
	r = each(&w, o->upper_fd, ".", compare, &pair);
	kept_done(&w.kept);
	if (r != 0)
		changes_done(ret);
	else if (ret->count != 0)
		qsort(ret->at, ret->count, sizeof *ret->at, compare_changes);
	return r;
}

void
changes_done(struct changes *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->at[i].path);
	free(c->at);
	*c = (struct changes){0};
}

static const char *
type_of(mode_t mode)
{
	return S_ISDIR(mode) ? "directory" : S_ISLNK(mode) ? "link" :
	    S_ISREG(mode) ? "file" : "special";
}

static void
format_json(struct jsonw *w, const struct overlay *o, const struct change *c)
{
	static const char *const kinds[] = {"deleted", "added", "modified"};

	jsonw_open(w, '{');
	jsonw_key_name(w, "overlay", bytes_cstr(o->host));
	jsonw_key_str(w, "change", kinds[c->kind]);
	jsonw_key_name(w, "path", bytes_cstr(c->path));
	jsonw_key_str(w, "type", type_of(c->mode));
	if (c->problem != CHANGE_FINE)
		jsonw_key_str(w, "problem", changes_problem(c->problem));
	jsonw_close(w, '}');
}

/* What the payload named must not steer a terminal or forge a line. */
static int
add_name(struct buf *b, struct bytes name)
{
	int r = 0;

	while (r == 0 && name.len > 0) {
		uint32_t c;
		size_t n = utf8_next(name, &c);
		bool escape = c == '\\' || utf8_is_control(c);

		for (size_t i = 0; r == 0 && escape && i < n; i++)
			r = buf_format(b, "\\x%02x", name.ptr[i]);
		if (!escape)
			r = buf_add(b, bytes_of(name.ptr, n));
		name = bytes_after(name, n);
	}
	return r;
}

static int
format_text(struct buf *b, const struct overlay *o, const struct change *c)
{
	int r = buf_format(b, "%c\t%s/", "DAM"[c->kind], o->host);

	if (r == 0)
		r = add_name(b, bytes_cstr(c->path));
	if (r == 0 && S_ISDIR(c->mode))
		r = buf_add_str(b, "/");
	if (r == 0 && c->problem != CHANGE_FINE)
		r = buf_format(b, "\t(%s)", changes_problem(c->problem));
	return r;
}

int
changes_print(const struct overlay *o, const struct changes *c, bool json)
{
	struct buf b;
	int r = 0;

	buf_init(&b, PRINT_MAX);
	for (size_t i = 0; r == 0 && i < c->count; i++) {
		struct jsonw w;

		buf_clear(&b);
		jsonw_init(&w, &b);
		if (json)
			format_json(&w, o, &c->at[i]);
		else
			r = format_text(&b, o, &c->at[i]);
		if (r == 0 && buf_add_str(&b, "\n") == 0)
			r = offer_all(STDOUT_FILENO, buf_bytes(&b));
	}
	buf_reset(&b);
	return r;
}
