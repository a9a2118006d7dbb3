/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_pipe.h"

#include <fcntl.h>
#include <unistd.h>

static int
open_pipe(struct gate_pipe *p)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	/* A user who has much in pipes gets small ones, which are slower than
	 * copying. */
	if (fcntl(fds[1], F_SETPIPE_SZ, GATE_PIPE_LEN) < GATE_PIPE_LEN) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	*p = (struct gate_pipe){.is_open = true, .out_fd = fds[0],
		.in_fd = fds[1]};
	return 0;
}

static void
close_pipe(struct gate_pipe *p)
{
	close(p->in_fd);
	close(p->out_fd);
	p->is_open = false;
}

struct gate_pipe *
gate_pipe_take(struct gate_pipes *pipes)
{
	struct gate_pipe *closed = NULL;

	for (size_t i = 0; i < GATE_PIPES_MAX; i++) {
		struct gate_pipe *p = &pipes->all[i];

		if (p->is_open && !p->is_taken) {
			p->is_taken = true;
			return p;
		}
		if (!p->is_open && closed == NULL)
			closed = p;
	}
	if (closed == NULL || open_pipe(closed) != 0)
		return NULL;
	closed->is_taken = true;
	return closed;
}

static size_t
count_spare(const struct gate_pipes *pipes)
{
	size_t n = 0;

	for (size_t i = 0; i < GATE_PIPES_MAX; i++)
		n += pipes->all[i].is_open && !pipes->all[i].is_taken;
	return n;
}

void
gate_pipe_give(struct gate_pipes *pipes, struct gate_pipe *p)
{
	if (p->len != 0 || count_spare(pipes) >= GATE_PIPES_SPARE)
		close_pipe(p);
	p->is_taken = false;
}

ssize_t
gate_pipe_fill(struct gate_pipe *p, int fd)
{
	ssize_t n = splice(fd, NULL, p->in_fd, NULL, GATE_PIPE_LEN,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0)
		p->len += (size_t)n;
	return n;
}

/* All of it is asked for: the kernel takes less for the first part of more,
 * and holds back what does not fill a segment. */
ssize_t
gate_pipe_drain(struct gate_pipe *p, int fd)
{
	ssize_t n = splice(p->out_fd, NULL, fd, NULL, p->len,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0)
		p->len -= (size_t)n;
	return n;
}
