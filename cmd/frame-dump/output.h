/* SPDX-License-Identifier: ISC */
/* A file or descriptor that lines or records go to, gathered in a buffer. */
#ifndef FRAME_DUMP_OUTPUT_H
#define FRAME_DUMP_OUTPUT_H

#include "common/buf.h"
#include "common/error.h"

enum {
	/* The JSON of the largest frame (an EVENT of control characters, six
	 * bytes for each), or of the statistics of STATS_STREAMS_MAX
	 * streams. */
	OUTPUT_MAX = 16 << 20,
	OUTPUT_HIGH = 64 << 10, /* write when so much waits */
};

struct output {
	int fd;           /* -1: nothing goes there */
	const char *name; /* for messages */
	struct buf buf;
};

/* Takes over nothing: fd stays the caller's. */
void output_init(struct output *o, int fd, const char *name);

/* Creates the file path, or truncates it if it is not that of input_fd, -1 for
 * none; readable for its owner only.  Returns 0, or -1 with a text. */
int output_open(struct output *o, const char *path, int input_fd,
    struct error *e);

/* Writes what waits; may block, also on a descriptor that somebody else made
 * non-blocking.  Returns 0, or -1 with a text. */
int output_flush(struct output *o, struct error *e);

/* Frees the buffer and closes what output_open opened.  Returns 0, or -1 with
 * a text. */
int output_done(struct output *o, struct error *e);

#endif
