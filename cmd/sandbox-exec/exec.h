/* SPDX-License-Identifier: ISC */
/* One command of a stream: its three pipes, its time, its end.  What it writes
 * goes where its owner has room, and waits in the pipe where there is none.
 *
 * No handler is called from inside a function of this header, and from inside
 * one everything may be called. */
#ifndef ADIT_SANDBOX_EXEC_H
#define ADIT_SANDBOX_EXEC_H

#include "cmd/sandbox-exec/box.h"

enum { EXEC_STREAMS = 2, EXEC_END_MS = 5000, EXEC_STATUS_TIMEOUT = 124 };

struct exec_events {
	/* Where output of stream 0 (stdout) or 1 may be put, at most *cap
	 * bytes; NULL: no room, exec_resume_output follows. */
	uint8_t *(*reserve)(void *user, size_t *cap);
	/* So much was put there. */
	void (*commit)(void *user, int stream, size_t n);
	/* Input that was not taken can be offered again. */
	void (*writable)(void *user);
	/* It has ended, and all output was given. */
	void (*ended)(void *user, const struct box_end *end, bool timed_out);
};

struct exec {
	struct ev_loop *loop;
	const struct exec_events *events;
	void *user;
	struct box *box;
	struct box_command command;
	int in_fd, out_fds[EXEC_STREAMS]; /* -1: closed */
	ev_io in, out[EXEC_STREAMS];
	ev_timer deadline;
	int64_t time_ms;
	bool ran;      /* it has ended; end is set */
	bool timed_out;
	struct box_end end;
};

void exec_init(struct exec *x, struct ev_loop *loop,
    const struct exec_events *events, void *user);
void exec_done(struct exec *x);

/* Starts argv in a box that is ready, for at most time_ms (0: any time).
 * Returns 0, or -1 with a text. */
int exec_start(struct exec *x, struct box *box, char *const *argv,
    bool has_stdin, int64_t time_ms, struct error *e);

/* Offers input.  Returns how much was taken. */
size_t exec_write(struct exec *x, struct bytes in);
void exec_end_input(struct exec *x);
void exec_resume_output(struct exec *x);

#endif
