/* SPDX-License-Identifier: ISC */
#include "common/chan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	PAYLOAD_ROOM_MIN = 4096, /* start a new block rather than cut less */
	QUANTUM = 65536,         /* of one stream when others wait */
	RUN_OVERHEAD = 8,        /* memory of a one-byte frame beside it */
	CREDIT_STEP_MAX = 1 << 20,
	NEAR_US = 1000, /* no peer counts as nearer */
};

static void
out_commit(struct chan *c, size_t len)
{
	bool was_empty = c->out.len == 0;

	blocks_commit(&c->out, len);
	if (was_empty && c->wake != NULL)
		c->wake(c);
}

/* Queues a whole frame.  Lack of memory shows as an output queue that is
 * over its limit, which ends the connection. */
static void
out_frame(struct chan *c, uint8_t type, uint32_t stream, struct bytes payload)
{
	struct frame f = {.type = type, .stream = stream};
	uint8_t *at = c->out.len > CHAN_OUT_MAX ? NULL
	    : blocks_reserve(&c->out, FRAME_HEADER_LEN + payload.len);

	if (at == NULL) {
		c->overflow = true;
		return;
	}
	frame_put_header(at, &f, (uint32_t)payload.len);
	if (payload.len != 0)
		memcpy(at + FRAME_HEADER_LEN, payload.ptr, payload.len);
	out_commit(c, FRAME_HEADER_LEN + payload.len);
}

static void
out_reason(struct chan *c, uint8_t type, uint32_t stream,
    const struct frame_reason *why)
{
	uint8_t payload[FRAME_REASON_LEN + FRAME_TEXT_MAX];

	out_frame(c, type, stream,
	    bytes_of(payload, frame_put_reason(payload, why)));
}

static void
out_window(struct chan *c, uint32_t stream, uint32_t credit)
{
	uint8_t payload[FRAME_WINDOW_LEN];

	be32_put(payload, credit);
	out_frame(c, FRAME_WINDOW, stream, bytes_of(payload, sizeof payload));
}

struct bytes
chan_output(const struct chan *c)
{
	return blocks_bytes(&c->out);
}

static void
enter(struct chan *c)
{
	c->depth++;
}

static void
leave(struct chan *c)
{
	if (--c->depth != 0)
		return;
	while (c->dead != NULL) {
		struct chan_stream *s = c->dead;

		c->dead = s->next;
		runs_reset(&s->rx);
		free(s);
	}
}

static void
ring_add(struct chan *c, struct chan_stream *s)
{
	if (s->in_ring)
		return;
	s->in_ring = true;
	s->next = NULL;
	if (c->ring_last == NULL)
		c->ring_first = s;
	else
		c->ring_last->next = s;
	c->ring_last = s;
}

static struct chan_stream *
ring_take(struct chan *c)
{
	struct chan_stream *s = c->ring_first;

	if (s == NULL)
		return NULL;
	c->ring_first = s->next;
	if (c->ring_first == NULL)
		c->ring_last = NULL;
	s->in_ring = false;
	return s;
}

static void
ring_remove(struct chan *c, struct chan_stream *s)
{
	struct chan_stream **link = &c->ring_first, *before = NULL;

	if (!s->in_ring)
		return;
	for (; *link != s; link = &(*link)->next)
		before = *link;
	*link = s->next;
	if (c->ring_last == s)
		c->ring_last = before;
	s->in_ring = false;
}

static bool
is_own_id(const struct chan *c, uint32_t id)
{
	return (id % 2 == 1) == c->initiator;
}

static struct chan_stream *
stream_new(struct chan *c, uint32_t id)
{
	struct chan_stream *s = calloc(1, sizeof *s);

	if (s == NULL || idmap_add(&c->streams, id, s) != 0) {
		free(s);
		return NULL;
	}
	s->id = id;
	s->send_credit = c->peer.window;
	s->window = s->recv_credit = c->own.window;
	s->returned_us = c->now_us;
	runs_init(&s->rx, (size_t)CHAN_WINDOW_MAX * (1 + RUN_OVERHEAD));
	if (is_own_id(c, id))
		c->own_count++;
	else
		c->peer_count++;
	return s;
}

static void return_credit(struct chan *c, uint32_t n);

/* Takes s out of everything; the memory stays until leave(). */
static void
stream_drop(struct chan *c, struct chan_stream *s)
{
	/* What the peer sent and the owner has not used. */
	uint32_t held = s->window - s->recv_credit - s->unreturned;

	if (s->dead)
		return;
	ring_remove(c, s);
	idmap_remove(&c->streams, s->id);
	if (is_own_id(c, s->id))
		c->own_count--;
	else
		c->peer_count--;
	c->pool += s->window - c->own.window;
	s->dead = true;
	s->next = c->dead;
	c->dead = s;
	return_credit(c, held);
}

static void
stream_closed(struct chan *c, struct chan_stream *s,
    const struct frame_reason *why)
{
	stream_drop(c, s);
	c->events->closed(c->user, s, why);
}

static void
close_if_ended(struct chan *c, struct chan_stream *s)
{
	if (!s->dead && s->sending == CHAN_ENDED &&
	    s->receiving == CHAN_ENDED)
		stream_closed(c, s, NULL);
}

/* How much consumed credit is gathered before the connection's WINDOW. */
static uint32_t
connection_step(const struct chan *c)
{
	uint32_t step = c->own.connection_window / 8;

	return step < CREDIT_STEP_MAX ? step : CREDIT_STEP_MAX;
}

static void
return_credit(struct chan *c, uint32_t n)
{
	c->unreturned += n;
	if (c->unreturned == 0 || c->unreturned < connection_step(c))
		return;
	out_window(c, 0, c->unreturned);
	c->recv_credit += c->unreturned;
	c->unreturned = 0;
}

/* Doubles the window of a stream that used half of it within two round
 * trips, as far as the pool has room.  Returns the growth.  A peer on the
 * same machine answers a PING in microseconds, yet takes its bytes only when
 * its process runs. */
static uint32_t
grow_window(struct chan *c, struct chan_stream *s)
{
	int64_t rtt_us = c->rtt_us > NEAR_US ? c->rtt_us : NEAR_US;
	uint32_t more = s->window;

	if (c->rtt_us == 0 || c->now_us - s->returned_us > 2 * rtt_us ||
	    s->window > CHAN_WINDOW_GROWN / 2)
		return 0;
	if (more > c->pool)
		return 0;
	c->pool -= more;
	s->window += more;
	return more;
}

static void
consumed(struct chan *c, struct chan_stream *s, size_t n)
{
	s->unreturned += (uint32_t)n;
	if (s->unreturned >= s->window / 2 && s->receiving == CHAN_OPEN) {
		uint32_t credit = s->unreturned + grow_window(c, s);

		out_window(c, s->id, credit);
		s->recv_credit += credit;
		s->unreturned = 0;
		s->returned_us = c->now_us;
	}
	return_credit(c, (uint32_t)n);
}

static void
deliver_end(struct chan *c, struct chan_stream *s)
{
	s->receiving = CHAN_ENDED;
	c->events->end(c->user, s);
	close_if_ended(c, s);
}

/* Offers bytes to the owner.  Returns how many it used. */
static size_t
offer(struct chan *c, struct chan_stream *s, uint16_t channel,
    struct bytes in)
{
	size_t n;

	s->offering = true;
	s->again = false;
	n = c->events->data(c->user, s, channel, in);
	s->offering = false;
	assert(n <= in.len);
	return n;
}

static int
deliver(struct chan *c, struct chan_stream *s, uint16_t channel,
    struct bytes in)
{
	size_t n;

	if (!runs_is_empty(&s->rx))
		return runs_add(&s->rx, channel, in);
	n = offer(c, s, channel, in);
	if (s->dead)
		return 0;
	consumed(c, s, n);
	if (n == in.len)
		return 0;
	if (runs_add(&s->rx, channel, bytes_after(in, n)) != 0)
		return -1;
	if (s->again && n != 0)
		chan_resume(c, s);
	return 0;
}

void
chan_resume(struct chan *c, struct chan_stream *s)
{
	if (s->offering) {
		s->again = true;
		return;
	}
	enter(c);
	while (!s->dead && !runs_is_empty(&s->rx)) {
		uint16_t channel;
		struct bytes run = runs_first(&s->rx, &channel);
		size_t n = offer(c, s, channel, run);

		if (s->dead)
			break;
		runs_drop(&s->rx, n);
		consumed(c, s, n);
		if (n == 0 || (n < run.len && !s->again))
			break;
	}
	if (!s->dead && runs_is_empty(&s->rx)) {
		runs_reset(&s->rx);
		if (s->receiving == CHAN_ENDING)
			deliver_end(c, s);
	}
	leave(c);
}

static int
on_hello(struct chan *c, const struct frame *f, struct error *e)
{
	if (c->phase != CHAN_GREETED)
		return error_set(e, "HELLO: a second one");
	c->phase = CHAN_NAMED;
	c->events->hello(c->user, f->payload);
	return 0;
}

static int
on_pong(struct chan *c, const struct frame *f)
{
	int64_t sample = c->now_us - c->ping_us;

	if (c->ping_us == 0 || be64_get(f->payload.ptr) !=
	    (uint64_t)c->ping_us)
		return 0;
	c->ping_us = 0;
	c->pings = 0;
	if (sample < 1)
		sample = 1;
	/* The least seen, which rises slowly: queueing is no distance. */
	if (c->rtt_us == 0 || sample < c->rtt_us)
		c->rtt_us = sample;
	else
		c->rtt_us += (sample - c->rtt_us) / 8;
	return 0;
}

static int
on_open(struct chan *c, const struct frame *f, struct error *e)
{
	struct chan_stream *s;
	struct frame_reason why = {.code = FRAME_LIMIT, .blame = BLAME_LINK};

	if (is_own_id(c, f->stream) || f->stream <= c->last_peer_id)
		return error_set(e, "OPEN: stream %u: out of order",
		    f->stream);
	c->last_peer_id = f->stream;
	if (c->draining)
		why.code = FRAME_DRAINING;
	if (c->draining || c->peer_count >= c->own.streams ||
	    (s = stream_new(c, f->stream)) == NULL) {
		out_reason(c, FRAME_RESET, f->stream, &why);
		return 0;
	}
	c->events->open(c->user, s, f->payload);
	return 0;
}

/* The stream of a frame.  Returns 1 and the stream, 0 when it was closed
 * before, -1 when it was never opened. */
static int
find_stream(const struct chan *c, const struct frame *f,
    struct chan_stream **ret, struct error *e)
{
	bool known = is_own_id(c, f->stream) ? f->stream < c->next_id
					     : f->stream <= c->last_peer_id;

	*ret = idmap_get(&c->streams, f->stream);
	if (*ret != NULL)
		return 1;
	if (known)
		return 0;
	return error_set(e, "%s: stream %u was never opened",
	    frame_type_name(f->type), f->stream);
}

static int
on_data(struct chan *c, struct chan_stream *s, const struct frame *f,
    struct error *e)
{
	uint32_t len = (uint32_t)f->payload.len;

	if (len > c->recv_credit)
		return error_set(e, "DATA: stream %u: beyond the credit of "
		    "the connection", f->stream);
	c->recv_credit -= len;
	c->bytes_in += len;
	if (s == NULL) {
		return_credit(c, len);
		return 0;
	}
	if (len > s->recv_credit)
		return error_set(e, "DATA: stream %u: beyond its credit",
		    f->stream);
	s->recv_credit -= len;
	if (c->events->one_channel && f->channel != 0) {
		consumed(c, s, len);
		return 0;
	}
	if (deliver(c, s, f->channel, f->payload) != 0)
		return error_errno(e, "DATA: stream %u", f->stream);
	return 0;
}

static int
on_window(struct chan *c, struct chan_stream *s, const struct frame *f,
    struct error *e)
{
	uint32_t more = be32_get(f->payload.ptr);
	uint32_t *credit = f->stream == 0 ? &c->send_credit
	    : s != NULL ? &s->send_credit : NULL;

	if (credit == NULL)
		return 0;
	if (__builtin_add_overflow(*credit, more, credit))
		return error_set(e, "WINDOW: stream %u: credit above 32 bits",
		    f->stream);
	if (s != NULL && s->waiting)
		ring_add(c, s);
	return 0;
}

static int
on_reset(struct chan *c, struct chan_stream *s, const struct frame *f)
{
	struct frame_reason why = frame_get_reason(f->payload);

	if (s != NULL)
		stream_closed(c, s, &why);
	return 0;
}

/* Frames that a peer may send before it was accepted. */
static int
on_early_frame(struct chan *c, const struct frame *f, struct error *e)
{
	struct frame_reason why;

	if (c->phase == CHAN_GREETED && f->type != FRAME_HELLO &&
	    f->type != FRAME_GOAWAY)
		return error_set(e, "%s: before HELLO",
		    frame_type_name(f->type));
	switch (f->type) {
	case FRAME_HELLO:
		return on_hello(c, f, e);
	case FRAME_AUTH:
		if (c->events->auth != NULL)
			c->events->auth(c->user, f->payload);
		return 0;
	case FRAME_PING:
		out_frame(c, FRAME_PONG, 0, f->payload);
		return 0;
	case FRAME_PONG:
		return on_pong(c, f);
	case FRAME_GOAWAY:
		why = frame_get_reason(f->payload);
		c->peer_draining = true;
		if (c->events->goaway != NULL)
			c->events->goaway(c->user, &why, f->stream);
		return 0;
	default:
		return error_set(e, "%s: too early", frame_type_name(f->type));
	}
}

static int
on_stream_frame(struct chan *c, const struct frame *f, struct error *e)
{
	struct chan_stream *s = NULL;

	if (f->stream != 0 && find_stream(c, f, &s, e) < 0)
		return -1;
	if (s != NULL && s->receiving != CHAN_OPEN &&
	    (f->type == FRAME_DATA || f->type == FRAME_END ||
	    f->type == FRAME_EVENT))
		return error_set(e, "%s: stream %u: after END",
		    frame_type_name(f->type), f->stream);
	switch (f->type) {
	case FRAME_DATA:
		return on_data(c, s, f, e);
	case FRAME_WINDOW:
		return on_window(c, s, f, e);
	case FRAME_RESET:
		return on_reset(c, s, f);
	case FRAME_END:
		if (s == NULL)
			return 0;
		s->receiving = CHAN_ENDING;
		if (runs_is_empty(&s->rx))
			deliver_end(c, s);
		return 0;
	default:
		if (c->events->event != NULL &&
		    (s != NULL || f->stream == 0))
			c->events->event(c->user, s, f->payload);
		return 0;
	}
}

static int
on_frame(struct chan *c, const struct frame *f, struct error *e)
{
	if ((f->type & FRAME_OPTIONAL) != 0 && c->phase != CHAN_GREETED)
		return 0;
	if (c->phase != CHAN_ACCEPTED || f->type < FRAME_WINDOW)
		return on_early_frame(c, f, e);
	if (f->type == FRAME_OPEN)
		return on_open(c, f, e);
	if (f->type == FRAME_MARK)
		return error_set(e, "MARK: not in a capture");
	return on_stream_frame(c, f, e);
}

/* Lets streams of the ring go on, each in turn. */
static void
pump(struct chan *c)
{
	struct chan_stream *s;

	while (c->out.len < c->high / 2 && c->send_credit != 0 &&
	    (s = ring_take(c)) != NULL) {
		if (!s->waiting)
			continue;
		s->waiting = false;
		c->turn = s;
		c->turn_left = QUANTUM;
		c->events->writable(c->user, s);
		c->turn = NULL;
	}
}

static ssize_t
take_preamble(struct chan *c, struct bytes in, struct error *e)
{
	enum frame_kind kind;
	int r = frame_get_preamble(in, &kind, e);

	if (r <= 0)
		return r;
	if (kind != FRAME_KIND_HOP)
		return error_set(e, "a capture, not a hop");
	c->phase = CHAN_GREETED;
	return FRAME_PREAMBLE_LEN;
}

ssize_t
chan_input(struct chan *c, struct bytes in, int64_t now_us, struct error *e)
{
	size_t used = 0;
	ssize_t n = 1;

	c->now_us = now_us;
	enter(c);
	while (n > 0 && c->phase != CHAN_FAILED) {
		struct frame f;

		if (c->phase == CHAN_SILENT) {
			n = take_preamble(c, in, e);
		} else {
			n = frame_decode(bytes_after(in, used), c->own.frame,
			    &f, e);
			if (n > 0 && on_frame(c, &f, e) != 0)
				n = -1;
		}
		if (n > 0)
			used += (size_t)n;
		if (n >= 0 && c->overflow)
			n = error_set(e, "output above %d bytes: the peer "
			    "does not read", CHAN_OUT_MAX);
	}
	if (n == 0)
		pump(c);
	leave(c);
	if (c->phase == CHAN_FAILED)
		return (ssize_t)in.len;
	return n < 0 ? -1 : (ssize_t)used;
}

void
chan_output_drop(struct chan *c, size_t n)
{
	blocks_drop(&c->out, n);
	if (c->ring_first == NULL || c->out.len >= c->high / 2)
		return;
	enter(c);
	pump(c);
	leave(c);
}

static void
set_default(uint32_t *field, uint32_t value)
{
	if (*field == 0)
		*field = value;
}

void
chan_init(struct chan *c, bool initiator, const struct chan_limits *own,
    const struct chan_events *events, void *user)
{
	uint8_t preamble[FRAME_PREAMBLE_LEN], *at;
	uint32_t most, promised;

	memset(c, 0, sizeof *c);
	c->events = events;
	c->user = user;
	c->initiator = initiator;
	c->next_id = initiator ? 1 : 2;
	c->high = CHAN_HIGH_MAX;
	c->own = *own;
	set_default(&c->own.frame, FRAME_LIMIT_DEFAULT);
	set_default(&c->own.window, CHAN_WINDOW_DEFAULT);
	set_default(&c->own.connection_window, CHAN_CONNECTION_DEFAULT);
	set_default(&c->own.streams, CHAN_STREAMS_DEFAULT);
	/* Our own streams and the peer's both get a first window. */
	most = (UINT32_MAX - CREDIT_STEP_MAX) / (2 * c->own.window);
	if (c->own.streams > most)
		c->own.streams = most;
	promised = 2 * c->own.streams * c->own.window + CREDIT_STEP_MAX;
	if (c->own.connection_window < promised)
		c->own.connection_window = promised;
	c->recv_credit = c->own.connection_window;
	c->pool = c->own.connection_window - promised;
	frame_put_preamble(preamble, FRAME_KIND_HOP);
	at = blocks_reserve(&c->out, sizeof preamble);
	if (at == NULL) {
		c->overflow = true;
		return;
	}
	memcpy(at, preamble, sizeof preamble);
	out_commit(c, sizeof preamble);
}

void
chan_done(struct chan *c)
{
	struct chan_stream *s;

	while ((s = idmap_any(&c->streams)) != NULL)
		stream_drop(c, s);
	c->depth = 1;
	leave(c);
	idmap_done(&c->streams);
	blocks_done(&c->out);
}

void
chan_send_hello(struct chan *c, struct bytes json)
{
	out_frame(c, FRAME_HELLO, 0, json);
}

void
chan_send_auth(struct chan *c, struct bytes token)
{
	out_frame(c, FRAME_AUTH, 0, token);
}

void
chan_send_ping(struct chan *c, int64_t now_us)
{
	uint8_t payload[FRAME_PING_LEN];

	if (c->pings >= CHAN_PINGS_MAX)
		return;
	c->pings++;
	c->ping_us = now_us;
	be64_put(payload, (uint64_t)now_us);
	out_frame(c, FRAME_PING, 0, bytes_of(payload, sizeof payload));
}

void
chan_send_goaway(struct chan *c, const struct frame_reason *why)
{
	c->draining = true;
	out_reason(c, FRAME_GOAWAY, c->last_peer_id, why);
}

void
chan_set_peer(struct chan *c, const struct chan_limits *peer)
{
	c->peer = *peer;
	c->send_credit = peer->connection_window;
	c->phase = CHAN_ACCEPTED;
}

struct chan_stream *
chan_open(struct chan *c, struct bytes json, void *user)
{
	struct chan_stream *s;

	if (json.len > FRAME_HELLO_MAX || json.len < 2)
		errno = EMSGSIZE;
	else if (c->phase != CHAN_ACCEPTED)
		errno = ENOTCONN;
	else if (c->peer_draining || c->next_id > UINT32_MAX - 2)
		errno = ESHUTDOWN;
	else if (c->own_count >= c->peer.streams ||
	    c->own_count >= c->own.streams)
		errno = EMFILE;
	else if (c->out.len > CHAN_BUSY)
		errno = ENOBUFS;
	else if ((s = stream_new(c, c->next_id)) != NULL) {
		c->next_id += 2;
		s->user = user;
		out_frame(c, FRAME_OPEN, s->id, json);
		return s;
	}
	return NULL;
}

struct chan_stream *
chan_get(const struct chan *c, uint32_t id)
{
	return idmap_get(&c->streams, id);
}

size_t
chan_count(const struct chan *c)
{
	return c->streams.count;
}

/* How many bytes s may send in one frame, 0 and it waits. */
static size_t
sendable(struct chan *c, struct chan_stream *s)
{
	size_t n = c->peer.frame;

	if (s->dead || s->sending != CHAN_OPEN)
		return 0;
	if (n > s->send_credit)
		n = s->send_credit;
	if (n > c->send_credit)
		n = c->send_credit;
	if (n != 0 && c->out.len < c->high &&
	    (c->ring_first == NULL || (c->turn == s && c->turn_left != 0)))
		return n;
	s->waiting = true;
	/* Without credit of its own, WINDOW puts it into the ring. */
	if (s->send_credit != 0)
		ring_add(c, s);
	return 0;
}

uint8_t *
chan_reserve(struct chan *c, struct chan_stream *s, size_t *ret_cap)
{
	size_t cap = sendable(c, s), room = blocks_room(&c->out);
	uint8_t *at;

	if (cap == 0)
		return NULL;
	if (room < FRAME_HEADER_LEN + PAYLOAD_ROOM_MIN)
		room = BLOCKS_PIECE_MAX;
	if (cap > room - FRAME_HEADER_LEN)
		cap = room - FRAME_HEADER_LEN;
	at = blocks_reserve(&c->out, FRAME_HEADER_LEN +
	    (cap < PAYLOAD_ROOM_MIN ? cap : PAYLOAD_ROOM_MIN));
	if (at == NULL) {
		c->overflow = true;
		return NULL;
	}
	*ret_cap = cap;
	return at + FRAME_HEADER_LEN;
}

void
chan_commit(struct chan *c, struct chan_stream *s, uint16_t channel, size_t n)
{
	struct frame f = {.type = FRAME_DATA, .channel = channel,
	    .stream = s->id};

	if (n == 0)
		return;
	frame_put_header(blocks_reserve(&c->out, FRAME_HEADER_LEN), &f,
	    (uint32_t)n);
	s->send_credit -= (uint32_t)n;
	c->send_credit -= (uint32_t)n;
	c->bytes_out += n;
	if (c->turn == s)
		c->turn_left -= n < c->turn_left ? n : c->turn_left;
	out_commit(c, FRAME_HEADER_LEN + n);
}

size_t
chan_send(struct chan *c, struct chan_stream *s, uint16_t channel,
    struct bytes in)
{
	size_t sent = 0;

	while (sent < in.len) {
		size_t cap, n = in.len - sent;
		uint8_t *at;

		at = chan_reserve(c, s, &cap);
		if (at == NULL)
			break;
		n = n < cap ? n : cap;
		memcpy(at, in.ptr + sent, n);
		chan_commit(c, s, channel, n);
		sent += n;
	}
	return sent;
}

int
chan_send_event(struct chan *c, struct chan_stream *s, struct bytes json)
{
	if (json.len < 2 || json.len > c->peer.frame ||
	    json.len > BLOCKS_PIECE_MAX - FRAME_HEADER_LEN) {
		errno = EMSGSIZE;
		return -1;
	}
	if (s == NULL || (!s->dead && s->sending == CHAN_OPEN))
		out_frame(c, FRAME_EVENT, s == NULL ? 0 : s->id, json);
	return 0;
}

void
chan_end(struct chan *c, struct chan_stream *s)
{
	if (s->dead || s->sending != CHAN_OPEN)
		return;
	s->sending = CHAN_ENDED;
	s->waiting = false;
	ring_remove(c, s);
	enter(c);
	out_frame(c, FRAME_END, s->id, bytes_of(NULL, 0));
	close_if_ended(c, s);
	leave(c);
}

void
chan_reset(struct chan *c, struct chan_stream *s, enum frame_code code,
    enum frame_blame blame, const char *text)
{
	struct frame_reason why = {.code = (uint16_t)code,
	    .blame = (uint8_t)blame, .text = bytes_cstr(text)};

	if (s->dead)
		return;
	enter(c);
	out_reason(c, FRAME_RESET, s->id, &why);
	stream_drop(c, s);
	leave(c);
}

void
chan_fail(struct chan *c, const struct frame_reason *why)
{
	struct chan_stream *s;

	enter(c);
	c->phase = CHAN_FAILED;
	while ((s = idmap_any(&c->streams)) != NULL)
		stream_closed(c, s, why);
	leave(c);
}
