/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

void
output_init(struct output *o, int fd, const char *name)
{
	o->fd = fd;
	o->name = name;
	buf_init(&o->buf, OUTPUT_MAX);
}

static bool
is_same(const struct stat *st, int fd)
{
	struct stat other;

	return fstat(fd, &other) == 0 && other.st_dev == st->st_dev &&
	    other.st_ino == st->st_ino;
}

/* Takes a file that was there for one of our own: empty, and private. */
static int
take_over(int fd, int input_fd, const char *path, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return error_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (is_same(&st, input_fd))
		return error_set(e, "%s: is the input", path);
	if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 || ftruncate(fd, 0) != 0)
		return error_errno(e, "%s", path);
	return 0;
}

int
output_open(struct output *o, const char *path, int input_fd,
    struct error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		return error_errno(e, "%s", path);
	if (take_over(fd, input_fd, path, e) != 0) {
		close(fd);
		return -1;
	}
	output_init(o, fd, path);
	return 0;
}

int
output_flush(struct output *o, struct error *e)
{
	struct bytes in = buf_bytes(&o->buf);

	while (in.len != 0) {
		struct pollfd p = {.fd = o->fd, .events = POLLOUT};
		ssize_t n = write(o->fd, in.ptr, in.len);

		if (n >= 0)
			in = bytes_after(in, (size_t)n);
		else if (errno == EAGAIN)
			poll(&p, 1, -1);
		else if (errno != EINTR)
			return error_errno(e, "%s", o->name);
	}
	buf_clear(&o->buf);
	return 0;
}

int
output_done(struct output *o, struct error *e)
{
	int fd = o->fd;

	buf_reset(&o->buf);
	o->fd = -1;
	if (fd > STDERR_FILENO && close(fd) != 0)
		return error_errno(e, "%s", o->name);
	return 0;
}
