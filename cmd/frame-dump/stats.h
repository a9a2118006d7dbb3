/* SPDX-License-Identifier: ISC */
/* Counts of frames and payload bytes by type, direction and stream. */
#ifndef FRAME_DUMP_STATS_H
#define FRAME_DUMP_STATS_H

#include "cmd/frame-dump/read.h"

#include "common/buf.h"
#include "common/idmap.h"

enum {
	STATS_TYPES = 256,
	STATS_STREAMS_MAX = 65536, /* of which counts are kept */
};

struct stats_count {
	uint64_t frames, bytes;
};

/* By direction: from the initiator (or unknown), from the acceptor. */
struct stats_row {
	uint32_t id; /* of a stream */
	struct stats_count of[2];
};

struct stats {
	bool marked;
	uint64_t frames, dropped, first_ns, last_ns;
	struct stats_row types[STATS_TYPES];
	struct idmap by_id;        /* to the rows of streams */
	struct stats_row **streams; /* in the order they came */
	size_t stream_count, stream_size;
	uint64_t unlisted;         /* frames of streams above the limit */
};

/* A zeroed stats is empty. */
void stats_done(struct stats *s);
void stats_add(struct stats *s, const struct record *r);

/* Appends a table, or one line of JSON.  Return 0, or -1 if out is full. */
int stats_print_text(const struct stats *s, struct buf *out);
int stats_print_json(const struct stats *s, struct buf *out);

#endif
