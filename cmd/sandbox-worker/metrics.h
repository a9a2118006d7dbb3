/* SPDX-License-Identifier: ISC */
/* What a poller has done and is doing, see promfile.h. */
#ifndef ADIT_METRICS_H
#define ADIT_METRICS_H

#include "common/buf.h"

enum { METRICS_TOOLS = 6 };

enum metric {
	METRIC_POLLS, METRIC_EMPTY, METRIC_POLL_FAILURES, METRIC_CLAIMS,
	METRIC_ACK_FAILURES, METRIC_ENDED_REOFFERS, METRIC_DONE,
	METRIC_FAILED, METRIC_BEATS, METRIC_LEASES_LOST,
	METRIC_STREAMS_LOST, METRIC_POST_RETRIES, METRIC_POSTS_REFUSED,
	METRIC_STALLED, METRIC_COUNT,
};

struct metrics {
	uint64_t counts[METRIC_COUNT];
	uint64_t calls[METRICS_TOOLS + 1], errors[METRICS_TOOLS + 1];
	uint64_t calls_ms[METRICS_TOOLS + 1];
	size_t sessions, sessions_max;
	int64_t progress_s;  /* time of day of the last progress */
	int64_t started_s;
};

void metrics_init(struct metrics *m, size_t sessions_max);
void metrics_add(struct metrics *m, enum metric which);
void metrics_progress(struct metrics *m);

/* Counts an event that a session's process reports; line is its JSON. */
void metrics_take(struct metrics *m, struct bytes line);

/* For a struct promfile_settings; user is a struct metrics. */
int metrics_format(const void *user, struct buf *out);

#endif
