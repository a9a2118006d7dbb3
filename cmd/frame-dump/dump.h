/* SPDX-License-Identifier: ISC */
/* From a descriptor to the outputs: reads records, chooses the ones that are
 * asked for, prints and records them. */
#ifndef FRAME_DUMP_DUMP_H
#define FRAME_DUMP_DUMP_H

#include "cmd/frame-dump/output.h"
#include "cmd/frame-dump/print.h"
#include "cmd/frame-dump/stats.h"

/* What the lines look like. */
enum dump_format {
	DUMP_TEXT,
	DUMP_JSON,
	DUMP_NONE, /* no line for a frame */
};

/* In the dropped field of a MARK from the tap: what follows is no frame of the
 * hop but an EVENT whose payload is a line for people.  No count gets as
 * high. */
#define DUMP_NOTE UINT32_MAX

enum { DUMP_ANY_STREAM = -1 };

struct dump {
	enum dump_format format;
	struct print_style style;
	bool statistics;
	bool tap;                /* the input is the tap's */
	int64_t stream;          /* only this one, or DUMP_ANY_STREAM */
	int64_t count;           /* stop after so many, 0: never */
	struct filter *filter;   /* or NULL */
	struct output lines;     /* and the statistics */
	struct output capture;   /* records, if its fd is not -1 */
	struct stats stats;
	struct buf json;         /* the line that the filter sees */
	uint64_t previous_ns;    /* time of the line before */
	uint64_t dropped;        /* since the last frame that was shown */
	uint64_t last_ns;        /* time of the record before */
	int64_t shown;
	bool filter_failed;      /* and was reported */
};

/* Reads fd to its end, or until count is reached.  name is for messages.
 * Returns 0, or -1 with a text; what came before the error was printed. */
int dump_run(struct dump *d, int fd, const char *name, struct error *e);

#endif
