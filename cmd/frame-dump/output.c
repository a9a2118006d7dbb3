/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

void
output_init(struct output *o, int fd, const char *name)
{
	o->fd = fd;
	o->name = name;
	buf_init(&o->buf, OUTPUT_MAX);
}

int
output_open(struct output *o, const char *path, struct error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1)
		return error_errno(e, "%s", path);
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
