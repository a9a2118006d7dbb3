/* SPDX-License-Identifier: ISC */
/* Two chans joined by a pipe that cuts bytes anywhere: everything arrives, in
 * order, whatever the other streams do, and nothing is lost or hoarded. */
#include "tests/unit/end.h"

enum {
	PIPE_MAX = 200000, /* bytes under way in one direction */
	STREAMS = 100,
	LATENCY_MAX = 64,
};

struct flow {
	uint64_t to_send, sent, got;
	bool ended, end_came, closed;
};

struct side {
	struct chan chan;
	struct buf in;
	struct flow flows[2 * STREAMS + 4]; /* by stream number */
	bool stuck[2 * STREAMS + 4];        /* its reader takes nothing */
	size_t appetite;
	uint64_t total;
	int errors;
};

static struct side left, right;
static int64_t now_us;

static uint8_t
pattern(uint32_t id, uint64_t offset)
{
	return (uint8_t)(id * 7 + offset + (offset >> 8) * 13);
}

static void
send_more(struct side *p, struct chan_stream *s)
{
	struct flow *f = &p->flows[s->id];

	while (f->sent < f->to_send) {
		uint8_t bytes[5000];
		size_t n = 1 + test_below(sizeof bytes), done;

		if (n > f->to_send - f->sent)
			n = (size_t)(f->to_send - f->sent);
		for (size_t i = 0; i < n; i++)
			bytes[i] = pattern(s->id, f->sent + i);
		done = chan_send(&p->chan, s, 0, bytes_of(bytes, n));
		f->sent += done;
		if (done < n)
			return;
	}
	if (!f->ended) {
		f->ended = true;
		chan_end(&p->chan, s);
	}
}

static void
on_hello(void *user, struct bytes json)
{
	(void)user;
	(void)json;
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	(void)json;
	send_more(user, s);
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	struct side *p = user;
	struct flow *f = &p->flows[s->id];
	size_t n = in.len;

	p->errors += channel != 0;
	if (p->stuck[s->id])
		return 0;
	if (p->appetite != 0)
		n = test_below(p->appetite) < n ? test_below(p->appetite) : n;
	n = n < in.len ? n : in.len;
	for (size_t i = 0; i < n; i++)
		p->errors += in.ptr[i] != pattern(s->id, f->got + i);
	f->got += n;
	p->total += n;
	return n;
}

static void
on_end(void *user, struct chan_stream *s)
{
	struct side *p = user;

	p->errors += p->flows[s->id].end_came;
	p->flows[s->id].end_came = true;
}

static void
on_writable(void *user, struct chan_stream *s)
{
	send_more(user, s);
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	struct side *p = user;

	p->errors += p->flows[s->id].closed || why != NULL;
	p->flows[s->id].closed = true;
}

static const struct chan_events events = {
	.hello = on_hello, .open = on_open, .data = on_data, .end = on_end,
	.writable = on_writable, .closed = on_closed,
};

static void
start(const struct chan_limits *l, const struct chan_limits *r)
{
	struct side *sides[] = {&left, &right};

	for (int i = 0; i < 2; i++) {
		memset(sides[i], 0, sizeof *sides[i]);
		chan_init(&sides[i]->chan, i == 0, i == 0 ? l : r, &events,
		    sides[i]);
		buf_init(&sides[i]->in, 8 << 20);
		chan_send_hello(&sides[i]->chan, bytes_cstr("{}"));
	}
	now_us = 1000;
}

static void
finish(void)
{
	chan_done(&left.chan);
	chan_done(&right.chan);
	buf_reset(&left.in);
	buf_reset(&right.in);
}

/* Moves at most n bytes from one side's output to the other's input.
 * Returns how many. */
static size_t
carry(struct side *from, struct side *to, size_t n)
{
	struct bytes out = chan_output(&from->chan);
	struct error e;
	ssize_t used;

	n = n < out.len ? n : out.len;
	if (n == 0)
		return 0;
	buf_add(&to->in, bytes_of(out.ptr, n));
	chan_output_drop(&from->chan, n);
	used = chan_input(&to->chan, buf_bytes(&to->in), now_us, &e);
	if (used < 0) {
		printf("# %s\n", e.text);
		to->errors++;
		return 0;
	}
	buf_drop(&to->in, (size_t)used);
	if (to->chan.phase == CHAN_NAMED)
		chan_set_peer(&to->chan, &from->chan.own);
	return n;
}

static void
resume_all(struct side *p)
{
	for (uint32_t id = 1; id < 2 * STREAMS + 4; id++) {
		struct chan_stream *s = chan_get(&p->chan, id);

		if (s != NULL && !p->stuck[id])
			chan_resume(&p->chan, s);
	}
}

/* Carries in random pieces until nothing moves any more. */
static void
run(size_t piece)
{
	uint64_t before = 0;
	int idle = 0;

	while (idle < 20) {
		size_t moved = carry(&left, &right, 1 + test_below(piece));

		moved += carry(&right, &left, 1 + test_below(piece));
		now_us += 10;
		resume_all(&left);
		resume_all(&right);
		idle = moved == 0 && left.total + right.total == before
		    ? idle + 1 : 0;
		before = left.total + right.total;
		if (left.errors + right.errors != 0)
			return;
	}
}

/* Opens a stream that carries up bytes to the right and down to the left. */
static uint32_t
open_flow(uint64_t up, uint64_t down)
{
	struct chan_stream *s = chan_open(&left.chan, bytes_cstr("{}"), NULL);

	if (s == NULL) {
		left.errors++;
		return 0;
	}
	left.flows[s->id] = (struct flow){.to_send = up};
	right.flows[s->id] = (struct flow){.to_send = down};
	send_more(&left, s);
	return s->id;
}

static bool
all_returned(const struct chan *c)
{
	return chan_count(c) == 0 && c->own_count == 0 && c->peer_count == 0 &&
	    c->recv_credit + c->unreturned == c->own.connection_window &&
	    c->pool == c->own.connection_window -
	    2 * c->own.streams * c->own.window - (1 << 20);
}

static bool
is_complete(uint32_t id, uint64_t up, uint64_t down)
{
	return left.flows[id].got == down && right.flows[id].got == up &&
	    left.flows[id].closed && right.flows[id].closed &&
	    left.flows[id].end_came && right.flows[id].end_came;
}

static void
test_pieces(const struct chan_limits *limits, size_t piece, size_t appetite,
    const char *title)
{
	uint64_t up[STREAMS], down[STREAMS];
	int complete = 0;

	start(limits, limits);
	run(1000);
	left.appetite = right.appetite = appetite;
	for (int i = 0; i < 40; i++) {
		up[i] = test_below(60000);
		down[i] = test_below(60000);
		open_flow(up[i], down[i]);
		if (i % 8 == 0)
			run(piece);
	}
	run(piece);
	for (uint32_t i = 0; i < 40; i++)
		complete += is_complete(2 * i + 1, up[i], down[i]);
	eq_int(complete, 40, "%s: every stream is complete", title);
	eq_int(left.errors + right.errors, 0, "%s: every byte right", title);
	ok(all_returned(&left.chan) && all_returned(&right.chan),
	    "%s: all credit came back", title);
	finish();
}

/* One stream whose reader takes nothing; the others must not notice. */
static void
test_slow_reader(void)
{
	const size_t each = 300000;
	struct chan_stream *s;
	int complete = 0;
	size_t most = 0, out_most = 0;

	start(&(struct chan_limits){0}, &(struct chan_limits){0});
	run(1000);
	right.stuck[1] = true;
	for (int i = 0; i < STREAMS; i++)
		open_flow(i == 0 ? 10 << 20 : each, 0);
	for (int idle = 0; idle < 20;) {
		size_t moved = carry(&left, &right, 30000) +
		    carry(&right, &left, 30000);

		idle = moved == 0 ? idle + 1 : 0;
		s = chan_get(&right.chan, 1);
		most = s->rx.buf.size > most ? s->rx.buf.size : most;
		out_most = left.chan.out.len > out_most ? left.chan.out.len
							: out_most;
	}
	for (uint32_t i = 1; i < STREAMS; i++)
		complete += is_complete(2 * i + 1, each, 0);
	eq_int(complete, STREAMS - 1, "99 streams pass one that is stuck");
	eq_int(right.flows[1].got, 0, "which still has all its bytes");
	ok(most <= 2 * CHAN_WINDOW_DEFAULT, "in %zu bytes of memory", most);
	ok(out_most <= CHAN_HIGH_MAX + 2 * FRAME_LIMIT_DEFAULT,
	    "and %zu of output", out_most);
	right.stuck[1] = false;
	resume_all(&right);
	run(100000);
	ok(is_complete(1, 10 << 20, 0), "it goes on when it is read");
	ok(all_returned(&right.chan), "all credit came back");
	finish();
}

/* Streams that always have more get equal shares. */
static void
test_fairness(void)
{
	uint64_t least = UINT64_MAX, most = 0;
	const struct chan_limits wide = {.window = 1 << 20, .streams = 16};

	start(&wide, &wide);
	run(1000);
	for (int i = 0; i < 10; i++)
		open_flow(i == 0 ? 500 << 20 : 50 << 20, 0);
	for (int i = 0; i < 2000; i++) {
		carry(&left, &right, 8000);
		carry(&right, &left, 8000);
	}
	for (uint32_t i = 0; i < 10; i++) {
		uint64_t got = right.flows[2 * i + 1].got;

		least = got < least ? got : least;
		most = got > most ? got : most;
	}
	/* The first had the empty queue for itself: CHAN_HIGH_MAX. */
	ok(most - least <= CHAN_HIGH_MAX + 3 * 65536,
	    "shares of %" PRIu64 " to %" PRIu64 " bytes", least, most);
	ok(least > 1000000, "of a queue that keeps moving");
	finish();
}

/* A small stream that opens while others fill the link is not kept waiting
 * longer than the queue is. */
static void
test_newcomer(void)
{
	uint32_t id;
	size_t carried = 0;

	start(&(struct chan_limits){0}, &(struct chan_limits){0});
	run(1000);
	for (int i = 0; i < 20; i++)
		open_flow(10 << 20, 0);
	for (int i = 0; i < 300; i++) {
		carry(&left, &right, 20000);
		carry(&right, &left, 20000);
	}
	id = open_flow(100, 0);
	while (right.flows[id].got < 100 && carried < 8 << 20) {
		carried += carry(&left, &right, 20000);
		carry(&right, &left, 20000);
	}
	ok(carried <= CHAN_HIGH_MAX + 21 * 65536,
	    "a new stream's bytes come after %zu others", carried);
	finish();
}

/* Ends in every way a stream can, 10 000 times. */
static void
test_leaks(void)
{
	const struct chan_limits limits = {.streams = STREAMS};
	int opened = 0;

	start(&limits, &limits);
	run(1000);
	right.appetite = 3000;
	while (opened < 10000) {
		/* Numbers grow; the tables here are by small numbers. */
		left.chan.next_id = 1;
		right.chan.last_peer_id = 0;
		for (int i = 0; i < 50; i++, opened++) {
			uint32_t id = open_flow(test_below(80000),
			    test_below(80000));
			struct side *p = test_below(2) == 0 ? &left : &right;
			struct chan_stream *s;

			carry(&left, &right, test_below(9000));
			carry(&right, &left, test_below(9000));
			right.stuck[id] = test_below(8) == 0;
			s = chan_get(&p->chan, id);
			if (test_below(3) == 0 && s != NULL)
				chan_reset(&p->chan, s, FRAME_CANCELLED,
				    BLAME_CLIENT, "");
		}
		for (uint32_t id = 1; id < 2 * STREAMS; id += 2) {
			struct chan_stream *s = chan_get(&left.chan, id);

			right.stuck[id] = false;
			if (s != NULL && test_below(4) == 0)
				chan_reset(&left.chan, s, FRAME_CANCELLED,
				    BLAME_CLIENT, "");
		}
		left.errors = right.errors = 0; /* resets are told as such */
		for (int i = 0; i < 4000 && chan_count(&left.chan) +
		    chan_count(&right.chan) != 0; i++) {
			carry(&left, &right, 50000);
			carry(&right, &left, 50000);
			resume_all(&left);
			resume_all(&right);
		}
		if (chan_count(&left.chan) + chan_count(&right.chan) != 0)
			break;
	}
	ok(opened >= 10000, "%d streams ended in every way", opened);
	for (int i = 0; i < 100; i++) {
		carry(&left, &right, 50000);
		carry(&right, &left, 50000);
	}
	ok(all_returned(&left.chan) && all_returned(&right.chan),
	    "and left no credit behind");
	eq_int(left.chan.send_credit, right.chan.recv_credit,
	    "both ends agree on it");
	eq_int(right.chan.send_credit, left.chan.recv_credit,
	    "in both directions");
	ok(left.chan.streams.size <= 128, "nor memory");
	finish();
}

/* Bytes that arrive rtt later: a ring of slots, one per step. */
struct delayed {
	struct buf slots[LATENCY_MAX];
};

static void
pass(struct side *from, struct side *to, struct delayed *d, int step, int lag,
    size_t per_step)
{
	struct buf *b = &d->slots[step % LATENCY_MAX];
	struct bytes out;

	while (per_step != 0 && (out = chan_output(&from->chan)).len != 0) {
		size_t n = out.len < per_step ? out.len : per_step;

		buf_add(b, bytes_of(out.ptr, n));
		chan_output_drop(&from->chan, n);
		per_step -= n;
	}
	b = &d->slots[(step + LATENCY_MAX - lag) % LATENCY_MAX];
	if (step >= lag && buf_len(b) != 0) {
		struct error e;
		ssize_t used;

		buf_add(&to->in, buf_bytes(b));
		buf_clear(b);
		used = chan_input(&to->chan, buf_bytes(&to->in), now_us, &e);
		if (used < 0)
			to->errors++;
		else
			buf_drop(&to->in, (size_t)used);
	}
}

/* A link with a round trip of 100 ms and 1 ms steps; returns the bytes that
 * came within two seconds.  slow: how often the reader takes anything. */
static uint64_t
run_long_link(int slow, uint32_t *ret_window)
{
	static struct delayed up, down;
	uint64_t got;

	for (int i = 0; i < LATENCY_MAX; i++) {
		buf_init(&up.slots[i], 8 << 20);
		buf_init(&down.slots[i], 8 << 20);
	}
	start(&(struct chan_limits){0}, &(struct chan_limits){0});
	run(1000);
	open_flow(1 << 30, 0);
	right.stuck[1] = slow != 0;
	for (int step = 0; step < 2000; step++) {
		now_us += 1000;
		if (step % 200 == 0)
			chan_send_ping(&right.chan, now_us);
		pass(&left, &right, &up, step, 50, 1 << 20);
		pass(&right, &left, &down, step, 50, 1 << 20);
		if (slow != 0 && step > 200 && step % slow == 0) {
			right.stuck[1] = false;
			right.appetite = 20000;
			chan_resume(&right.chan, chan_get(&right.chan, 1));
			right.stuck[1] = true;
		}
	}
	got = right.flows[1].got;
	*ret_window = chan_get(&right.chan, 1)->window;
	eq_int(left.errors + right.errors, 0, "every byte right");
	ok(right.chan.rtt_us >= 90000 && right.chan.rtt_us <= 110000,
	    "the round trip is seen: %" PRId64 " us", right.chan.rtt_us);
	finish();
	for (int i = 0; i < LATENCY_MAX; i++) {
		buf_reset(&up.slots[i]);
		buf_reset(&down.slots[i]);
	}
	return got;
}

static void
test_long_link(void)
{
	uint32_t window;
	uint64_t got = run_long_link(0, &window);

	/* A fixed window would pass 20 of them in two seconds. */
	ok(got > 20ULL * CHAN_WINDOW_DEFAULT * 10,
	    "a stream fills a long link: %" PRIu64 " bytes", got);
	eq_int(window, CHAN_WINDOW_GROWN, "with a window that grew");
	got = run_long_link(100, &window);
	ok(got > 100000, "a slow reader gets %" PRIu64 " bytes", got);
	ok(window <= 2 * CHAN_WINDOW_DEFAULT, "its window stays at %u",
	    window);
}

/* Windows grow only from what the connection has left. */
static void
test_pool(void)
{
	const struct chan_limits tight = {.streams = 2, .window = 65536,
	    .connection_window = 1};
	uint32_t window;

	start(&tight, &tight);
	run(1000);
	right.chan.rtt_us = 1000000;
	open_flow(10 << 20, 0);
	run(50000);
	ok(is_complete(1, 10 << 20, 0), "a stream without a pool");
	ok(all_returned(&right.chan), "gives all back");
	left.flows[3] = (struct flow){.to_send = 0};
	right.chan.rtt_us = 1000000;
	window = right.chan.own.connection_window;
	eq_int(window, 2 * 2 * 65536 + (1 << 20),
	    "the connection's credit is what it must be");
	finish();
}

int
main(void)
{
	const struct chan_limits usual = {0};
	const struct chan_limits tiny = {.frame = FRAME_LIMIT_MIN,
	    .window = CHAN_WINDOW_MIN, .streams = 64};
	const struct chan_limits large = {.frame = FRAME_LIMIT_MAX,
	    .window = CHAN_WINDOW_MAX, .streams = 64};

	test_pieces(&usual, 5000, 0, "pieces of 5000");
	test_pieces(&usual, 50, 0, "pieces of 50");
	test_pieces(&usual, PIPE_MAX, 700, "readers that take 700 at a time");
	test_pieces(&tiny, 3000, 100, "smallest limits");
	test_pieces(&large, PIPE_MAX, 0, "largest limits");
	test_slow_reader();
	test_fairness();
	test_newcomer();
	test_leaks();
	test_long_link();
	test_pool();
	return test_done();
}
