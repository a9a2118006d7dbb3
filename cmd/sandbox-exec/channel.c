/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/channel.h"

#include "common/io.h"

int
channel_open(int ret[static 2])
{
	return packet_open(ret);
}

int
channel_send(int fd, const struct init_message *m, int pass_fd)
{
	struct packet p = {.head = (void *)(uintptr_t)m, .head_len = sizeof *m,
		.fds = {pass_fd}, .fd_count = pass_fd == -1 ? 0 : 1};

	return packet_send(fd, &p);
}

int
channel_receive(int fd, struct init_message *ret, int *ret_fd)
{
	struct packet p = {.head = ret, .head_len = sizeof *ret};

	*ret_fd = -1;
	if (packet_receive(fd, &p) != 1)
		return 0;
	if (p.fd_count != 0)
		*ret_fd = p.fds[0];
	for (size_t i = 1; i < p.fd_count; i++)
		io_close(&p.fds[i]);
	return 1;
}
