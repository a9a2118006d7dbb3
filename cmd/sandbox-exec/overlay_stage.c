/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/overlay_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"

enum {
	COPY_RANGE = 1 << 20,
	COPY_LEN = 64 << 10,
	TEMP_LEN = 64,
	LINK_LEN = 4096,
	ACCESS_LEN = 64 << 10, /* XATTR_SIZE_MAX */
};

void
stage_init(struct stage *s, const struct overlay *o, const struct changes *c)
{
	*s = (struct stage){.overlay = o, .changes = c};
	random_hex(s->random, STAGE_RANDOM);
}

/* ---- where ---- */

/* The length of the directory's part of the first len bytes of path. */
static size_t
parent_length(const char *path, size_t len)
{
	while (len != 0 && path[len - 1] != '/')
		len--;
	return len == 0 ? 0 : len - 1;
}

/* Opens what the first len bytes of path name; none are the root. */
static int
open_first(int root_fd, const char *path, size_t len)
{
	char dir[PATH_MAX] = ".";

	if (len != 0 && str_format(dir, sizeof dir, "%.*s", (int)len,
	    path) != 0)
		return -1;
	return overlay_open_beneath(root_fd, dir, O_RDONLY | O_DIRECTORY);
}

int
stage_open_parent(int root_fd, const char *path, const char **name)
{
	size_t len = parent_length(path, strlen(path));

	*name = path + len + (len != 0);
	return open_first(root_fd, path, len);
}

/* What is to be a directory may be missing, or something else until then. */
static int
open_nearest(int root_fd, const char *path, size_t *ret_len)
{
	size_t len = strlen(path);
	int fd;

	do {
		len = parent_length(path, len);
		fd = open_first(root_fd, path, len);
	} while (fd == -1 && len != 0 && (errno == ENOENT ||
	    errno == ENOTDIR || errno == ELOOP));
	*ret_len = len;
	return fd;
}

static void
format_temp(const struct stage *s, const struct change *change,
    char out[static TEMP_LEN])
{
	str_format(out, TEMP_LEN, ".sandbox-exec-%s-%zu", s->random,
	    (size_t)(change - s->changes->at));
}

/* ---- files ---- */

static int
copy_range(int from, int to, off_t at, off_t end)
{
	static char block[COPY_LEN];

	while (at < end) {
		size_t want = end - at < COPY_RANGE ? (size_t)(end - at) :
		    COPY_RANGE;
		off_t out = at;
		ssize_t n = copy_file_range(from, &at, to, &out, want, 0);

		if (n > 0)
			continue;
		/* File systems that cannot do that between them. */
		n = pread(from, block, want < sizeof block ? want :
		    sizeof block, at);
		if (n <= 0)
			return (int)n;
		if (lseek(to, at, SEEK_SET) == -1 || io_write_all(to,
		    bytes_of(block, (size_t)n)) != 0)
			return -1;
		at += n;
	}
	return 0;
}

/* What the command has left out takes no room on the host either. */
static int
copy_bytes(int from, int to, off_t size)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA);
		off_t end = data == -1 ? -1 : lseek(from, data, SEEK_HOLE);

		if (data == -1 && errno == ENXIO)
			break;
		if (end == -1 || copy_range(from, to, data, end) != 0)
			return -1;
		at = end;
	}
	return ftruncate(to, size);
}

/* Who else may use the host's file.  The mode alone would give its group what
 * the list's mask says. */
static int
keep_access(int dir_fd, const char *name, int to)
{
	static const char list[] = "system.posix_acl_access";
	static char value[ACCESS_LEN];
	char path[32];
	int fd = overlay_open_beneath(dir_fd, name, O_PATH | O_NOFOLLOW);
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	str_format(path, sizeof path, "/proc/self/fd/%d", fd);
	n = getxattr(path, list, value, sizeof value);
	io_close(&fd);
	if (n == -1)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
	return fsetxattr(to, list, value, (size_t)n, 0);
}

/* The owner and the access list that the host's file had; a new one has the
 * upper's owner, which is the overlaid directory's. */
static int
set_owner(const struct change *change, int dir_fd, int fd,
    const struct stat *upper)
{
	bool modified = change->kind == CHANGE_MODIFIED;
	const struct stat *from = modified ? &change->was : upper;
	const char *name = change->path + change->stage_len +
	    (change->stage_len != 0);

	if (geteuid() == 0 && fchown(fd, from->st_uid, from->st_gid) != 0)
		return -1;
	return modified ? keep_access(dir_fd, name, fd) : 0;
}

static int
write_file(const struct stage *s, const struct change *change, int dir_fd,
    const char *temp)
{
	int from = overlay_open_beneath(s->overlay->upper_fd, change->path,
	    O_RDONLY | O_NONBLOCK);
	int to = -1, r = -1;
	struct stat st;

	if (from == -1 || fstat(from, &st) != 0 || !S_ISREG(st.st_mode))
		goto out;
	to = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (to == -1)
		goto out;
	if (copy_bytes(from, to, st.st_size) == 0 &&
	    set_owner(change, dir_fd, to, &st) == 0 &&
	    fchmod(to, st.st_mode & 0777) == 0 && futimens(to,
	    (struct timespec[]){st.st_atim, st.st_mtim}) == 0)
		r = 0;
out:
	io_close(&from);
	io_close(&to);
	return r;
}

static int
write_link(const struct stage *s, const struct change *change, int dir_fd,
    const char *temp)
{
	const char *name;
	char target[LINK_LEN + 1];
	int fd = stage_open_parent(s->overlay->upper_fd, change->path, &name);
	ssize_t n = fd == -1 ? -1 : readlinkat(fd, name, target, LINK_LEN);

	io_close(&fd);
	if (n < 0)
		return -1;
	target[n] = '\0';
	return symlinkat(target, dir_fd, temp);
}

/* ---- the stage ---- */

int
stage_put(const struct stage *s, struct change *change)
{
	char temp[TEMP_LEN];
	size_t len;
	int fd = open_nearest(s->overlay->lower_fd, change->path, &len);
	int r;

	if (fd == -1)
		return -1;
	format_temp(s, change, temp);
	change->stage_len = len;
	change->staged = true;
	r = S_ISLNK(change->mode) ? write_link(s, change, fd, temp) :
	    write_file(s, change, fd, temp);
	io_close(&fd);
	return r;
}

int
stage_place(const struct stage *s, struct change *change, int parent_fd,
    const char *name)
{
	char temp[TEMP_LEN];
	int fd = open_first(s->overlay->lower_fd, change->path,
	    change->stage_len);
	int r;

	if (fd == -1)
		return -1;
	format_temp(s, change, temp);
	r = renameat2(fd, temp, parent_fd, name,
	    change->kind == CHANGE_ADDED ? RENAME_NOREPLACE : 0);
	io_close(&fd);
	change->staged = r != 0;
	return r;
}

void
stage_drop(const struct stage *s, struct change *change)
{
	char temp[TEMP_LEN];
	int fd;

	if (!change->staged)
		return;
	fd = open_first(s->overlay->lower_fd, change->path,
	    change->stage_len);
	format_temp(s, change, temp);
	if (fd != -1)
		unlinkat(fd, temp, 0);
	io_close(&fd);
}
