/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/tool_path.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmd/sandbox-exec/path.h"
#include "common/io.h"
#include "common/str.h"

/* The way so far and the rest of it. */
struct walk {
	const struct tool_roots *roots;
	int fd;               /* O_PATH of done */
	char done[PATH_MAX];  /* a canonical directory; "" is the root */
	char left[PATH_MAX];  /* may begin with '/', may hold ".." */
	unsigned hops;
};

const struct tool_root *
tool_path_root(const struct tool_roots *roots, const char *path)
{
	const struct tool_root *best = NULL;

	for (size_t i = 0; i < roots->count; i++) {
		const struct tool_root *r = &roots->at[i];
		bool inside = r->directory ? path_is_below(path, r->path) :
		    str_eq(path, r->path);

		if (inside && (best == NULL ||
		    strlen(r->path) >= strlen(best->path)))
			best = r;
	}
	return best;
}

/* Appends one name to a path.  Returns 0 or ENAMETOOLONG. */
static int
append(char path[static PATH_MAX], struct bytes name)
{
	size_t len = strlen(path);

	if (name.len + 1 >= PATH_MAX - len)
		return ENAMETOOLONG;
	path[len] = '/';
	memcpy(path + len + 1, name.ptr, name.len);
	path[len + 1 + name.len] = '\0';
	return 0;
}

static void
cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* Takes a name off the front of *left; empty at the end. */
static struct bytes
take_name(const char **left)
{
	const char *start = *left + strspn(*left, "/");
	size_t len = strcspn(start, "/");

	*left = start + len;
	return bytes_of(start, len);
}

static bool
is_name(struct bytes name, const char *s)
{
	return bytes_eq(name, bytes_cstr(s));
}

/* Whether anything but slashes is left. */
static bool
is_end(const char *left)
{
	return left[strspn(left, "/")] == '\0';
}

/* The longest root, a directory, that path is in as it is written. */
static const struct tool_root *
start_root(const struct tool_roots *roots, const char *path)
{
	const struct tool_root *best = NULL;

	for (size_t i = 0; i < roots->count; i++) {
		const struct tool_root *r = &roots->at[i];

		if (r->directory && path_is_below(path, r->path) &&
		    (best == NULL || strlen(r->path) > strlen(best->path)))
			best = r;
	}
	return best;
}

static int
copy_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Moves w to the root above path, or to "/".  Returns what of path is left,
 * or NULL with errno. */
static const char *
enter_start(struct walk *w, const char *path)
{
	const struct tool_root *r = start_root(w->roots, path);

	io_close(&w->fd);
	w->done[0] = '\0';
	if (r == NULL || str_eq(r->path, "/")) {
		w->fd = r == NULL ? open("/", O_PATH | O_DIRECTORY |
		    O_CLOEXEC) : copy_fd(r->fd);
		return w->fd == -1 ? NULL : path;
	}
	w->fd = copy_fd(r->fd);
	str_format(w->done, sizeof w->done, "%s", r->path);
	return w->fd == -1 ? NULL : path + strlen(r->path);
}

/* Makes fd, the directory name in w's, the place of w.  A root that is reached
 * from outside is the one that was opened at the start. */
static int
enter(struct walk *w, struct bytes name, int fd)
{
	int r = append(w->done, name);

	if (r != 0) {
		close(fd);
		return r;
	}
	io_close(&w->fd);
	w->fd = fd;
	for (size_t i = 0; i < w->roots->count; i++) {
		const struct tool_root *root = &w->roots->at[i];

		if (!root->directory || !str_eq(root->path, w->done))
			continue;
		close(fd);
		w->fd = copy_fd(root->fd);
		return w->fd == -1 ? errno : 0;
	}
	return 0;
}

/* Name is not terminated where it lies. */
static int
open_name(int dir_fd, struct bytes name, int flags)
{
	char text[NAME_MAX + 1];

	if (name.len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	return openat(dir_fd, text, flags | O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* "..": the directory above, found again from the top, since the one that the
 * file system has may have been moved. */
static int
enter_parent(struct walk *w)
{
	char path[PATH_MAX];
	const char *left;
	struct bytes name;
	int r = 0;

	cut_last(w->done);
	str_format(path, sizeof path, "%s", w->done);
	left = enter_start(w, path);
	if (left == NULL)
		return errno;
	while (r == 0 && (name = take_name(&left)).len != 0) {
		int fd = open_name(w->fd, name, O_DIRECTORY);

		r = fd == -1 ? EAGAIN : enter(w, name, fd);
	}
	return r;
}

/* Puts the target of the link fd before what is left. */
static int
follow(struct walk *w, int fd, const char *left)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof target - 1);
	const char *start;

	if (n == -1)
		return errno;
	if (n == 0)
		return ENOENT;
	if (++w->hops > TOOL_PATH_HOPS)
		return ELOOP;
	target[n] = '\0';
	str_format(rest, sizeof rest, "%s", left);
	if (str_format(w->left, sizeof w->left, "%s%s", target, rest) != 0)
		return ENAMETOOLONG;
	if (target[0] != '/')
		return 0;
	str_format(rest, sizeof rest, "%s", w->left);
	start = enter_start(w, rest);
	if (start == NULL)
		return errno;
	str_format(w->left, sizeof w->left, "%s", start);
	return 0;
}

/* There is no name in w's place, or it is no directory: the rest of the path
 * would have to be made. */
static int
end_missing(struct walk *w, struct bytes name, const char *left, int why,
    struct tool_path *ret)
{
	size_t above = strlen(w->done) + 1;
	int r;

	str_format(ret->path, sizeof ret->path, "%s", w->done);
	r = append(ret->path, name);
	while (r == 0 && (name = take_name(&left)).len != 0) {
		if (is_name(name, ".."))
			r = ENOENT;
		else if (!is_name(name, "."))
			r = append(ret->path, name);
	}
	ret->missing = why;
	ret->rest = ret->path + above;
	ret->dir_fd = w->fd;
	w->fd = -1;
	return r;
}

/* The path ends with what fd is. */
static int
end_found(struct walk *w, struct bytes name, int fd, struct tool_path *ret)
{
	int r;

	str_format(ret->path, sizeof ret->path, "%s", w->done);
	r = append(ret->path, name);
	ret->rest = ret->path + strlen(w->done) + 1;
	ret->fd = fd;
	ret->dir_fd = w->fd;
	w->fd = -1;
	return r;
}

/* The path ends with the directory that w is in: it was a root, "/", or ended
 * with "..". */
static int
end_here(struct walk *w, struct tool_path *ret)
{
	str_format(ret->path, sizeof ret->path, "%s",
	    w->done[0] == '\0' ? "/" : w->done);
	ret->rest = ret->path + strlen(ret->path);
	ret->fd = w->fd;
	w->fd = -1;
	return fstat(ret->fd, &ret->st) == 0 ? 0 : errno;
}

/* One step.  Returns 0 and sets *end at the end of the path, or an errno. */
static int
step(struct walk *w, bool *end, struct tool_path *ret)
{
	char copy[PATH_MAX];
	const char *left = copy;
	struct bytes name;
	int fd, r = 0;

	str_format(copy, sizeof copy, "%s", w->left);
	name = take_name(&left);
	*end = name.len == 0;
	if (*end)
		return end_here(w, ret);
	str_format(w->left, sizeof w->left, "%s", left);
	if (is_name(name, "."))
		return 0;
	if (is_name(name, ".."))
		return enter_parent(w);
	fd = open_name(w->fd, name, 0);
	if (fd == -1) {
		*end = true;
		return errno != ENOENT ? errno :
		    end_missing(w, name, left, ENOENT, ret);
	}
	if (fstat(fd, &ret->st) != 0) {
		r = errno;
	} else if (S_ISLNK(ret->st.st_mode)) {
		r = follow(w, fd, left);
	} else if (is_end(left)) {
		*end = true;
		return end_found(w, name, fd, ret);
	} else if (S_ISDIR(ret->st.st_mode)) {
		return enter(w, name, fd);
	} else {
		*end = true;
		r = end_missing(w, name, left, ENOTDIR, ret);
	}
	close(fd);
	return r;
}

/* Collapses ".." and "." in the text. */
static int
collapse(const char *workdir, const char *given,
    char out[static PATH_MAX])
{
	struct bytes name;
	int r = 0;

	out[0] = '\0';
	if (given[0] != '/')
		str_format(out, PATH_MAX, "%s", str_eq(workdir, "/") ? "" :
		    workdir);
	while (r == 0 && (name = take_name(&given)).len != 0) {
		if (is_name(name, ".."))
			cut_last(out);
		else if (!is_name(name, "."))
			r = append(out, name);
	}
	return r;
}

static int
find_once(const struct tool_roots *roots, const char *path,
    struct tool_path *ret)
{
	struct walk w = {.roots = roots, .fd = -1};
	bool end = false;
	const char *left;
	int r;

	*ret = (struct tool_path){.dir_fd = -1, .fd = -1};
	left = enter_start(&w, path);
	r = left == NULL ? errno : 0;
	if (r == 0)
		str_format(w.left, sizeof w.left, "%s", left);
	while (r == 0 && !end)
		r = step(&w, &end, ret);
	io_close(&w.fd);
	if (r != 0)
		tool_path_close(ret);
	else
		ret->root = tool_path_root(roots, ret->path);
	return r;
}

int
tool_path_find(const struct tool_roots *roots, const char *given,
    struct tool_path *ret)
{
	char path[PATH_MAX];
	int r = collapse(roots->at[0].path, given, path);

	*ret = (struct tool_path){.dir_fd = -1, .fd = -1};
	if (r != 0)
		return r;
	for (int i = 0; i < TOOL_PATH_TRIES; i++) {
		r = find_once(roots, path, ret);
		if (r != EAGAIN)
			break;
	}
	return r;
}

void
tool_path_close(struct tool_path *p)
{
	io_close(&p->dir_fd);
	io_close(&p->fd);
}

int
tool_path_open(const struct tool_path *p, int flags)
{
	struct stat st;
	int fd = openat(p->dir_fd, p->rest, flags | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);

	if (fd == -1) {
		if (errno == ELOOP || errno == ENXIO)
			errno = EAGAIN;
		return -1;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EAGAIN;
		return -1;
	}
	return fd;
}
