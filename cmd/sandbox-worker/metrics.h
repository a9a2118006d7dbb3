/* SPDX-License-Identifier: ISC */
/* What a poller has done and is doing, for Prometheus: counters, and a file
 * that is replaced at once. */
#ifndef ADIT_METRICS_H
#define ADIT_METRICS_H


#include "common/bytes.h"
#include "common/error.h"

enum { METRICS_MAX = 65536, METRICS_TOOLS = 6 };

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
	bool dirty;
	const char *path;    /* NULL: no file */
};

void metrics_init(struct metrics *m, const char *path, size_t sessions_max);
void metrics_add(struct metrics *m, enum metric which);
void metrics_progress(struct metrics *m);

/* Counts an event that a session's process reports; line is its JSON. */
void metrics_take(struct metrics *m, struct bytes line);

/* Replaces the file if something has changed. */
int metrics_write(struct metrics *m, struct error *e);

#endif
