/* SPDX-License-Identifier: ISC */
/* Runs a chan over a transport in an event loop: reads, writes once per turn
 * of the loop, pings, notices a dead peer.
 *
 * The owner embeds struct hop and gets chan_events plus one call of down, at
 * the very end and never from inside another handler; it then calls hop_done
 * and may free the struct. */
#ifndef ADIT_HOP_H
#define ADIT_HOP_H

#include <ev.h>

#include "common/chan.h"
#include "common/transport.h"

enum {
	HOP_PING_DEFAULT_MS = 4000,
	HOP_DEAD_PINGS = 3,     /* silent for so many intervals: dead */
	HOP_CROWD = 64,         /* streams whose end gives memory back */
	HOP_NAME_MAX = 64,
	HOP_DOMAIN_MAX = 256,
};

struct hop;

/* One per event loop: the hops with output to write before it sleeps. */
struct hop_loop {
	struct ev_loop *ev;
	ev_prepare flush;
	ev_idle awake; /* active while there are any: no sleep before */
	struct hop *dirty;
};

void hop_loop_init(struct hop_loop *l, struct ev_loop *ev);

/* What HELLO says about its sender.  Empty or 0 where it said nothing. */
struct hop_peer {
	char name[HOP_NAME_MAX], version[HOP_NAME_MAX];
	char instance[HOP_NAME_MAX];
	int64_t generation;
	char domain[HOP_DOMAIN_MAX];
};

enum hop_state {
	HOP_RUNNING,
	HOP_FLUSHING, /* hop_close was called; output goes out */
	HOP_DOWN,     /* down is due */
};

struct hop_settings {
	bool initiator;
	struct chan_limits limits; /* zero members: defaults */
	int64_t ping_ms;           /* 0: HOP_PING_DEFAULT_MS */
	bool patient;              /* never call a silent peer dead */
	const struct chan_events *events;
	/* The connection has ended; why is what ended it, ours or theirs.
	 * All streams were closed with it before. */
	void (*down)(void *user, const struct frame_reason *why);
	void *user;                /* of events and down */
};

struct hop {
	struct chan chan; /* first, so that a chan's hop can be found */
	struct hop_settings settings;
	struct hop_loop *loop;
	struct transport transport;
	enum hop_state state;
	ev_io reader, writer;
	ev_idle again;       /* the transport holds unread bytes */
	ev_timer keepalive, linger;
	int64_t heard_ms;    /* when the peer last sent anything */
	int64_t looked_ms;   /* when it was last asked whether it has */
	int64_t blocked_us;  /* when output last had to wait, 0: never */
	size_t written;      /* since then */
	uint32_t unsent_max; /* of the socket, follows chan.high */
	size_t crowd;        /* most streams since memory was given back */
	uint8_t *in;         /* bytes that are not a whole frame yet */
	size_t in_len, in_size;
	bool queued;         /* in loop->dirty */
	struct hop *next;
	struct frame_reason why; /* of the end; text is in why_text */
	char why_text[FRAME_TEXT_MAX + 1];
};

/* Starts a hop that owns t from now on, also when it fails.  Nothing but the
 * preamble is sent.  Returns 0, or -1 with errno (ENOMEM). */
int hop_start(struct hop *h, struct hop_loop *loop, const struct transport *t,
    const struct hop_settings *settings);

/* The same over descriptors, which become non-blocking; read_fd and write_fd
 * may be the same. */
int hop_start_fds(struct hop *h, struct hop_loop *loop, int read_fd,
    int write_fd, const struct hop_settings *settings);

/* Sends HELLO with the limits given to hop_start; empty members of self are
 * left out. */
void hop_send_hello(struct hop *h, const struct hop_peer *self);

/* Reads a HELLO.  Returns 0, or -1 with a text. */
int hop_parse_hello(struct bytes json, struct hop_peer *ret,
    struct chan_limits *ret_limits, struct error *e);

/* The chan_events.hello of a program that accepts every peer: parses, accepts,
 * or closes the hop with the code protocol. */
void hop_accept_any(struct hop *h, struct bytes json);

/* Sends GOAWAY with this reason, writes for at most a second what is queued,
 * then calls down with it.  Streams are closed at once.  Later calls do
 * nothing. */
void hop_close(struct hop *h, enum frame_code code, enum frame_blame blame,
    const char *text);

/* Frees everything.  Not from inside a handler other than down. */
void hop_done(struct hop *h);

#endif
