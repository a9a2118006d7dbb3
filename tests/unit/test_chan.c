/* SPDX-License-Identifier: ISC */
/* chan against a peer whose frames are written by hand: the rules of
 * adit-frame(5), one by one, and what handlers may do. */
#include "tests/unit/end.h"

static const struct chan_limits small = {
	.frame = FRAME_LIMIT_MIN, .window = 2048, .streams = 3,
};

/* An acceptor that has accepted its peer, so odd streams are the peer's. */
static void
start(struct end *e, const struct chan_limits *own,
    const struct chan_limits *peer)
{
	end_init(e, false, own);
	end_accept(e, peer);
}

static void
test_greeting(void)
{
	uint8_t p[FRAME_PREAMBLE_LEN];
	struct chan_limits none = {0};
	struct end e;

	frame_put_preamble(p, FRAME_KIND_HOP);
	end_init(&e, true, NULL);
	eq_str(end_sent(&e), "preamble; ", "an end begins with its preamble");
	eq_int(e.chan.phase, CHAN_SILENT, "nothing came");
	for (size_t i = 0; i < sizeof p; i++)
		end_feed(&e, bytes_of(p + i, 1));
	eq_int(e.chan.phase, CHAN_GREETED, "a preamble in pieces");
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL &&
	    errno == ENOTCONN, "no stream opens before HELLO: ENOTCONN");
	end_feed_text(&e, FRAME_HELLO, 0, "{\"a\":1}");
	eq_str(end_story(&e), "hello {\"a\":1}; ", "HELLO is told");
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL &&
	    errno == ENOTCONN, "nor before it is accepted: ENOTCONN");
	end_feed_text(&e, FRAME_AUTH, 0, "secret");
	eq_str(end_story(&e), "auth secret; ", "AUTH is told");
	chan_set_peer(&e.chan, &none);
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL &&
	    errno == EMFILE, "a peer that takes no streams: EMFILE");
	end_done(&e);
}

static void
test_early_frames(void)
{
	static const struct {
		uint8_t type;
		uint32_t stream;
		const char *payload, *want;
	} cases[] = {
		{FRAME_AUTH, 0, "x", "AUTH: before HELLO"},
		{FRAME_PING, 0, "12345678", "PING: before HELLO"},
		{FRAME_OPEN, 1, "{}", "OPEN: before HELLO"},
		{FRAME_DATA, 1, "x", "DATA: before HELLO"},
		{FRAME_END, 1, "", "END: before HELLO"},
		{FRAME_EVENT, 0, "{}", "EVENT: before HELLO"},
		{0xf0, 0, "?", "0xf0: before HELLO"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t p[FRAME_PREAMBLE_LEN];
		struct end e;

		frame_put_preamble(p, FRAME_KIND_HOP);
		end_init(&e, false, NULL);
		end_feed(&e, bytes_of(p, sizeof p));
		ok(!end_feed_text(&e, cases[i].type, cases[i].stream,
		    cases[i].payload), "too early");
		eq_str(e.error.text, cases[i].want, "it says so");
		end_done(&e);
	}
}

static void
test_after_hello(void)
{
	uint8_t p[FRAME_PREAMBLE_LEN];
	struct end e;

	frame_put_preamble(p, FRAME_KIND_HOP);
	end_init(&e, false, NULL);
	end_feed(&e, bytes_of(p, sizeof p));
	end_feed_text(&e, FRAME_HELLO, 0, "{}");
	ok(!end_feed_text(&e, FRAME_OPEN, 1, "{}"),
	    "OPEN before this end's HELLO");
	eq_str(e.error.text, "OPEN: too early", "it says so");
	end_done(&e);

	start(&e, NULL, NULL);
	ok(!end_feed_text(&e, FRAME_HELLO, 0, "{}"), "a second HELLO");
	end_done(&e);

	frame_put_preamble(p, FRAME_KIND_CAPTURE);
	end_init(&e, false, NULL);
	ok(!end_feed(&e, bytes_of(p, sizeof p)), "a capture is no hop");
	end_done(&e);

	start(&e, NULL, NULL);
	ok(!end_feed_text(&e, FRAME_MARK, 0, "0123456789ab\1\0\0"),
	    "MARK outside a capture");
	end_done(&e);
}

static void
test_goaway_before_hello(void)
{
	uint8_t p[FRAME_PREAMBLE_LEN];
	struct end e;

	frame_put_preamble(p, FRAME_KIND_HOP);
	end_init(&e, true, NULL);
	end_feed(&e, bytes_of(p, sizeof p));
	ok(end_feed_frame(&e, FRAME_GOAWAY, 0, 0,
	    bytes_of("\0\12\2\0bad", 7)), "GOAWAY instead of HELLO");
	eq_str(end_story(&e), "goaway unauthorized 0; ", "is told");
	end_done(&e);
}

static void
test_open_order(void)
{
	static const struct {
		uint32_t first, second;
		bool good;
	} cases[] = {
		{1, 3, true}, {1, 7, true}, {1, 0xffffffff, true},
		{1, 1, false}, {5, 3, false}, {1, 2, false}, {2, 3, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct end e;
		bool good;

		start(&e, NULL, NULL);
		good = end_feed_text(&e, FRAME_OPEN, cases[i].first, "{}") &&
		    end_feed_text(&e, FRAME_OPEN, cases[i].second, "{}");
		ok(good == cases[i].good, "the peer opens %u, then %u",
		    cases[i].first, cases[i].second);
		end_done(&e);
	}
}

static void
test_never_opened(void)
{
	static const uint8_t types[] = {FRAME_DATA, FRAME_END, FRAME_WINDOW,
	    FRAME_RESET, FRAME_EVENT};

	for (size_t i = 0; i < sizeof types; i++) {
		for (uint32_t id = 8; id <= 9; id++) {
			struct end e;

			start(&e, NULL, NULL);
			end_feed_text(&e, FRAME_OPEN, 7, "{}");
			ok(!end_feed_frame(&e, types[i], id, 0,
			    bytes_of("\0\0\0\1", types[i] == FRAME_END
			    ? 0 : 4)), "%s for stream %u, never opened",
			    frame_type_name(types[i]), id);
			end_done(&e);
		}
	}
}

static void
test_closed_stream(void)
{
	struct end e;

	start(&e, NULL, NULL);
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	chan_reset(&e.chan, chan_get(&e.chan, 1), FRAME_CANCELLED,
	    BLAME_CLIENT, "");
	eq_str(end_sent(&e), "RESET 1 cancelled; ", "reset by this end");
	eq_str(end_story(&e), "open 1 {}; ", "closed is not called for it");
	ok(end_feed_text(&e, FRAME_DATA, 1, "x") &&
	    end_feed_text(&e, FRAME_EVENT, 1, "{}") &&
	    end_feed_window(&e, 1, 5) &&
	    end_feed_text(&e, FRAME_END, 1, "") && end_feed_reset(&e, 1, 2),
	    "frames that crossed the reset are ignored");
	eq_str(end_story(&e), "", "without a word");
	eq_int(e.chan.recv_credit + e.chan.unreturned,
	    e.chan.own.connection_window, "their credit is not lost");
	eq_int(chan_count(&e.chan), 0, "no stream is left");
	end_done(&e);
}

static void
test_after_end(void)
{
	static const uint8_t types[] = {FRAME_DATA, FRAME_END, FRAME_EVENT};

	for (size_t i = 0; i < sizeof types; i++) {
		struct end e;

		start(&e, NULL, NULL);
		end_feed_text(&e, FRAME_OPEN, 1, "{}");
		end_feed_text(&e, FRAME_END, 1, "");
		ok(end_feed_window(&e, 1, 5), "WINDOW after END is good");
		ok(!end_feed_text(&e, types[i], 1,
		    types[i] == FRAME_END ? "" : "{}"),
		    "%s after END is not", frame_type_name(types[i]));
		end_done(&e);
	}
}

static void
test_half_close(void)
{
	struct chan_stream *s;
	struct end e;

	start(&e, NULL, NULL);
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	s = chan_get(&e.chan, 1);
	end_feed_text(&e, FRAME_DATA, 1, "hi");
	end_feed_text(&e, FRAME_END, 1, "");
	eq_str(end_story(&e), "open 1 {}; data 1/0 hi; end 1; ",
	    "the peer ended its direction");
	eq_int(chan_send(&e.chan, s, 1, bytes_cstr("yes")), 3,
	    "the other goes on");
	chan_end(&e.chan, s);
	eq_str(end_story(&e), "closed 1 clean; ", "closed by the second END");
	eq_str(end_sent(&e), "DATA 1/1 (3); END 1; ", "what went out");
	end_done(&e);

	start(&e, NULL, NULL);
	s = chan_open(&e.chan, bytes_cstr("{}"), NULL);
	eq_int(s->id, 2, "the acceptor's first stream is 2");
	chan_end(&e.chan, s);
	chan_end(&e.chan, s);
	eq_int(chan_send(&e.chan, s, 0, bytes_cstr("no")), 0,
	    "nothing goes out after END");
	eq_str(end_sent(&e), "OPEN 2; END 2; ", "END goes once");
	eq_int(chan_send_event(&e.chan, s, bytes_cstr("{}")), 0,
	    "an EVENT after END is dropped");
	end_feed_text(&e, FRAME_END, 2, "");
	eq_str(end_story(&e), "end 2; closed 2 clean; ", "the peer's END");
	end_done(&e);
}

static void
test_crossing(void)
{
	struct chan_stream *s;
	struct end e;

	start(&e, NULL, NULL);
	s = chan_open(&e.chan, bytes_cstr("{}"), NULL);
	chan_end(&e.chan, s);
	end_feed_reset(&e, 2, FRAME_ABORTED);
	eq_str(end_story(&e), "closed 2 aborted; ", "RESET crosses our END");
	ok(end_feed_text(&e, FRAME_END, 2, ""), "END after RESET is ignored");
	s = chan_open(&e.chan, bytes_cstr("{}"), NULL);
	chan_reset(&e.chan, s, FRAME_TIMEOUT, BLAME_CONNECT, "slow");
	ok(end_feed_reset(&e, 4, FRAME_ABORTED), "RESET crosses our RESET");
	eq_str(end_story(&e), "", "and is not told");
	end_done(&e);
}

static void
test_stream_credit(void)
{
	struct end e;

	start(&e, &small, NULL);
	e.appetite = 0;
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	ok(end_feed_bulk(&e, 1, 2047, 1000), "a byte below the window");
	ok(end_feed_bulk(&e, 1, 1, 1), "the window");
	eq_str(end_sent(&e), "", "no credit returns for what nobody took");
	ok(!end_feed_bulk(&e, 1, 1, 1), "a byte above it");
	eq_str(e.error.text, "DATA: stream 1: beyond its credit", "why");
	end_done(&e);
}

static void
test_connection_credit(void)
{
	struct end e;
	uint32_t all;
	bool good = true;

	start(&e, &small, NULL);
	e.appetite = 0;
	all = e.chan.recv_credit;
	/* Streams that are reset with bytes in them give all of it back. */
	for (uint32_t id = 1; id < 2001 && good; id += 2) {
		good = end_feed_text(&e, FRAME_OPEN, id, "{}") &&
		    end_feed_bulk(&e, id, 2048, 1024);
		chan_reset(&e.chan, chan_get(&e.chan, id), FRAME_CANCELLED,
		    BLAME_PROXY, "");
		end_story(&e);
		end_sent(&e);
	}
	ok(good, "1000 streams full of bytes, each reset");
	eq_int(e.chan.recv_credit + e.chan.unreturned, all, "cost no credit");
	ok(all >= 2 * 3 * 2048, "it suffices for every stream's window");

	e.chan.recv_credit = 10;
	end_feed_text(&e, FRAME_OPEN, 2001, "{}");
	ok(!end_feed_bulk(&e, 2001, 11, 11), "beyond the connection's credit");
	end_done(&e);
}

static void
test_window(void)
{
	struct chan_limits peer = {.frame = 1024, .window = 1000,
	    .connection_window = 1500, .streams = 9};
	static uint8_t big[4096];
	struct chan_stream *a, *b;
	struct end e;

	start(&e, NULL, &peer);
	a = chan_open(&e.chan, bytes_cstr("{}"), NULL);
	b = chan_open(&e.chan, bytes_cstr("{}"), NULL);
	eq_int(chan_send(&e.chan, a, 0, bytes_of(big, sizeof big)), 1000,
	    "a stream sends its window");
	eq_int(chan_send(&e.chan, b, 0, bytes_of(big, sizeof big)), 500,
	    "another what the connection leaves");
	eq_str(end_sent(&e), "OPEN 2; OPEN 4; DATA 2/0 (1000); "
	    "DATA 4/0 (500); ", "and no more");
	end_feed_window(&e, 2, 100);
	eq_str(end_story(&e), "", "credit of a stream alone is not enough");
	end_feed_window(&e, 0, 50);
	eq_str(end_story(&e), "writable 4; writable 2; ",
	    "both hear of the connection's, the longest waiting first");
	end_feed_window(&e, 2, 100);
	eq_str(end_story(&e), "", "and only once");
	end_done(&e);
}

static void
test_window_overflow(void)
{
	struct chan_limits peer = {.frame = 1024, .window = 3,
	    .connection_window = 2, .streams = 9};
	struct end e;

	for (uint32_t id = 0; id <= 2; id += 2) {
		uint32_t rest = id == 0 ? 0xfffffffd : 0xfffffffc;

		start(&e, NULL, &peer);
		chan_open(&e.chan, bytes_cstr("{}"), NULL);
		ok(end_feed_window(&e, id, 0x7fffffff) &&
		    end_feed_window(&e, id, rest - 0x7fffffff),
		    "stream %u: credit of 2^32 - 1", id);
		ok(!end_feed_window(&e, id, 1), "one more is an error");
		end_done(&e);
	}
}

static void
test_stream_limit(void)
{
	struct end e;

	start(&e, &small, NULL);
	for (uint32_t id = 1; id <= 7; id += 2)
		end_feed_text(&e, FRAME_OPEN, id, "{}");
	eq_str(end_story(&e), "open 1 {}; open 3 {}; open 5 {}; ",
	    "three streams may open");
	eq_str(end_sent(&e), "RESET 7 limit; ", "the fourth is refused");
	end_feed_reset(&e, 3, FRAME_CANCELLED);
	end_feed_text(&e, FRAME_OPEN, 9, "{}");
	eq_str(end_story(&e), "closed 3 cancelled; open 9 {}; ",
	    "one that closes makes room");
	ok(end_feed_text(&e, FRAME_DATA, 7, "x"),
	    "bytes for the refused one are ignored");
	end_done(&e);
}

static void
test_open_errors(void)
{
	static const struct chan_limits peer = {.frame = 1024,
	    .window = 1024, .connection_window = 4096, .streams = 2};
	static char json[FRAME_HELLO_MAX + 1];
	struct end e;

	memset(json, ' ', sizeof json);
	start(&e, &small, &peer);
	ok(chan_open(&e.chan, bytes_of(json, 1), NULL) == NULL &&
	    errno == EMSGSIZE, "OPEN of 1 byte: EMSGSIZE");
	ok(chan_open(&e.chan, bytes_of(json, sizeof json), NULL) == NULL &&
	    errno == EMSGSIZE, "OPEN of 16385 bytes: EMSGSIZE");
	ok(chan_open(&e.chan, bytes_of(json, sizeof json - 1), NULL) != NULL,
	    "OPEN of 16384 bytes");
	ok(chan_open(&e.chan, bytes_cstr("{}"), json) != NULL &&
	    chan_get(&e.chan, 4)->user == json, "OPEN with a user");
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL &&
	    errno == EMFILE, "above the peer's limit: EMFILE");
	end_done(&e);

	start(&e, &small, NULL);
	for (int i = 0; i < 3; i++)
		chan_open(&e.chan, bytes_cstr("{}"), NULL);
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL &&
	    errno == EMFILE, "above our own limit: EMFILE");
	end_done(&e);

	start(&e, NULL, NULL);
	end_feed_frame(&e, FRAME_GOAWAY, 0, 0, bytes_of("\0\11\2\0", 4));
	eq_str(end_story(&e), "goaway draining 0; ", "the peer drains");
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL &&
	    errno == ESHUTDOWN, "no stream opens to it: ESHUTDOWN");
	end_done(&e);

	start(&e, NULL, NULL);
	e.chan.next_id = UINT32_MAX - 1;
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL &&
	    errno == ESHUTDOWN, "numbers are used up: ESHUTDOWN");
	end_done(&e);
}

static void
test_draining(void)
{
	struct frame_reason why = {.code = FRAME_DRAINING};
	struct end e;

	start(&e, NULL, NULL);
	end_feed_text(&e, FRAME_OPEN, 5, "{}");
	chan_send_goaway(&e.chan, &why);
	eq_str(end_sent(&e), "GOAWAY 5 draining; ",
	    "GOAWAY names the last stream served");
	end_feed_text(&e, FRAME_OPEN, 7, "{}");
	end_feed_text(&e, FRAME_DATA, 5, "on");
	eq_str(end_sent(&e), "RESET 7 draining; ", "later ones are refused");
	eq_str(end_story(&e), "open 5 {}; data 5/0 on; ", "that one goes on");
	end_done(&e);
}

static void
test_ping(void)
{
	struct end e;
	uint8_t pong[8];

	start(&e, NULL, NULL);
	end_feed_text(&e, FRAME_PING, 0, "8 bytes!");
	eq_bytes(chan_output(&e.chan), bytes_of("\4\0\0\0\0\0\0\0\0\0\0\10"
	    "8 bytes!", 20), "a PONG has the bytes of its PING");
	end_sent(&e);
	for (int i = 0; i < 20; i++)
		chan_send_ping(&e.chan, 1000);
	eq_int(strlen(end_sent(&e)), 16 * strlen("PING 0; "),
	    "at most 16 are unanswered");
	be64_put(pong, 999);
	e.now_us = 41000;
	end_feed_frame(&e, FRAME_PONG, 0, 0, bytes_of(pong, 8));
	eq_int(e.chan.rtt_us, 0, "a PONG that nobody asked for says nothing");
	be64_put(pong, 1000);
	end_feed_frame(&e, FRAME_PONG, 0, 0, bytes_of(pong, 8));
	eq_int(e.chan.rtt_us, 40000, "the round trip is measured");
	chan_send_ping(&e.chan, 50000);
	eq_str(end_sent(&e), "PING 0; ", "and PINGs go on");
	end_done(&e);
}

static void
test_optional(void)
{
	struct end e;

	start(&e, NULL, NULL);
	ok(end_feed_text(&e, 0x80, 0, "") &&
	    end_feed_text(&e, 0xc3, 12345, "whatever"),
	    "unknown optional frames are skipped");
	eq_str(end_story(&e), "", "without a word");
	ok(!end_feed_text(&e, 0x15, 0, ""), "unknown mandatory ones are not");
	end_done(&e);
}

static void
test_event(void)
{
	static const struct chan_limits peer = {.frame = 1024,
	    .window = 1024, .connection_window = 4096, .streams = 2};
	static uint8_t json[1025];
	struct chan_stream *s;
	struct end e;

	start(&e, NULL, &peer);
	s = chan_open(&e.chan, bytes_cstr("{}"), NULL);
	end_feed_text(&e, FRAME_EVENT, 0, "{\"c\":1}");
	end_feed_text(&e, FRAME_EVENT, 2, "{\"s\":1}");
	eq_str(end_story(&e), "event 0 {\"c\":1}; event 2 {\"s\":1}; ",
	    "events of the connection and of a stream");
	ok(chan_send_event(&e.chan, s, bytes_of(json, 1)) == -1 &&
	    errno == EMSGSIZE, "an event of 1 byte: EMSGSIZE");
	ok(chan_send_event(&e.chan, s, bytes_of(json, 1025)) == -1 &&
	    errno == EMSGSIZE, "above the peer's frame: EMSGSIZE");
	eq_int(chan_send_event(&e.chan, NULL, bytes_of(json, 1024)), 0,
	    "an event as large as a frame");
	eq_str(end_sent(&e), "OPEN 2; EVENT 0; ", "goes out");
	end_done(&e);
}

/* An end without the handlers that may be left out goes on. */
static void
test_left_out(void)
{
	struct chan_events events = end_events;
	struct end e;

	events.auth = NULL;
	events.goaway = NULL;
	events.event = NULL;
	end_init(&e, false, NULL);
	e.chan.events = &events;
	end_accept(&e, NULL);
	ok(end_feed_text(&e, FRAME_AUTH, 0, "secret"), "AUTH");
	ok(end_feed_text(&e, FRAME_EVENT, 0, "{}"), "EVENT");
	ok(end_feed_frame(&e, FRAME_GOAWAY, 0, 0,
	    bytes_of("\0\1\0\0", FRAME_REASON_LEN)), "GOAWAY");
	eq_str(end_story(&e), "", "are told to nobody");
	ok(e.chan.peer_draining, "but the peer drains");
	end_done(&e);
}

/* A peer that asks and never reads. */
static void
test_overflow(void)
{
	struct end e;
	long n = 0;

	start(&e, NULL, NULL);
	while (n < 1000000 && end_feed_text(&e, FRAME_PING, 0, "8 bytes!"))
		n++;
	ok(n < 1000000, "a peer that reads no PONG is ended after %ld", n);
	ok(e.chan.out.len <= CHAN_OUT_MAX + 64, "with bounded output");
	ok(strstr(e.error.text, "does not read") != NULL, "and told why");
	end_done(&e);
}

static void
test_fail(void)
{
	struct frame_reason why = {.code = FRAME_ABORTED};
	struct end e;

	start(&e, NULL, NULL);
	chan_open(&e.chan, bytes_cstr("{}"), NULL);
	chan_fail(&e.chan, &why);
	eq_str(end_story(&e), "closed 2 aborted; ", "every stream is closed");
	ok(chan_open(&e.chan, bytes_cstr("{}"), NULL) == NULL,
	    "none opens after that");
	ok(end_feed_text(&e, FRAME_OPEN, 1, "{}") &&
	    end_feed_text(&e, FRAME_AUTH, 0, "x") &&
	    end_feed_text(&e, FRAME_EVENT, 0, "{}"),
	    "what still comes is swallowed");
	eq_str(end_story(&e), "", "without a word");
	end_done(&e);
}

static void
fail_in_hello(struct end *e, const char *word, struct chan_stream *s)
{
	struct frame_reason why = {.code = FRAME_PROTOCOL};

	(void)s;
	if (strcmp(word, "hello") == 0)
		chan_fail(&e->chan, &why);
}

/* An owner that gives up inside a handler hears nothing more, although the
 * same read brought more frames. */
static void
test_fail_inside(void)
{
	struct buf b;
	struct end e;

	buf_init(&b, 4096);
	buf_add(&b, bytes_of("adit\r\n\1\1", 8));
	buf_add(&b, bytes_of("\1\0\0\0\0\0\0\0\0\0\0\2{}", 14));
	buf_add(&b, bytes_of("\2\0\0\0\0\0\0\0\0\0\0\2no", 14));
	end_init(&e, false, NULL);
	e.hook = fail_in_hello;
	ok(end_feed(&e, buf_bytes(&b)), "frames after chan_fail");
	eq_str(end_story(&e), "hello {}; ", "are not told");
	eq_int(buf_len(&e.in), 0, "and are used up");
	buf_reset(&b);
	end_done(&e);
}

static void
test_one_channel(void)
{
	struct chan_events events;
	struct chan_stream *s;
	struct end e;

	start(&e, NULL, NULL);
	events = *e.chan.events;
	events.one_channel = true;
	e.chan.events = &events;
	e.appetite = 0;
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	end_feed_text(&e, FRAME_DATA, 1, "ab");
	s = chan_get(&e.chan, 1);
	for (int i = 0; i < 1000; i++) {
		end_feed_frame(&e, FRAME_DATA, 1, 1, bytes_cstr("x"));
		end_feed_text(&e, FRAME_DATA, 1, "y");
	}
	ok(buf_len(&s->rx.buf) < 1100, "%zu bytes wait, and nothing else",
	    buf_len(&s->rx.buf));
	eq_int(s->unreturned, 1000, "what was dropped is used up");
	end_done(&e);
}

static void
test_resume(void)
{
	struct chan_stream *s;
	struct end e;

	start(&e, NULL, NULL);
	e.appetite = 2;
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	s = chan_get(&e.chan, 1);
	end_feed_text(&e, FRAME_DATA, 1, "abcd");
	end_feed_frame(&e, FRAME_DATA, 1, 1, bytes_cstr("err"));
	end_feed_text(&e, FRAME_DATA, 1, "ef");
	end_feed_text(&e, FRAME_END, 1, "");
	eq_str(end_story(&e), "open 1 {}; data 1/0 abcd; ",
	    "later bytes wait behind those that were left");
	chan_resume(&e.chan, s);
	eq_str(end_story(&e), "data 1/0 cd; data 1/1 err; ",
	    "a channel's bytes stay apart, and in order");
	chan_resume(&e.chan, s);
	eq_str(end_story(&e), "data 1/1 r; data 1/0 ef; end 1; ",
	    "END comes after the last byte");
	chan_resume(&e.chan, s);
	eq_str(end_story(&e), "", "once");
	end_done(&e);
}

/* ---- handlers that act on their own stream ---- */

static void
reset_in_data(struct end *e, const char *word, struct chan_stream *s)
{
	volatile uint8_t sum = 0;

	if (strcmp(word, "data") != 0)
		return;
	chan_reset(&e->chan, s, FRAME_CANCELLED, BLAME_CLIENT, "");
	for (size_t i = 0; i < e->last.len; i++)
		sum = (uint8_t)(sum + e->last.ptr[i]); /* still readable */
	chan_resume(&e->chan, s);
	chan_end(&e->chan, s);
	chan_send(&e->chan, s, 0, bytes_cstr("x"));
}

static void
end_in_end(struct end *e, const char *word, struct chan_stream *s)
{
	if (strcmp(word, "end") == 0)
		chan_end(&e->chan, s);
}

static void
reset_in_end(struct end *e, const char *word, struct chan_stream *s)
{
	if (strcmp(word, "end") == 0)
		chan_reset(&e->chan, s, FRAME_CANCELLED, BLAME_CLIENT, "");
}

static void
reset_in_open(struct end *e, const char *word, struct chan_stream *s)
{
	if (strcmp(word, "open") == 0)
		chan_reset(&e->chan, s, FRAME_NO_ROUTE, BLAME_PROXY, "");
}

static void
open_in_closed(struct end *e, const char *word, struct chan_stream *s)
{
	(void)s;
	if (strcmp(word, "closed") == 0)
		chan_open(&e->chan, bytes_cstr("{}"), NULL);
}

static void
resume_in_data(struct end *e, const char *word, struct chan_stream *s)
{
	if (strcmp(word, "data") == 0)
		chan_resume(&e->chan, s);
}

static void
test_handlers(void)
{
	struct chan_stream *s;
	struct end e;

	start(&e, NULL, NULL);
	e.hook = reset_in_data;
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	ok(end_feed_text(&e, FRAME_DATA, 1, "abc") &&
	    end_feed_text(&e, FRAME_DATA, 1, "abc"), "data resets");
	eq_str(end_sent(&e), "RESET 1 cancelled; ", "RESET and nothing more");
	eq_int(e.chan.recv_credit + e.chan.unreturned,
	    e.chan.own.connection_window, "no credit is lost");
	e.hook = NULL;
	e.appetite = 0;
	end_feed_text(&e, FRAME_OPEN, 3, "{}");
	end_feed_text(&e, FRAME_DATA, 3, "abc");
	e.hook = reset_in_data;
	chan_resume(&e.chan, chan_get(&e.chan, 3));
	eq_str(end_sent(&e), "RESET 3 cancelled; ", "also when resumed");
	eq_int(e.chan.recv_credit + e.chan.unreturned,
	    e.chan.own.connection_window, "no credit is lost there either");
	end_done(&e);

	start(&e, NULL, NULL);
	e.hook = end_in_end;
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	end_feed_text(&e, FRAME_END, 1, "");
	eq_str(end_story(&e), "open 1 {}; end 1; closed 1 clean; ",
	    "end ends the other direction: closed, once");
	e.hook = reset_in_end;
	end_feed_text(&e, FRAME_OPEN, 3, "{}");
	end_feed_text(&e, FRAME_END, 3, "");
	eq_str(end_story(&e), "open 3 {}; end 3; ", "end resets");
	e.hook = reset_in_open;
	end_feed_text(&e, FRAME_OPEN, 5, "{}");
	eq_str(end_sent(&e), "END 1; RESET 3 cancelled; RESET 5 no-route; ",
	    "open refuses");
	e.hook = open_in_closed;
	chan_open(&e.chan, bytes_cstr("{}"), NULL);
	end_feed_reset(&e, 2, FRAME_ABORTED);
	ok(chan_get(&e.chan, 2) == NULL && chan_get(&e.chan, 4) != NULL,
	    "closed opens another");
	end_done(&e);

	start(&e, NULL, NULL);
	e.appetite = 2;
	e.hook = resume_in_data;
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	s = chan_get(&e.chan, 1);
	end_feed_text(&e, FRAME_DATA, 1, "abcdef");
	while (!runs_is_empty(&s->rx))
		chan_resume(&e.chan, s);
	eq_str(end_story(&e), "open 1 {}; data 1/0 abcdef; data 1/0 cdef; "
	    "data 1/0 ef; ", "data resumes: no byte twice, none lost");
	eq_int(e.taken, 6, "every byte was taken once");
	end_done(&e);
}

static void
reset_in_writable(struct end *e, const char *word, struct chan_stream *s)
{
	if (strcmp(word, "writable") == 0)
		chan_reset(&e->chan, s, FRAME_CANCELLED, BLAME_CLIENT, "");
}

static void
test_writable_handlers(void)
{
	static const struct chan_limits peer = {.frame = 1024,
	    .window = 4096, .connection_window = 4096, .streams = 9};
	static uint8_t big[8192];
	struct chan_stream *s[3];
	struct end e;

	start(&e, NULL, &peer);
	for (int i = 0; i < 3; i++) {
		s[i] = chan_open(&e.chan, bytes_cstr("{}"), NULL);
		chan_send(&e.chan, s[i], 0, bytes_of(big, sizeof big));
	}
	end_story(&e);
	e.hook = reset_in_writable;
	end_feed_window(&e, 0, 4096);
	eq_str(end_story(&e), "writable 4; writable 6; ",
	    "both that waited for the connection");
	eq_int(chan_count(&e.chan), 1, "and both were reset in it");
	e.hook = NULL;
	chan_end(&e.chan, s[0]);
	end_feed_window(&e, 2, 4096);
	eq_str(end_story(&e), "", "a stream that ended is never writable");
	end_done(&e);
}

/* ---- memory ---- */

/* Small frames must not cost more than their bytes and a little. */
static void
test_small_frames(void)
{
	struct end e;

	start(&e, NULL, NULL);
	e.appetite = 0;
	end_feed_text(&e, FRAME_OPEN, 1, "{}");
	end_feed_bulk(&e, 1, CHAN_WINDOW_DEFAULT, 1);
	ok(chan_get(&e.chan, 1)->rx.buf.size <= 2 * CHAN_WINDOW_DEFAULT,
	    "a window in frames of one byte: %zu bytes of memory",
	    chan_get(&e.chan, 1)->rx.buf.size);
	e.appetite = SIZE_MAX;
	chan_resume(&e.chan, chan_get(&e.chan, 1));
	eq_int(e.taken, CHAN_WINDOW_DEFAULT, "all of it comes out");
	end_done(&e);
}

/* Whatever limits are asked for, the connection has credit for every
 * stream's window. */
static void
test_promise(void)
{
	static const struct chan_limits cases[] = {
		{0}, {.streams = 65536}, {.streams = 65536, .window = 1 << 24},
		{.window = 1 << 24}, {.connection_window = 1},
		{.connection_window = UINT32_MAX}, {.streams = 1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct chan_limits own;
		struct end e;

		end_init(&e, false, &cases[i]);
		own = e.chan.own;
		ok((uint64_t)own.streams * 2 * own.window + e.chan.pool <=
		    own.connection_window && own.streams > 0,
		    "%u streams of %u bytes fit %u", own.streams, own.window,
		    own.connection_window);
		end_done(&e);
	}
}

int
main(void)
{
	test_greeting();
	test_early_frames();
	test_after_hello();
	test_goaway_before_hello();
	test_open_order();
	test_never_opened();
	test_closed_stream();
	test_after_end();
	test_half_close();
	test_crossing();
	test_stream_credit();
	test_connection_credit();
	test_window();
	test_window_overflow();
	test_stream_limit();
	test_open_errors();
	test_draining();
	test_ping();
	test_optional();
	test_event();
	test_left_out();
	test_overflow();
	test_fail();
	test_fail_inside();
	test_one_channel();
	test_resume();
	test_handlers();
	test_writable_handlers();
	test_small_frames();
	test_promise();
	return test_done();
}
