/* SPDX-License-Identifier: ISC */
#include "common/offer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t
write_if_ready(int fd, struct bytes in)
{
	struct pollfd at = {fd, POLLOUT, 0};

	if (poll(&at, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, in.ptr, in.len < PIPE_BUF ? in.len : PIPE_BUF);
}

/* Opened again it has flags of its own. */
static ssize_t
write_again(int fd, struct bytes in)
{
	char path[32];
	ssize_t n;
	int own, saved;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own == -1)
		return write_if_ready(fd, in);
	n = write(own, in.ptr, in.len);
	saved = errno;
	close(own);
	errno = saved;
	return n;
}

ssize_t
offer_write(int fd, struct bytes in)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	if (S_ISSOCK(st.st_mode))
		return send(fd, in.ptr, in.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		return write_again(fd, in);
	return write(fd, in.ptr, in.len);
}

int
offer_all(int fd, struct bytes in)
{
	while (in.len != 0) {
		struct pollfd at = {fd, POLLOUT, 0};
		ssize_t n = write(fd, in.ptr, in.len);

		if (n >= 0)
			in = bytes_after(in, (size_t)n);
		else if (errno == EAGAIN)
			poll(&at, 1, -1);
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}
