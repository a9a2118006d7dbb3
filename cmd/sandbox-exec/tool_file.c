/* SPDX-License-Identifier: ISC */
/* What read, write and edit do with one file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/tool.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	SHOWN_MAX = PATH_MAX, /* bytes of a path that is quoted */
	ESCAPED_LEN = 6,      /* \u0000 */
	RANDOM_LEN = 32,
	DIR_MODE = 0700,
	FILE_MODE = 0600,
	MODE_BITS = 0777,
};

/* path "P"..., with P as JSON. */
static bool
fail_path(struct tool_call *c, struct bytes given, const char *why)
{
	struct buf quoted;
	struct jsonw w;
	struct bytes text;

	if (given.len > SHOWN_MAX)
		given.len = SHOWN_MAX;
	buf_init(&quoted, SHOWN_MAX * ESCAPED_LEN + 2);
	jsonw_init(&w, &quoted);
	jsonw_bytes(&w, given);
	text = buf_bytes(&quoted);
	tool_fail(c, "path %.*s%s", (int)text.len, (const char *)text.ptr,
	    why);
	buf_reset(&quoted);
	return true;
}

static const char *
error_text(int code, char other[static 64])
{
	const char *name;

	switch (code) {
	case ENOENT:
		return "no such file or directory";
	case EACCES:
	case EPERM:
		return "permission denied";
	case ENOTDIR:
		return "not a directory";
	case EISDIR:
		return "is a directory";
	case ELOOP:
		return "too many levels of symbolic links";
	case ENAMETOOLONG:
		return "file name too long";
	case ENOSPC:
		return "no space left on device";
	case EMFILE:
	case ENFILE:
		return "too many open files";
	default:
		name = strerrorname_np(code);
		str_format(other, 64, "i/o error (%s)", name == NULL ? "?" :
		    name);
		return other;
	}
}

bool
tool_fail_file(struct tool_call *c, const char *what, const char *file,
    int code)
{
	char other[64];

	return tool_fail(c, "%s: %s%s: %s", c->tool, what, file,
	    error_text(code, other));
}

bool
tool_get_path(struct tool_call *c, const char *key, bool needed,
    char ret[static PATH_MAX])
{
	struct buf text;
	bool failed;

	buf_init(&text, TOOL_INPUT_MAX);
	ret[0] = '\0';
	failed = tool_get(c, key, needed, &text);
	if (!failed && str_from_bytes(ret, PATH_MAX, buf_bytes(&text)) != 0)
		failed = fail_path(c, buf_bytes(&text), errno == EINVAL ?
		    ": i/o error (EINVAL)" : ": file name too long");
	buf_reset(&text);
	return failed;
}

/* Whether there is a root that is not in the working directory. */
static bool
has_others(const struct tool_roots *r)
{
	for (size_t i = 1; i < r->count; i++) {
		if (!path_is_below(r->at[i].path, r->at[0].path))
			return true;
	}
	return false;
}

bool
tool_find_path(struct tool_call *c, const char *given, struct tool_path *ret)
{
	char other[64], why[128];
	int r = tool_path_find(c->roots, given, ret);

	if (r != 0) {
		str_format(why, sizeof why, ": %s", error_text(r, other));
		return fail_path(c, bytes_cstr(given), why);
	}
	if (ret->root != NULL)
		return false;
	tool_path_close(ret);
	return fail_path(c, bytes_cstr(given), has_others(c->roots) ?
	    " is outside the session's working directory and its other "
	    "permitted directories" :
	    " is outside the session's working directory");
}

bool
tool_is_read_only(struct tool_call *c, const char *given,
    const struct tool_path *p)
{
	return p->root->read_only && tool_fail(c, "%s: %s is inside "
	    "read-only directory %s", c->tool, given, p->root->path);
}

/* Looks and opens once.  *again says that it has changed in between. */
static bool
open_once(struct tool_call *c, const char *given, bool write,
    struct tool_path *ret, int *ret_fd, bool *again)
{
	*again = false;
	if (tool_find_path(c, given, ret))
		return true;
	if (write && tool_is_read_only(c, given, ret))
		return true;
	if (ret->fd == -1)
		return tool_fail_file(c, "", given, ret->missing);
	if (!S_ISREG(ret->st.st_mode))
		return tool_fail(c, "%s: %s is not a regular file", c->tool,
		    given);
	*ret_fd = tool_path_open(ret, O_RDONLY);
	if (*ret_fd != -1)
		return false;
	*again = errno == EAGAIN;
	return tool_fail_file(c, "", given, errno);
}

bool
tool_open_file(struct tool_call *c, const char *given, bool write,
    struct tool_path *ret, int *ret_fd)
{
	bool again = true, failed = true;

	*ret_fd = -1;
	for (int i = 0; again && i < TOOL_PATH_TRIES; i++) {
		failed = open_once(c, given, write, ret, ret_fd, &again);
		if (failed)
			tool_path_close(ret);
	}
	if (!failed)
		buf_clear(c->out);
	return failed;
}

/* Makes the directories of rest but for its last name.  Returns 0, or an
 * errno. */
static int
make_parents(int *dir_fd, const char **rest)
{
	const char *slash;

	while ((slash = strchr(*rest, '/')) != NULL) {
		char name[NAME_MAX + 1];
		int fd;

		if (str_from_bytes(name, sizeof name, bytes_of(*rest,
		    (size_t)(slash - *rest))) != 0)
			return ENAMETOOLONG;
		if (mkdirat(*dir_fd, name, DIR_MODE) != 0 && errno != EEXIST)
			return errno;
		fd = openat(*dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		if (fd == -1)
			return errno == ENOTDIR || errno == ENOENT ? EAGAIN :
			    errno;
		io_close(dir_fd);
		*dir_fd = fd;
		*rest = slash + 1;
	}
	return 0;
}

static int
fill(int fd, struct bytes data, mode_t mode)
{
	if ((mode != FILE_MODE && fchmod(fd, mode) != 0) ||
	    io_write_all(fd, data) != 0 || fsync(fd) != 0)
		return errno;
	return 0;
}

/* Written beside the file under another name, then renamed. */
static int
rename_over(int dir_fd, const char *name, struct bytes data, mode_t mode)
{
	char hex[RANDOM_LEN + 1], temp[96];
	int fd, r;

	random_hex(hex, RANDOM_LEN);
	str_format(temp, sizeof temp, ".tmp-%d-%s", (int)getpid(), hex);
	fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, FILE_MODE);
	if (fd == -1)
		return errno;
	r = fill(fd, data, mode);
	if (close(fd) != 0 && r == 0)
		r = errno;
	if (r == 0 && renameat(dir_fd, temp, dir_fd, name) != 0)
		r = errno;
	if (r != 0)
		unlinkat(dir_fd, temp, 0);
	return r;
}

/* A root that is one file cannot be renamed over. */
static int
write_in_place(const struct tool_path *p, struct bytes data)
{
	int fd = tool_path_open(p, O_WRONLY);
	int r = 0;

	if (fd == -1)
		return errno;
	if (ftruncate(fd, 0) != 0 || io_write_all(fd, data) != 0 ||
	    fsync(fd) != 0)
		r = errno;
	close(fd);
	return r;
}

int
tool_replace(const struct tool_path *p, struct bytes data)
{
	const char *rest = p->rest;
	mode_t mode = FILE_MODE;
	int dir_fd, r;

	if (p->dir_fd == -1 || (p->fd != -1 && S_ISDIR(p->st.st_mode)))
		return EISDIR;
	if (p->fd == -1 && p->missing == ENOTDIR)
		return strchr(strchr(rest, '/') + 1, '/') == NULL ? EEXIST :
		    ENOTDIR;
	if (!p->root->directory)
		return write_in_place(p, data);
	if (p->fd != -1)
		mode = p->st.st_mode & MODE_BITS;
	dir_fd = fcntl(p->dir_fd, F_DUPFD_CLOEXEC, 0);
	r = dir_fd == -1 ? errno : make_parents(&dir_fd, &rest);
	if (r == 0)
		r = rename_over(dir_fd, rest, data, mode);
	io_close(&dir_fd);
	return r;
}
