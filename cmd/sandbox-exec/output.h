/* SPDX-License-Identifier: ISC */
/* One stream of the payload's, passed on up to a cap: its head as it comes,
 * and of the rest the tail, at the end, after a line that says how many bytes
 * are missing.  The payload is never blocked by the cap. */
#ifndef ADIT_SANDBOX_OUTPUT_H
#define ADIT_SANDBOX_OUTPUT_H

#include <poll.h>
#include <stdint.h>

#include "common/buf.h"

struct output {
	int from; /* the pipe's end, non-blocking; -1 when it ended */
	int to;
	int64_t head_left;
	uint8_t *tail;     /* a ring */
	size_t tail_size, tail_at, tail_used;
	uint64_t dropped;  /* bytes that neither has */
	int failed;        /* errno of the write that failed, but for EPIPE */
	uint8_t pending[4096]; /* PIPE_BUF */
	size_t pending_used;
};

/* Takes the reading end of a pipe.  Returns 0, or -1 with errno. */
int output_open(struct output *o, int from, int to, int64_t cap);

/* Fills two entries: what is waited for. */
void output_poll(const struct output *o, struct pollfd at[static 2]);
void output_work(struct output *o, const struct pollfd at[static 2]);

/* When the payload is dead: passes on what is left, and the tail. */
void output_finish(struct output *o);
void output_close(struct output *o);

#endif
