/* SPDX-License-Identifier: ISC */
#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/acl.h"
#include "common/clock.h"
#include "common/str.h"

enum { READ_STEP = 16384, SECRET_MAX = 4096, FD_PATH_LEN = 32 };

int
io_set_nonblock(int fd, bool on)
{
	int old = fcntl(fd, F_GETFL);

	if (old == -1)
		return -1;
	return fcntl(fd, F_SETFL, on ? old | O_NONBLOCK : old & ~O_NONBLOCK);
}

void
io_close(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void
io_close_pair(int read_fd, int write_fd)
{
	if (write_fd != read_fd)
		io_close(&write_fd);
	io_close(&read_fd);
}

int
io_take_stdio(int *ret_in, int *ret_out, struct error *e)
{
	int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (in == -1 || out == -1 || null == -1) {
		error_errno(e, "standard input and output");
		io_close(&in);
		io_close(&out);
		io_close(&null);
		return -1;
	}
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	*ret_in = in;
	*ret_out = out;
	return 0;
}

int
io_write_all(int fd, struct bytes in)
{
	while (in.len != 0) {
		ssize_t n = write(fd, in.ptr, in.len);

		if (n >= 0)
			in = bytes_after(in, (size_t)n);
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

bool
io_is_torn(int fd)
{
	char path[FD_PATH_LEN], last = '\n';
	struct stat st;
	int in;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	/* fd itself may only be written to. */
	str_format(path, sizeof path, "/proc/self/fd/%d", fd);
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in != -1 && pread(in, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	io_close(&in);
	return last != '\n';
}

int
io_append_line(int fd, bool *torn, struct bytes line)
{
	ssize_t n;

	if (*torn && io_write_all(fd, bytes_cstr("\n")) != 0)
		return -1;
	*torn = false;
	do {
		n = write(fd, line.ptr, line.len);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	*torn = io_write_all(fd, bytes_after(line, (size_t)n)) != 0;
	return *torn ? -1 : 0;
}

int
io_read_fd(int fd, const char *name, struct buf *b, struct error *e)
{
	for (;;) {
		size_t room = b->max - buf_len(b);
		uint8_t extra, *at = &extra;
		ssize_t n;

		if (room != 0) {
			room = room < READ_STEP ? room : READ_STEP;
			at = buf_reserve(b, room);
			if (at == NULL)
				return error_errno(e, "%s", name);
		}
		n = read(fd, at, room == 0 ? 1 : room);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_errno(e, "%s", name);
		if (n > 0 && room == 0)
			return error_set(e, "%s: above %zu bytes", name,
			    b->max);
		if (n > 0)
			buf_commit(b, (size_t)n);
	}
}

int
io_read_file(const char *path, struct buf *b, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd == -1)
		return error_errno(e, "%s", path);
	r = io_read_fd(fd, path, b, e);
	close(fd);
	return r;
}

int
io_check_again(const char *path, struct error *e)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0 ||
	    !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return 0;
	return error_set(e, "%s: a pipe or device, which is read only once",
	    path);
}

static int
write_and_close(int fd, const char *name, struct bytes in, bool sync,
    struct error *e)
{
	int r = 0;

	if (io_write_all(fd, in) != 0 || (sync && fsync(fd) != 0))
		r = error_errno(e, "%s", name);
	if (close(fd) != 0 && r == 0)
		r = error_errno(e, "%s", name);
	return r;
}

static int
replace_file(int dir_fd, const char *name, struct bytes in, mode_t mode,
    bool sync, struct error *e)
{
	char temporary[NAME_MAX + 1];
	int fd;

	if (str_format(temporary, sizeof temporary, ".%s.%ld", name,
	    (long)getpid()) != 0)
		return error_errno(e, "%s", name);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd == -1)
		return error_errno(e, "%s", temporary);
	if (write_and_close(fd, temporary, in, sync, e) != 0) {
		unlinkat(dir_fd, temporary, 0);
		return -1;
	}
	if (renameat(dir_fd, temporary, dir_fd, name) != 0) {
		error_errno(e, "%s", name);
		unlinkat(dir_fd, temporary, 0);
		return -1;
	}
	if (sync && fsync(dir_fd) != 0)
		return error_errno(e, "%s", name);
	return 0;
}

int
io_replace_file(int dir_fd, const char *name, struct bytes in, mode_t mode,
    struct error *e)
{
	return replace_file(dir_fd, name, in, mode, true, e);
}

int
io_replace_unsynced(int dir_fd, const char *name, struct bytes in,
    mode_t mode, struct error *e)
{
	return replace_file(dir_fd, name, in, mode, false, e);
}

int
io_create_file(const char *path, struct bytes in, mode_t mode, struct error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd == -1)
		return error_errno(e, "%s", path);
	if (write_and_close(fd, path, in, true, e) == 0)
		return 0;
	unlink(path);
	return -1;
}

/* Takes the line that a secret file holds; wipes what it read. */
static int
take_secret(int fd, const char *name, char *out, struct error *e)
{
	struct buf b;
	struct bytes in;
	int r = -1;

	buf_init(&b, SECRET_MAX);
	if (io_read_fd(fd, name, &b, e) != 0)
		goto out;
	in = buf_bytes(&b);
	while (in.len != 0 && (in.ptr[in.len - 1] == '\n' ||
	    in.ptr[in.len - 1] == '\r'))
		in.len--;
	if (in.len == 0) {
		error_set(e, "%s: empty", name);
		goto out;
	}
	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] <= ' ' || in.ptr[i] >= 0x7f) {
			error_set(e, "%s: not one line of printable ASCII",
			    name);
			goto out;
		}
	}
	if (str_from_bytes(out, SECRET_MAX, in) != 0) {
		error_errno(e, "%s", name);
		goto out;
	}
	r = 0;
out:
	if (b.mem != NULL)
		explicit_bzero(b.mem, b.size);
	buf_reset(&b);
	return r;
}

/* A credential of systemd is root's, and lets the service's user read it by an
 * access list, which shows as permission for the group. */
static bool
is_private(int fd, const struct stat *st)
{
	uint8_t value[ACL_LEN_MAX];
	ssize_t n;

	if (!S_ISREG(st->st_mode) || (st->st_mode & 077) == 0)
		return true;
	n = (st->st_mode & 07) != 0 ? -1
	    : fgetxattr(fd, ACL_ATTRIBUTE, value, sizeof value);
	return n > 0 && acl_is_private(bytes_of(value, (size_t)n), geteuid());
}

int
io_check_owned(const char *path, const struct stat *st, struct error *e)
{
	if (!S_ISREG(st->st_mode))
		return error_set(e, "%s: not a regular file", path);
	return (st->st_mode & (S_IWGRP | S_IWOTH)) == 0 ? 0 : error_set(e,
	    "%s: others than its owner can write it", path);
}

int
io_open_private(const char *path, struct error *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return error_errno(e, "%s", path);
	if (fstat(fd, &st) != 0)
		error_errno(e, "%s", path);
	else if (!is_private(fd, &st))
		error_set(e, "%s: mode %04o: others can read it, "
		    "chmod it to 0600", path, st.st_mode & 07777U);
	else
		return fd;
	io_close(&fd);
	return -1;
}

int
io_read_secret_file(const char *path, char out[static 4096], struct error *e)
{
	int fd = io_open_private(path, e);
	int r = fd == -1 ? -1 : take_secret(fd, path, out, e);

	io_close(&fd);
	return r;
}

int
io_read_secret_fd(int fd, char out[static 4096], struct error *e)
{
	char name[32];

	snprintf(name, sizeof name, "descriptor %d", fd);
	return take_secret(fd, name, out, e);
}

void
io_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (path == NULL || strlen(path) >= sizeof to.sun_path ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (struct sockaddr *)&to, len);
	close(fd);
}

void
io_notify_reload(void)
{
	char text[64];

	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    clock_us());
	io_notify(text);
}

void
io_announce_ready(int ready_fd, const char *text)
{
	io_notify("READY=1");
	if (ready_fd == -1)
		return;
	io_write_all(ready_fd, bytes_cstr(text));
	io_write_all(ready_fd, bytes_cstr("\n"));
	close(ready_fd);
}
