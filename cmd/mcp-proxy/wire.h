/* SPDX-License-Identifier: ISC */
/* One connection to an agent or to an upstream, whatever carries it: TLS over
 * a stream of a hop, TLS over a socket, or a plain socket.  It reads only when
 * asked to, and keeps what could not be written at once. */
#ifndef ADIT_MCP_PROXY_WIRE_H
#define ADIT_MCP_PROXY_WIRE_H

#include <ev.h>

#include "common/chan.h"
#include "common/tls.h"

enum {
	WIRE_HIGH = 64 << 10,   /* unwritten bytes above which the other
	                         * side is not read */
	WIRE_TX_MAX = 4 << 20,  /* unwritten bytes above which the connection
	                         * is given up */
};

/* Calls from the loop, never from inside a function of this module. */
struct wire_events {
	/* Bytes, or the end, can be read; or a handshake can go on. */
	void (*input)(void *user);
	/* Everything was written; or a socket has connected. */
	void (*drained)(void *user);
	/* Bytes could not be written: errno.  Those kept are dropped. */
	void (*broken)(void *user, int error);
};

struct wire {
	struct ev_loop *ev;
	const struct wire_events *events;
	void *user;
	int fd;                     /* -1: a stream, or closed */
	struct tls *tls;            /* NULL: plain */
	struct chan *chan;          /* of the stream */
	struct chan_stream *stream; /* NULL: a socket, or closed */
	struct bytes feed;          /* of the stream, not yet read */
	bool feed_ended;            /* the peer will send no more */
	bool paused;
	bool finishing;             /* end our direction when drained */
	bool finished;
	ev_io reader, writer;
	ev_prepare turn;            /* of the reader; never started */
	struct buf tx;
};

/* Takes fd over, and watches it for input if it is given as connected. */
void wire_init_fd(struct wire *w, struct ev_loop *ev, int fd, bool connected,
    const struct wire_events *events, void *user);
void wire_init_stream(struct wire *w, struct ev_loop *ev, struct chan *c,
    struct chan_stream *s, const struct wire_events *events, void *user);

/* Puts TLS on it.  server_name: as in tls.h.  Returns 0, or -1 with a
 * text. */
int wire_start_tls(struct wire *w, struct tls_context *c,
    const char *server_name, struct error *e);

/* Goes on with the handshake.  Returns 1 when done, 0 when input follows, -1
 * with a text. */
int wire_handshake(struct wire *w, struct error *e);

/* A socket that connects: drained is called when it has, or failed to. */
void wire_watch_connect(struct wire *w);

/* Starts to watch a socket that has connected for input. */
void wire_connected(struct wire *w);

/* What the owner of the stream does with chan_events: how many of the bytes
 * were used; and that they have ended. */
size_t wire_feed(struct wire *w, struct bytes in);
void wire_feed_end(struct wire *w);
void wire_writable(struct wire *w);

/* The stream is gone, by the peer or with its hop. */
void wire_lost(struct wire *w);

/* Reads.  Returns the bytes, 0 at the clean end, or -1 with errno. */
ssize_t wire_read(struct wire *w, uint8_t *at, size_t cap);

/* Whether wire_read may return bytes without new input. */
bool wire_has_pending(const struct wire *w);

/* Calls input soon, from the loop. */
void wire_kick(struct wire *w);

/* Stops and resumes calls of input. */
void wire_pause(struct wire *w);
void wire_resume(struct wire *w);

/* Writes or keeps all of in.  Returns 0, or -1 with errno: the connection is
 * broken; *ret_none says whether no byte of in can have left. */
int wire_write(struct wire *w, struct bytes in, bool *ret_none);

/* How many bytes are kept. */
size_t wire_unwritten(const struct wire *w);

/* Ends our direction cleanly once everything is written. */
void wire_finish(struct wire *w);

/* Closes at once: a socket with a reset; a stream with RESET. */
void wire_abort(struct wire *w, enum frame_code code, enum frame_blame blame,
    const char *text);

/* Closes a connection that both ends have finished, or that is idle. */
void wire_close(struct wire *w);

#endif
