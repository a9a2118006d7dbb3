/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/packet.h"

#include <errno.h>
#include <sys/socket.h>

#include "common/io.h"

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
};

int
packet_open(int ret[static 2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret);
}

int
packet_send(int fd, const struct packet *p)
{
	struct iovec io[] = {{p->head, p->head_len}, {p->more, p->more_len}};
	size_t len = p->fd_count * sizeof(int);
	union control control = {0};
	struct msghdr message = {.msg_iov = io, .msg_iovlen = 2};
	ssize_t n;

	if (p->fd_count != 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = (socklen_t)CMSG_LEN(len);
		memcpy(CMSG_DATA(&control.header), p->fds, len);
		message.msg_control = &control;
		message.msg_controllen = (socklen_t)CMSG_SPACE(len);
	}
	do {
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

static void
take_fds(struct packet *p, const struct msghdr *message,
    const union control *control)
{
	p->fd_count = 0;
	if (message->msg_controllen < CMSG_LEN(sizeof(int)) ||
	    control->header.cmsg_type != SCM_RIGHTS)
		return;
	p->fd_count = (control->header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(p->fds, CMSG_DATA(&control->header),
	    p->fd_count * sizeof(int));
}

int
packet_receive(int fd, struct packet *p)
{
	struct iovec io[] = {{p->head, p->head_len}, {p->more, p->more_len}};
	union control control = {0};
	struct msghdr message = {.msg_iov = io, .msg_iovlen = 2,
		.msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n;

	/* A peer that closed with something unread shows as ECONNRESET once,
	 * in front of what it said last (unix(7) does not tell). */
	do {
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n == -1 && errno == EAGAIN)
		return -1;
	take_fds(p, &message, &control);
	if (n >= (ssize_t)p->head_len && (message.msg_flags & MSG_TRUNC) == 0) {
		p->more_len = (size_t)n - p->head_len;
		return 1;
	}
	for (size_t i = 0; i < p->fd_count; i++)
		io_close(&p->fds[i]);
	p->fd_count = 0;
	return 0;
}
