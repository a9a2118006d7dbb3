/* SPDX-License-Identifier: ISC */
/* One end of a hop as a state machine: streams, credit, queues and their
 * scheduling over the frames of adit-frame(5).  It does no I/O: bytes that
 * arrived go in through chan_input, bytes to send come out of chan_output, and
 * what happened is told through struct chan_events.  hop.h runs one over
 * descriptors or TLS.
 *
 * Memory: a stream that nobody reads holds at most its window; output holds
 * at most CHAN_HIGH_MAX of DATA.  Handlers may call any function here, also for
 * the stream they are called for; a stream that they reset, and the bytes that
 * they were given, stay readable until the handler returns. */
#ifndef ADIT_CHAN_H
#define ADIT_CHAN_H

#include "common/blocks.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/frame.h"
#include "common/idmap.h"
#include "common/runs.h"

enum {
	CHAN_STREAMS_DEFAULT = 1024,
	CHAN_WINDOW_DEFAULT = 65536,
	CHAN_WINDOW_MIN = 1024,
	CHAN_WINDOW_MAX = 16 << 20,   /* of a peer's HELLO */
	CHAN_WINDOW_GROWN = 4 << 20,  /* how far we grow a stream's window */
	CHAN_CONNECTION_ABSENT = 64 << 20,
	CHAN_CONNECTION_DEFAULT = 256 << 20,
	CHAN_HIGH_MIN = 64 << 10, /* DATA waits outside when so much is */
	CHAN_HIGH_MAX = 512 << 10, /* queued, and goes on below half of it */
	CHAN_OUT_MAX = 4 << 20, /* queued control frames of a dead peer */
	CHAN_BUSY = CHAN_OUT_MAX / 2, /* no stream is opened behind more */
	CHAN_PINGS_MAX = 16,
};

struct chan_limits {
	uint32_t frame, window, connection_window, streams;
};

enum chan_half {
	CHAN_OPEN,
	CHAN_ENDING, /* the peer's END came, bytes before it still wait */
	CHAN_ENDED,
};

/* One stream.  Readers may look at id, user, sending and receiving. */
struct chan_stream {
	uint32_t id;
	void *user; /* the owner's, free to set */
	enum chan_half sending, receiving;
	bool dead;      /* closed; freed when the outermost call returns */
	bool waiting;   /* the owner wants chan_events.writable */
	bool in_ring;
	bool offering;  /* chan_events.data runs */
	bool again;     /* and chan_resume was called in it */
	uint32_t send_credit;
	uint32_t window;       /* what we grant at most */
	uint32_t recv_credit;  /* what the peer may still send */
	uint32_t unreturned;   /* consumed, credit not yet sent back */
	int64_t returned_us;   /* when credit was last sent back */
	struct runs rx;        /* what waits for the owner */
	struct chan_stream *next; /* in the ring or the list of dead */
};

/* What happened.  user is chan_init's.  Only auth, goaway and event may be
 * NULL. */
struct chan_events {
	/* The peer's HELLO; call chan_set_peer from it to accept. */
	void (*hello)(void *user, struct bytes json);
	void (*auth)(void *user, struct bytes token);
	void (*goaway)(void *user, const struct frame_reason *why,
	    uint32_t last);
	/* The peer opened s.  chan_reset in here refuses it. */
	void (*open)(void *user, struct chan_stream *s, struct bytes json);
	/* Bytes came.  Returns how many were used; the rest is kept and
	 * offered again by chan_resume, and no credit returns for it. */
	size_t (*data)(void *user, struct chan_stream *s, uint16_t channel,
	    struct bytes in);
	/* The peer will send no more; everything before was used. */
	void (*end)(void *user, struct chan_stream *s);
	/* s is NULL for the connection. */
	void (*event)(void *user, struct chan_stream *s, struct bytes json);
	/* A chan_send that took less than offered can go on. */
	void (*writable)(void *user, struct chan_stream *s);
	/* s is gone: both ends ended (why NULL), or the peer reset it, or
	 * chan_fail did.  Not called after the owner's own chan_reset. */
	void (*closed)(void *user, struct chan_stream *s,
	    const struct frame_reason *why);
	/* Bytes of other channels than 0 are dropped as they come: a window of
	 * single bytes of two channels takes nine times its memory. */
	bool one_channel;
};

/* How far the peer has introduced itself. */
enum chan_phase {
	CHAN_SILENT,   /* nothing came */
	CHAN_GREETED,  /* its preamble */
	CHAN_NAMED,    /* its HELLO */
	CHAN_ACCEPTED, /* chan_set_peer was called: streams can open */
	CHAN_FAILED,   /* chan_fail was called: nothing is told any more */
};

struct chan {
	const struct chan_events *events;
	void *user;
	/* Called when output that was empty is not any more, unless NULL. */
	void (*wake)(struct chan *c);
	enum chan_phase phase;
	bool initiator;
	bool peer_draining; /* it sent GOAWAY */
	bool draining;      /* we did */
	bool overflow;      /* the peer does not read what we must send */
	int depth;          /* nested calls; the dead are freed at 0 */
	struct chan_limits own, peer;
	uint32_t next_id;      /* of our next OPEN */
	uint32_t last_peer_id; /* highest that the peer opened */
	uint32_t own_count, peer_count;
	uint32_t send_credit, recv_credit, unreturned;
	uint64_t pool;         /* what windows may still grow by, all told */
	int64_t now_us, rtt_us;
	int64_t ping_us;       /* when the last PING left, 0: answered */
	int pings;             /* unanswered */
	struct idmap streams;
	struct chan_stream *ring_first, *ring_last, *dead;
	const struct chan_stream *turn; /* whose turn in the ring it is */
	size_t turn_left;      /* bytes that it may still send */
	struct blocks out;
	size_t high;           /* CHAN_HIGH_MIN to CHAN_HIGH_MAX, free to set */
	uint64_t bytes_in, bytes_out; /* payload of DATA */
};

/* Makes an end that has queued the preamble.  own: what we grant; zero
 * members get defaults; connection_window is raised, and streams lowered where
 * that is not enough, to keep the promise of adit-frame(5), CREDIT.  events and
 * user are kept by reference. */
void chan_init(struct chan *c, bool initiator, const struct chan_limits *own,
    const struct chan_events *events, void *user);

/* Frees everything; streams vanish without a call of closed. */
void chan_done(struct chan *c);

/* Takes bytes from the peer at the time now_us (clock_us).  Returns how many
 * it used, whole frames only, so the caller keeps the rest and adds to it;
 * or -1 with a text: the connection must end. */
ssize_t chan_input(struct chan *c, struct bytes in, int64_t now_us,
    struct error *e);

/* The next bytes to send, empty if none; chan_output_drop says how many of
 * them went out, and may call writable. */
struct bytes chan_output(const struct chan *c);
void chan_output_drop(struct chan *c, size_t n);

/* Connection frames.  HELLO first; hop_send_hello makes its JSON. */
void chan_send_hello(struct chan *c, struct bytes json);
void chan_send_auth(struct chan *c, struct bytes token);
void chan_send_ping(struct chan *c, int64_t now_us);
void chan_send_goaway(struct chan *c, const struct frame_reason *why);

/* Accepts the peer with the limits of its HELLO: streams can open. */
void chan_set_peer(struct chan *c, const struct chan_limits *peer);

/* Opens a stream.  Returns it, or NULL with ENOTCONN (not accepted yet),
 * ESHUTDOWN (the peer drains), EMFILE (a limit), EMSGSIZE (json),
 * ENOBUFS (the peer does not read what is queued) or ENOMEM. */
struct chan_stream *chan_open(struct chan *c, struct bytes json, void *user);
struct chan_stream *chan_get(const struct chan *c, uint32_t id);
size_t chan_count(const struct chan *c);

/* Sends bytes: takes what credit and queue allow and returns how many; if
 * that is less than offered, writable is called once when to go on. */
size_t chan_send(struct chan *c, struct chan_stream *s, uint16_t channel,
    struct bytes in);

/* The same without a copy: where up to *ret_cap bytes may be put, or NULL
 * (writable will be called).  Valid until the next call on c; commit sends
 * n of them, possibly 0. */
uint8_t *chan_reserve(struct chan *c, struct chan_stream *s, size_t *ret_cap);
void chan_commit(struct chan *c, struct chan_stream *s, uint16_t channel,
    size_t n);

/* Sends an EVENT for s, or for the connection (NULL).  Returns 0, or -1 with
 * EMSGSIZE. */
int chan_send_event(struct chan *c, struct chan_stream *s, struct bytes json);

/* Ends our direction, once. */
void chan_end(struct chan *c, struct chan_stream *s);

/* Ends both at once.  closed is not called. */
void chan_reset(struct chan *c, struct chan_stream *s, enum frame_code code,
    enum frame_blame blame, const char *text);

/* Offers the bytes that wait for s's owner again. */
void chan_resume(struct chan *c, struct chan_stream *s);

/* The connection is gone: closes every stream with why.  Input is swallowed
 * from then on. */
void chan_fail(struct chan *c, const struct frame_reason *why);

#endif
