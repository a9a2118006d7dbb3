/* SPDX-License-Identifier: ISC */
/* The relay between a link and the local hop, without any I/O: an edge and
 * a proxy of the test's own at both ends of two hops. */
#include "cmd/tunnel-up/relay.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum {
	STREAMS_MAX = 64,
	WINDOW = 4096,
};

/* What the test knows of one end of one stream. */
struct end {
	struct chan_stream *stream;
	uint64_t sent, got; /* bytes of the pattern */
	bool stalled;       /* takes nothing */
	bool ended, closed, broken;
	uint16_t code, events;
	uint8_t blame;
	char text[32];
};

struct peer {
	struct chan chan;
	struct end ends[STREAMS_MAX]; /* by stream number / 2 */
};

/* edge -- link | relay | local -- proxy */
static struct peer edge, proxy;
static struct chan link_end, local_end;
static bool local_there;

static struct end *
end_of(struct peer *p, const struct chan_stream *s)
{
	return &p->ends[(s->id - 1) / 2 % STREAMS_MAX];
}

static uint8_t
pattern(uint64_t at)
{
	return (uint8_t)(at * 131 + (at >> 8));
}

/* ---- the ends ---- */

static void
on_hello(void *user, struct bytes json)
{
	(void)user;
	(void)json;
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct peer *p = user;
	struct end *e = end_of(p, s);

	memset(e, 0, sizeof *e);
	e->stream = s;
	e->broken = !bytes_eq(json, bytes_cstr("{\"kind\":\"tls\"}"));
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	struct end *e = end_of(user, s);

	if (e->stalled)
		return 0;
	if (channel != 3)
		e->broken = true;
	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] != pattern(e->got + i))
			e->broken = true;
	}
	e->got += in.len;
	return in.len;
}

static void
on_end(void *user, struct chan_stream *s)
{
	end_of(user, s)->ended = true;
}

static void
on_event(void *user, struct chan_stream *s, struct bytes json)
{
	(void)json;
	end_of(user, s)->events++;
}

static void
on_writable(void *user, struct chan_stream *s)
{
	(void)user;
	(void)s;
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	struct end *e = end_of(user, s);

	e->closed = true;
	e->stream = NULL;
	if (why == NULL)
		return;
	e->code = why->code;
	e->blame = why->blame;
	str_from_bytes(e->text, sizeof e->text, why->text);
}

static const struct chan_events end_events = {
	.hello = on_hello, .open = on_open, .data = on_data, .end = on_end,
	.event = on_event, .writable = on_writable, .closed = on_closed,
};

/* ---- the middle ---- */

static void
on_link_open(void *user, struct chan_stream *s, struct bytes json)
{
	(void)user;
	relay_open(&link_end, s, json, local_there ? &local_end : NULL,
	    "edge:1", true);
}

static void
on_relay_closed(void *user, struct chan_stream *s,
    const struct frame_reason *why)
{
	(void)user;
	relay_closed(s, why);
}

static const struct chan_events relay_events = {
	.hello = on_hello, .open = on_link_open, .data = relay_data,
	.end = relay_end, .event = relay_event, .writable = relay_writable,
	.closed = on_relay_closed,
};

static void
start_chan(struct chan *c, bool initiator, const struct chan_events *events,
    void *user)
{
	const struct chan_limits limits = {.window = WINDOW};

	chan_init(c, initiator, &limits, events, user);
	chan_send_hello(c, bytes_cstr("{}"));
}

static void
start(void)
{
	memset(edge.ends, 0, sizeof edge.ends);
	memset(proxy.ends, 0, sizeof proxy.ends);
	local_there = true;
	start_chan(&edge.chan, false, &end_events, &edge);
	start_chan(&link_end, true, &relay_events, NULL);
	start_chan(&local_end, true, &relay_events, NULL);
	start_chan(&proxy.chan, false, &end_events, &proxy);
}

/* ---- bytes between chans ---- */

struct wire {
	struct chan *from, *to;
	struct buf bytes;
};

static struct wire wires[4];

static void
start_wires(void)
{
	struct chan *pairs[4][2] = {
		{&edge.chan, &link_end}, {&link_end, &edge.chan},
		{&local_end, &proxy.chan}, {&proxy.chan, &local_end},
	};

	for (int i = 0; i < 4; i++) {
		wires[i].from = pairs[i][0];
		wires[i].to = pairs[i][1];
		buf_reset(&wires[i].bytes);
		buf_init(&wires[i].bytes, 64 << 20);
	}
}

/* Moves up to max bytes.  Returns whether anything moved. */
static bool
carry(struct wire *w, size_t max)
{
	const struct chan_limits limits = {
		.frame = FRAME_LIMIT_DEFAULT, .window = WINDOW,
		.connection_window = CHAN_CONNECTION_DEFAULT,
		.streams = CHAN_STREAMS_DEFAULT,
	};
	struct bytes out = chan_output(w->from);
	struct error e;
	ssize_t used;

	if (out.len > max)
		out.len = max;
	if (out.len == 0)
		return false;
	buf_add(&w->bytes, out);
	chan_output_drop(w->from, out.len);
	do {
		used = chan_input(w->to, buf_bytes(&w->bytes), 1, &e);
		if (w->to->phase == CHAN_NAMED)
			chan_set_peer(w->to, &limits);
		if (used > 0)
			buf_drop(&w->bytes, (size_t)used);
	} while (used > 0);
	if (used < 0)
		ok(false, "chan_input: %s", e.text);
	return true;
}

static void
settle(size_t max)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (int i = 0; i < 4; i++)
			moved |= carry(&wires[i], max);
	}
}

static void
stop(void)
{
	const struct frame_reason why = {.code = FRAME_ABORTED};

	chan_fail(&link_end, &why); /* frees the relays */
	chan_done(&edge.chan);
	chan_done(&link_end);
	chan_done(&local_end);
	chan_done(&proxy.chan);
	for (int i = 0; i < 4; i++)
		buf_reset(&wires[i].bytes);
}

static void
begin(void)
{
	start();
	start_wires();
	settle(1 << 20);
}

/* ---- what the ends do ---- */

/* The edge opens a stream; returns its end there. */
static struct end *
open_stream(void)
{
	struct chan_stream *s = chan_open(&edge.chan,
	    bytes_cstr("{\"kind\":\"tls\"}"), NULL);
	struct end *e = end_of(&edge, s);

	memset(e, 0, sizeof *e);
	e->stream = s;
	return e;
}

/* The same stream at the proxy: both hops number in the same order. */
static struct end *
other_end(const struct end *e)
{
	return &proxy.ends[e - edge.ends];
}

static void
send_some(struct peer *p, struct end *e, size_t len)
{
	uint8_t bytes[1024];

	len = len < sizeof bytes ? len : sizeof bytes;
	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern(e->sent + i);
	e->sent += chan_send(&p->chan, e->stream, 3, bytes_of(bytes, len));
}

/* ---- tests ---- */

static void
test_both_ways(void)
{
	struct end *e, *o;

	begin();
	e = open_stream();
	settle(1 << 20);
	o = other_end(e);
	ok(o->stream != NULL && !o->broken, "OPEN comes as it was");
	send_some(&edge, e, 1000);
	send_some(&proxy, o, 500);
	settle(7);
	eq_int(o->got, 1000, "bytes to the proxy");
	eq_int(e->got, 500, "bytes to the edge");
	chan_send_event(&edge.chan, e->stream, bytes_cstr("{}"));
	settle(7);
	eq_int(o->events, 1, "an EVENT");
	chan_end(&edge.chan, e->stream);
	settle(7);
	ok(o->ended && !o->closed, "END of one direction");
	send_some(&proxy, o, 100);
	settle(7);
	eq_int(e->got, 600, "the other goes on");
	chan_end(&proxy.chan, o->stream);
	settle(7);
	ok(e->closed && o->closed, "both ENDs close it");
	eq_int(e->code, 0, "without a reason");
	eq_int(chan_count(&link_end) + chan_count(&local_end), 0,
	    "nothing is left in the middle");
	stop();
}

static void
test_resets(void)
{
	struct end *e, *o;

	begin();
	e = open_stream();
	settle(1 << 20);
	o = other_end(e);
	chan_reset(&proxy.chan, o->stream, FRAME_DENIED, BLAME_POLICY,
	    "not you");
	settle(5);
	eq_int(e->code, FRAME_DENIED, "RESET of the proxy: code");
	eq_int(e->blame, BLAME_POLICY, "blame");
	eq_str(e->text, "not you", "text");
	e = open_stream();
	settle(1 << 20);
	o = other_end(e);
	chan_reset(&edge.chan, e->stream, FRAME_CANCELLED, BLAME_CLIENT, "");
	settle(5);
	eq_int(o->code, FRAME_CANCELLED, "RESET of the edge: code");
	eq_int(o->blame, BLAME_CLIENT, "blame");
	eq_int(chan_count(&link_end) + chan_count(&local_end), 0,
	    "nothing is left in the middle");
	stop();
}

static void
test_refusals(void)
{
	const struct frame_reason why = {.code = FRAME_DRAINING};
	struct end *e;

	begin();
	local_there = false;
	e = open_stream();
	settle(1 << 20);
	eq_int(e->code, FRAME_UNREACHABLE, "nobody there: code");
	eq_int(e->blame, BLAME_PROXY, "blame");
	local_there = true;
	chan_send_goaway(&proxy.chan, &why);
	settle(1 << 20);
	e = open_stream();
	settle(1 << 20);
	eq_int(e->code, FRAME_DRAINING, "going away: code");
	eq_int(e->blame, BLAME_PROXY, "blame");
	stop();
}

static void
test_lost(void)
{
	const struct frame_reason lost = {.code = FRAME_ABORTED,
	    .blame = BLAME_LINK, .text = bytes_of("gone", 4)};
	struct end *e, *o;

	begin();
	e = open_stream();
	send_some(&edge, e, 100);
	open_stream();
	settle(1 << 20);
	o = other_end(e);
	chan_fail(&link_end, &lost);
	settle(1 << 20);
	eq_int(o->code, FRAME_ABORTED, "a lost link: code");
	eq_int(o->blame, BLAME_LINK, "blame");
	eq_str(o->text, "gone", "text");
	eq_int(chan_count(&local_end), 0, "all its streams are gone");
	stop();
}

/* A reader that takes nothing holds its sender at a few windows, and nobody
 * else. */
static void
test_stalled(void)
{
	struct end *slow, *quick;

	begin();
	slow = open_stream();
	quick = open_stream();
	settle(1 << 20);
	other_end(slow)->stalled = true;
	for (int i = 0; i < 4096; i++) {
		send_some(&edge, slow, 1024);
		send_some(&edge, quick, 1024);
		settle(1 << 20);
	}
	eq_int(other_end(quick)->got, 4096 * 1024, "the other one flows");
	ok(slow->sent <= 2 * WINDOW, "the slow one is held at %" PRIu64,
	    slow->sent);
	other_end(slow)->stalled = false;
	chan_resume(&proxy.chan, other_end(slow)->stream);
	settle(1 << 20);
	eq_int(other_end(slow)->got, slow->sent, "it gets the rest later");
	stop();
}

/* Frames that need no credit, from one edge, must not end the hop that all
 * share. */
static void
test_flood(void)
{
	char json[FRAME_HELLO_MAX];
	struct bytes big = bytes_of(json, sizeof json);
	struct end *e;

	memset(json, ' ', sizeof json);
	memcpy(json, "{}", 2);
	begin();
	e = open_stream();
	settle(1 << 20);
	for (int i = 0; i < 1024 && e->stream != NULL; i++) {
		chan_send_event(&edge.chan, e->stream, big);
		carry(&wires[0], 1 << 20);
		carry(&wires[1], 1 << 20);
	}
	eq_int(e->code, FRAME_LIMIT, "EVENTs end their stream");
	eq_int(e->blame, BLAME_CONNECTOR, "here");
	for (int i = 0; i < 1024; i++) {
		uint32_t id = chan_open(&edge.chan, big, NULL)->id;
		struct chan_stream *s;

		carry(&wires[0], 1 << 20);
		carry(&wires[1], 1 << 20);
		s = chan_get(&edge.chan, id);
		if (s != NULL)
			chan_reset(&edge.chan, s, FRAME_CANCELLED,
			    BLAME_CLIENT, "");
	}
	ok(!local_end.overflow, "the hop stays");
	settle(1 << 20);
	eq_int(chan_count(&proxy.chan), 0, "all have ended");
	open_stream();
	settle(1 << 20);
	eq_int(chan_count(&proxy.chan), 1, "it takes streams again");
	stop();
}

static void
act(struct peer *p, struct end *e)
{
	if (e->stream == NULL || e->closed)
		return;
	switch (test_below(40)) {
	case 0:
		chan_end(&p->chan, e->stream);
		break;
	case 1:
		chan_reset(&p->chan, e->stream, FRAME_CANCELLED,
		    BLAME_CLIENT, "");
		e->stream = NULL;
		break;
	case 2:
		e->stalled = !e->stalled;
		if (!e->stalled)
			chan_resume(&p->chan, e->stream);
		break;
	default:
		if (e->stream->sending == CHAN_OPEN)
			send_some(p, e, test_below(1024));
		break;
	}
}

/* Whatever the ends do, bytes stay in order and nothing is left behind. */
static void
test_random_ends(void)
{
	bool broken = false;

	begin();
	for (int i = 0; i < 200000; i++) {
		size_t n = test_below(STREAMS_MAX);
		size_t next = (edge.chan.next_id - 1) / 2 % STREAMS_MAX;

		if (edge.ends[next].stream == NULL &&
		    proxy.ends[next].stream == NULL && test_below(20) == 0)
			open_stream();
		act(&edge, &edge.ends[n]);
		act(&proxy, &proxy.ends[n]);
		carry(&wires[test_below(4)], test_below(5000));
		broken |= edge.ends[n].broken || proxy.ends[n].broken;
	}
	ok(!broken, "all bytes come in order and on their channel");
	for (int n = 0; n < STREAMS_MAX; n++) {
		edge.ends[n].stalled = proxy.ends[n].stalled = false;
		if (edge.ends[n].stream != NULL)
			chan_reset(&edge.chan, edge.ends[n].stream,
			    FRAME_CANCELLED, BLAME_CLIENT, "");
	}
	settle(1 << 20);
	eq_int(chan_count(&link_end), 0, "no stream is left on the link");
	eq_int(chan_count(&local_end), 0, "none on the local hop");
	eq_int(chan_count(&proxy.chan), 0, "none at the proxy");
	stop();
}

int
main(void)
{
	test_both_ways();
	test_resets();
	test_refusals();
	test_lost();
	test_stalled();
	test_flood();
	test_random_ends();
	return test_done();
}
