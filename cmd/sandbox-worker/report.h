/* SPDX-License-Identifier: ISC */
/* Events for whoever watches a worker: one JSON object per line on a
 * descriptor.  A reader that does not keep up loses lines, not the worker
 * time. */
#ifndef ADIT_REPORT_H
#define ADIT_REPORT_H

#include "common/jsonw.h"

enum { REPORT_LINE_MAX = 4096 };

struct report {
	int fd;                  /* -1: nobody watches */
	const char *work_id, *session_id;
	struct buf line;
	struct jsonw w;
};

/* fd stays the caller's and becomes non-blocking. */
void report_init(struct report *r, int fd, const char *work_id,
    const char *session_id);
void report_done(struct report *r);

/* Writes an event without further members. */
void report_event(struct report *r, const char *event);

/* Passes on a line that another process has written, without its end. */
void report_line(struct report *r, struct bytes line);

/* Begins an event and ends it; between, members are written with r->w. */
void report_begin(struct report *r, const char *event);
void report_end(struct report *r);

#endif
