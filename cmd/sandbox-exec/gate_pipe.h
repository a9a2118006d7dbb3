/* SPDX-License-Identifier: ISC */
/* Pipes through which bytes go from one socket to another without being
 * copied (splice(2)).  They are shared by all connections, each of which has
 * one for a direction only while bytes are in it, so that their number limits
 * descriptors and the memory that the kernel lets a user have in pipes. */
#ifndef ADIT_SANDBOX_GATE_PIPE_H
#define ADIT_SANDBOX_GATE_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	GATE_PIPES_MAX = 32,
	GATE_PIPES_SPARE = 4,      /* kept open while nobody has them */
	GATE_PIPE_LEN = 256 << 10, /* pipe(7): counted for the user */
};

struct gate_pipe {
	bool is_open, is_taken;
	int in_fd, out_fd;
	size_t len; /* bytes in it */
};

struct gate_pipes {
	struct gate_pipe all[GATE_PIPES_MAX];
};

/* An empty pipe, to be given back; or NULL: there is none now. */
struct gate_pipe *gate_pipe_take(struct gate_pipes *pipes);

/* What is in it is lost. */
void gate_pipe_give(struct gate_pipes *pipes, struct gate_pipe *p);

/* Moves from a socket into an empty pipe.  Returns how many bytes, 0 at the
 * end, or -1 with errno (EAGAIN: none now). */
ssize_t gate_pipe_fill(struct gate_pipe *p, int fd);

/* Moves from the pipe, which is not empty, to a socket.  Returns how many
 * bytes, or -1 with errno. */
ssize_t gate_pipe_drain(struct gate_pipe *p, int fd);

#endif
