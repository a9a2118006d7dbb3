/* SPDX-License-Identifier: ISC */
/* sandbox-exec --serve: the acceptor of hops on which sessions, tool calls and
 * commands are streams.  adit-frame(5), SANDBOXES. */
#ifndef ADIT_SANDBOX_SERVE_H
#define ADIT_SANDBOX_SERVE_H

#include "cmd/sandbox-exec/exec.h"
#include "cmd/sandbox-exec/options.h"
#include "cmd/sandbox-exec/request.h"
#include "cmd/sandbox-exec/session.h"
#include "common/hop.h"

enum {
	SERVE_CLIENTS_MAX = 256,
	SERVE_DRAIN_MS = 30000, /* for what runs when we are told to go */
	SERVE_REST_MS = 250,    /* when there is no descriptor to accept */
};

struct server {
	const struct options *options;
	struct ev_loop *loop;
	struct hop_loop hops;
	struct zygote zygote;
	struct audit *audit;
	struct client *clients;
	size_t client_count;
	size_t sandboxes;     /* that stand or are to stand */
	bool stdio;
	bool draining;
	int status;           /* of the program */
	ev_io listener;       /* active unless stdio */
	ev_timer rest;        /* of listener */
	ev_signal term, interrupt;
	ev_io zygote_gone;
	ev_timer drain;
	ev_timer drained; /* never started: fed when work has ended */
};

/* One hop. */
struct client {
	struct server *server;
	struct client *next;
	struct hop hop;
	size_t work; /* streams of tools and commands */
};

/* What a stream is to us: the start of each struct that is a stream's user. */
struct served {
	const struct served_events *events;
	struct client *client;
	struct chan_stream *stream; /* NULL: it is gone */
};

struct served_events {
	size_t (*data)(struct served *s, uint16_t channel, struct bytes in);
	void (*end)(struct served *s);
	void (*writable)(struct served *s);
	/* The stream is gone; frees s. */
	void (*closed)(struct served *s);
};

/* Serves until told to end, or the only hop has ended.  Returns the exit
 * status; what could not be done was printed. */
int serve_run(const struct options *o, struct audit *audit,
    const struct zygote *z);

/* Each opens a stream for a request that is its kind; it may be refused. */
void serve_session_open(struct client *c, struct chan_stream *s,
    const struct request *r);
void serve_tool_open(struct client *c, struct chan_stream *s,
    const struct request *r);
void serve_exec_open(struct client *c, struct chan_stream *s,
    struct request *r); /* takes its argv */

/* Resets a stream with blame sandbox; closed is not called. */
void serve_refuse(struct client *c, struct chan_stream *s,
    enum frame_code code, const char *text);

/* Sends a JSON object as an event of s. */
void serve_send_event(struct served *s, struct buf *json);

/* Takes one of the sandboxes that may be at the same time.  Returns false,
 * and has refused s, if there are too many. */
bool serve_take_sandbox(struct client *c, struct chan_stream *s);

/* A tool's or command's stream comes or goes; when there are none a hop that
 * drains ends. */
void serve_work_begins(struct client *c);
void serve_work_ends(struct client *c);

/* Somebody who waits for a session's sandbox, to start a command in it. */
struct session_waiter {
	struct session_waiter *next;
	struct served_session *session; /* NULL: it is gone */
	/* The sandbox stands, or (why) could not be built. */
	void (*ready)(struct session_waiter *w, struct box *box,
	    const struct error *why);
	/* The session ends, and with it the command. */
	void (*gone)(struct session_waiter *w);
	bool told; /* ready was called */
};

/* Enters w with the session of a stream; ready may be called at once.
 * Returns 0, or -1 if there is no such session. */
int serve_session_wait(struct client *c, uint32_t id,
    struct session_waiter *w);
void serve_session_leave(struct session_waiter *w);

#endif
