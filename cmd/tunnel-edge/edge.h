/* SPDX-License-Identifier: ISC */
/* A running edge: what links, agents and the watch on the state share. */
#ifndef ADIT_EDGE_H
#define ADIT_EDGE_H

#include "cmd/tunnel-edge/listener.h"
#include "cmd/tunnel-edge/table.h"
#include "common/clienthello.h"
#include "common/hop.h"
#include "common/promfile.h"
#include "common/quiet.h"

struct agent;
struct status_reader;

struct edge_settings {
	const char *state, *agents, *connectors;
	const char *cert, *key; /* NULL: those in the state directory */
	const char *metrics;    /* see promfile.h, or NULL */
	int64_t ready_fd, ping_ms, hello_timeout_ms, drain_ms, agents_max;
};

/* Kinds of lines that others can cause, see quiet.h. */
enum edge_line {
	LINE_AGENT_REFUSED,                  /* and code, see edge_line_of */
	LINE_LINK_REFUSED = FRAME_DENIED + 1, /* the same */
	LINE_AGENT_LEFT = 2 * LINE_LINK_REFUSED,
	LINE_STRANGER,
	LINE_ACCEPT_AGENTS,
	LINE_ACCEPT_CONNECTORS,
	LINE_ACCEPT_STATUS,
	LINE_NO_MEMORY,
	LINE_COUNT,
};

/* What has been, for the metrics. */
struct edge_counts {
	uint64_t agents, agents_refused, links, links_refused;
	uint64_t bytes_in, bytes_out; /* of links that are gone */
};

enum edge_phase {
	EDGE_SERVING,
	EDGE_DRAINING, /* nothing new; open streams go on */
	EDGE_ENDING,   /* links write their last frames */
};

struct edge {
	const struct edge_settings *settings;
	struct ev_loop *ev;
	struct hop_loop hops;
	enum edge_phase phase;
	struct state state;
	struct table table;
	struct tls_context *tls;
	struct listener agents, connectors;

	struct link *links;       /* of every state */
	size_t greeting_count;    /* those that are not up yet */
	uint64_t last_link_id;

	struct pacer logins;      /* of connectors, see link.c */
	struct pacer known;       /* sources of valid logins */
	int64_t strangers_ms;     /* of all others, see pacer_take_one */
	struct quiet quiet;

	size_t agent_count;       /* that have a stream */
	/* Agents without one, the oldest first. */
	struct agent *waiting_first, *waiting_last;
	size_t waiting_count;
	struct buf open_json;     /* scratch for OPEN */
	uint8_t scratch[CLIENTHELLO_RECORDS_MAX];

	ev_io watch;              /* inotify on tunnels/ */
	struct listener status;   /* for tunnel-edge list */
	struct status_reader *status_readers;

	struct edge_counts counts;
	int64_t started_s;        /* since 1970 */
	struct promfile promfile;

	ev_signal sigterm, sigint, sighup;
	ev_timer drain, review;
};

/* Whether a line of this kind about source may be printed. */
bool edge_says(struct edge *e, unsigned line, uint64_t source);

/* The kind of a refusal of this code; those that no table has are one. */
unsigned edge_line_of(enum edge_line base, unsigned code);

/* A stream or a link is gone; a draining edge may be done, which is found out
 * after the caller has returned to the loop. */
void edge_review(struct edge *e);

#endif
