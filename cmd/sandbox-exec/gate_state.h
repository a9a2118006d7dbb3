/* SPDX-License-Identifier: ISC */
/* What all parts of the gate's process share. */
#ifndef ADIT_SANDBOX_GATE_STATE_H
#define ADIT_SANDBOX_GATE_STATE_H

#include <ev.h>

#include "cmd/sandbox-exec/gate.h"
#include "cmd/sandbox-exec/gate_pipe.h"
#include "cmd/sandbox-exec/gate_target.h"

enum {
	GATE_CLIENTS_MAX = 400, /* more wait in the listeners' queues */
	GATE_AUDIT_PER_S = 500, /* lines; the rest is counted */
	GATE_CHUNK = 65536,     /* read at once */
};

struct gate;
struct client;

struct gate_listener {
	ev_io io;
	enum confine_listener_kind kind;
	struct gate *gate;
};

struct gate {
	struct ev_loop *ev;
	const struct policy *policy;
	struct audit *audit;
	struct gate_fakes fakes;
	struct gate_listener listeners[CONFINE_LISTENERS_MAX];
	size_t listener_count;
	size_t client_count;
	struct client *clients; /* newest first */
	bool draining;        /* nothing inside lives any more */
	ev_signal term;
	ev_timer drained;
	bool paused;          /* too many clients: nothing is accepted */
	ev_timer retry;       /* after a failure to accept */
	int64_t audit_second; /* of the lines counted */
	int audit_lines;
	int64_t audit_skipped;
	struct gate_pipes pipes;
	uint8_t chunk[GATE_CHUNK]; /* of the read in hand */
};

/* How a target was named. */
enum gate_via { VIA_CONNECT, VIA_HTTP, VIA_SOCKS, VIA_CAPTURE, VIA_DNS };

enum gate_outcome { GATE_ALLOWED, GATE_REFUSED, GATE_FAILED };

/* Writes the one line about a decision.  host: whatever was asked for.
 * address: what was dialed, or NULL. */
struct gate_decision {
	enum gate_via via;
	enum gate_outcome outcome;
	const char *host;
	uint16_t port;       /* 0: none */
	const char *rule;    /* "": none */
	const char *address; /* NULL: none */
	const char *text;    /* why not; NULL for GATE_ALLOWED */
};

/* Returns 0, or -1 with errno if there should be a line in the audit file and
 * there is none. */
int gate_log(struct gate *g, const struct gate_decision *d);

/* Writes how many lines there are none of, if any. */
void gate_log_skipped(struct gate *g);

/* Writes the one about the end of a connection that was allowed. */
struct gate_ended {
	const char *host;
	uint16_t port;
	uint64_t sent, received; /* bytes, by who is inside */
	int64_t ms;
};

void gate_log_end(struct gate *g, const struct gate_ended *d);

/* Accepts again, unless there are too many clients. */
void gate_resume(struct gate *g);

#endif
