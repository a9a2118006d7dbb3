/* SPDX-License-Identifier: ISC */
/* One connection that something inside has made, from its first byte to its
 * end. */
#ifndef ADIT_SANDBOX_GATE_CLIENT_H
#define ADIT_SANDBOX_GATE_CLIENT_H

#include "cmd/sandbox-exec/gate_head.h"
#include "cmd/sandbox-exec/gate_state.h"
#include "common/resolve.h"

enum {
	GATE_GREETING_S = 30,        /* for a request, a head, first bytes */
	GATE_LINGER_S = 5,           /* for an answer to be taken */
	GATE_BUFFER_HIGH = 65536,    /* above it nothing more is read */
	GATE_BUFFER_MAX = GATE_CHUNK + GATE_BUFFER_HIGH + 1024,
};

enum client_state {
	CLIENT_GREETING,  /* the proxy's port: HTTP or SOCKS? */
	CLIENT_SOCKS,     /* greeted, the request is to come */
	CLIENT_HEAD,      /* an HTTP head is to come */
	CLIENT_DNS,
	CLIENT_RESOLVING,
	CLIENT_DIALING,
	CLIENT_PEEKING,   /* the server is reached; what will be said? */
	CLIENT_RELAYING,
	CLIENT_REFUSING,  /* captured and refused: told in its protocol */
	CLIENT_CLOSING,   /* the rest goes out */
	CLIENT_OVER,      /* to be freed at the end of the event */
};

struct side {
	ev_io io;
	int fd;
	bool eof;     /* nothing more comes */
	bool shut;    /* nothing more goes */
	bool is_bulk; /* much comes at once */
	struct gate_pipe *pipe; /* what has come and not gone; or NULL */
	uint64_t sent;          /* bytes, to it */
};

struct client {
	struct gate *gate;
	struct client *next, *prev;
	enum client_state state;
	enum gate_via via;
	struct side client, server;
	struct buf from_client, to_server, from_server, to_client;
	ev_timer timer;
	struct gate_target target;
	struct gate_verdict verdict;
	struct resolve *query;
	struct sock_addr addrs[RESOLVE_MAX];
	size_t addr_count, addr_next; /* the one being dialed is before next */
	struct http_scan scan;        /* of from_client, then from_server */
	bool http;                    /* one request and its response */
	struct body body;             /* of the request */
	bool request_done, response_done, to_head;
	bool captured_refused;
	int64_t allowed_ms;           /* 0: not yet */
};

/* Takes over an accepted connection.  Returns 0, or -1 with errno and fd
 * closed. */
int gate_client_start(struct gate *g, enum confine_listener_kind kind,
    int fd);

/* Whoever made them is dead: what they sent goes on, and with that they end.
 * The loop breaks when none is left. */
void gate_client_drain(struct gate *g);

/* Ends all that are left. */
void gate_client_stop(struct gate *g);

/* ---- between the parts of a client ---- */

/* After anything happened outside of a client's own event: goes on. */
void gate_client_continue(struct client *c);
void gate_client_set_timer(struct client *c, double seconds);

/* Closes the server's side; the client's, when all for it is out. */
void gate_client_close(struct client *c);
/* As gate_log. */
int gate_client_log(struct client *c, enum gate_outcome outcome,
    const char *text);

/* Reads the HTTP head that the client has sent, which stays where it is.
 * Returns its length, 0 if it is not complete, or -1 with a text and a status
 * in e->code. */
ssize_t gate_request_head(struct client *c, struct gate_head *h,
    struct error *e);

/* Takes what the client asks for, in the protocol that its state says; what
 * is asked for is decided, and then dialed or refused. */
void gate_request_take(struct client *c);

/* Decides where a captured connection was to go. */
void gate_request_capture(struct client *c);

/* Makes h the request that goes out.  Returns as gate_head_write does. */
int gate_request_forward(struct client *c, struct gate_head *h);

/* Resolves the target, judges, and dials; then gate_peek_start. */
void gate_dial_start(struct client *c);
void gate_dial_progress(struct client *c);
void gate_dial_timeout(struct client *c);

/* The server is reached: says so, and waits for the client's first bytes. */
void gate_peek_start(struct client *c);

/* Looks at these, and relays when they fit. */
void gate_peek(struct client *c);
void gate_peek_timeout(struct client *c);

/* Relays: what was read is passed on. */
void gate_relay_start(struct client *c);
void gate_relay(struct client *c);

/* Ends it with an answer in the protocol that it speaks; a captured one has
 * to say first what that is. */
void gate_refuse(struct client *c, enum gate_outcome outcome,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for a host that is none, and so no target: why shows it. */
void gate_refuse_host(struct client *c, const struct error *why);

/* Answers a captured one if it has said by now what it speaks. */
void gate_refuse_tell(struct client *c);

/* Reads what a side has sent, and what needs no look is sent on.  Returns
 * false if a side is broken. */
bool gate_side_read(struct client *c, struct side *s);

/* Sends what waits.  Returns as gate_side_read does. */
bool gate_side_flush(struct client *c);

/* Whether all that a side has sent has gone to the other. */
bool gate_side_is_passed(const struct client *c, const struct side *s);

/* Waits for what each side can do next. */
void gate_side_watch(struct client *c);
void gate_side_close(struct client *c, struct side *s);

#endif
