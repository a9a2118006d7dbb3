/* SPDX-License-Identifier: ISC */
/* The tap: runs a command behind the hop that is on standard input and
 * output, passes the bytes of both directions on as they are and at once, and
 * copies the frames among them into a pipe, as a capture.  The reader of the
 * pipe may be as slow as it likes: records for which there is no room are
 * dropped and counted. */
#ifndef FRAME_DUMP_TAP_H
#define FRAME_DUMP_TAP_H

#include <sys/types.h>

#include "common/error.h"

enum {
	TAP_CHUNK = 128 << 10,  /* bytes on their way in one direction */
	TAP_QUEUE_MAX = 4 << 20, /* records that wait for the pipe: more than
				 * the largest frame */
	TAP_LINGER_MS = 1000,   /* at the end, for the reader of the pipe */
};

/* Runs argv until it has ended and its output has gone out.  pipe_fd becomes
 * non-blocking and is closed; printer is its reader, a child, which gets
 * TAP_LINGER_MS to finish.  Returns 0 and the exit status of the command, or
 * -1 with a text and an exit status in e->code when it could not be
 * started. */
int tap_run(char *const argv[], int pipe_fd, pid_t printer, int *ret_status,
    struct error *e);

#endif
