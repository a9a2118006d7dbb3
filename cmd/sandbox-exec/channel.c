/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/channel.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int
channel_open(int ret[static 2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret);
}

int
channel_send(int fd, const struct init_message *m, int pass_fd)
{
	struct iovec io = {(void *)(uintptr_t)m, sizeof *m};
	union control control = {0};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
	ssize_t n;

	if (pass_fd != -1) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
	}
	do {
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

int
channel_receive(int fd, struct init_message *ret, int *ret_fd)
{
	struct iovec io = {ret, sizeof *ret};
	union control control = {0};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n;

	*ret_fd = -1;
	/* A peer that closed with something unread shows as ECONNRESET once,
	 * in front of what it said last (unix(7) does not tell). */
	do {
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n != (ssize_t)sizeof *ret)
		return 0;
	if (message.msg_controllen >= CMSG_LEN(sizeof(int)) &&
	    control.header.cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(&control.header), sizeof(int));
	return 1;
}
