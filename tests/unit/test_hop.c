/* SPDX-License-Identifier: ISC */
/* hop over socket pairs in a real event loop: greeting, traffic, the ways in
 * which a hop ends. */
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/hop.h"
#include "tests/unit/test.h"

enum { TEXT_CAP = 256, BULK = 32 << 20 };

/* One end, with what happened to it. */
struct side {
	struct hop hop;
	struct hop_peer peer;
	int hellos, opens, ends, closes, downs;
	uint64_t got, to_send, sent;
	uint32_t sum;
	char story[TEXT_CAP]; /* how it went down */
	bool echo, judges, over;
};

static struct hop_loop loop;
static struct side a, b;

static void
send_more(struct side *p, struct chan_stream *s)
{
	while (p->sent < p->to_send) {
		size_t cap;
		uint8_t *at = chan_reserve(&p->hop.chan, s, &cap);

		if (at == NULL)
			return;
		if (cap > p->to_send - p->sent)
			cap = (size_t)(p->to_send - p->sent);
		for (size_t i = 0; i < cap; i++)
			at[i] = (uint8_t)(p->sent + i);
		chan_commit(&p->hop.chan, s, 0, cap);
		p->sent += cap;
	}
	chan_end(&p->hop.chan, s);
}

static void
on_hello(void *user, struct bytes json)
{
	struct side *p = user;
	struct chan_limits limits;
	struct error e;

	p->hellos++;
	hop_parse_hello(json, &p->peer, &limits, &e);
	if (!p->judges)
		hop_accept_any(&p->hop, json);
}

static void
on_auth(void *user, struct bytes token)
{
	struct side *p = user;

	hop_close(&p->hop, bytes_eq(token, bytes_cstr("bad"))
	    ? FRAME_UNAUTHORIZED : FRAME_DRAINING, BLAME_EDGE, "as asked");
}

static void
on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	struct side *p = user;

	snprintf(p->story, sizeof p->story, "goaway %s %u; ",
	    frame_code_name(why->code), last);
	hop_close(&p->hop, (enum frame_code)why->code,
	    (enum frame_blame)why->blame, "goodbye");
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct side *p = user;

	(void)json;
	p->opens++;
	if (p->echo)
		send_more(p, s);
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	struct side *p = user;

	(void)s;
	(void)channel;
	for (size_t i = 0; i < in.len; i++)
		p->sum += in.ptr[i] != (uint8_t)(p->got + i);
	p->got += in.len;
	return in.len;
}

static void
on_end(void *user, struct chan_stream *s)
{
	struct side *p = user;

	p->ends++;
	if (!p->echo && p->sent == p->to_send)
		chan_end(&p->hop.chan, s);
}

static void
on_event(void *user, struct chan_stream *s, struct bytes json)
{
	(void)user;
	(void)s;
	(void)json;
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

	(void)s;
	(void)why;
	p->closes++;
}

static void
on_down(void *user, const struct frame_reason *why)
{
	struct side *p = user;
	size_t used = strlen(p->story);

	p->downs++;
	snprintf(p->story + used, sizeof p->story - used, "%s/%s %.*s",
	    frame_code_name(why->code), frame_blame_name(why->blame),
	    (int)why->text.len, (const char *)why->text.ptr);
	hop_done(&p->hop);
	p->over = true;
	ev_break(loop.ev, EVBREAK_ONE);
}

static const struct chan_events events = {
	.hello = on_hello, .auth = on_auth, .goaway = on_goaway,
	.open = on_open, .data = on_data, .end = on_end, .event = on_event,
	.writable = on_writable, .closed = on_closed,
};

static void
begin(struct side *p, int fd, bool initiator, int64_t ping_ms, bool patient)
{
	struct hop_settings s = {.initiator = initiator, .events = &events,
	    .down = on_down, .user = p, .ping_ms = ping_ms,
	    .patient = patient};

	memset(p, 0, sizeof *p);
	if (hop_start_fds(&p->hop, &loop, fd, fd, &s) != 0)
		ok(false, "hop_start");
}

static void
on_deadline(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)revents;
	*(bool *)w->data = true;
	ev_break(ev, EVBREAK_ONE);
}

/* Runs the loop until *done, at most for so many milliseconds.  Returns
 * whether it is done. */
static bool
run(const bool *done, int ms)
{
	bool late = false;
	ev_timer t;

	ev_now_update(loop.ev);
	ev_timer_init(&t, on_deadline, ms / 1000.0, 0);
	t.data = &late;
	ev_timer_start(loop.ev, &t);
	while (!late && !*done)
		ev_run(loop.ev, EVRUN_ONCE);
	ev_timer_stop(loop.ev, &t);
	return *done;
}

static void
pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		ok(false, "socketpair");
}

static void
start_both(void)
{
	struct hop_peer me = {.name = "left", .version = "1",
	    .instance = "i1", .generation = 7};
	bool never = false;
	int fds[2];

	pair(fds);
	begin(&a, fds[0], true, 0, false);
	begin(&b, fds[1], false, 0, false);
	hop_send_hello(&a.hop, &me);
	me = (struct hop_peer){.name = "right", .domain = "d.example"};
	hop_send_hello(&b.hop, &me);
	for (int i = 0; i < 20 && (a.hellos == 0 || b.hellos == 0); i++)
		run(&never, 10);
}

static void
stop_both(void)
{
	if (!a.over)
		hop_close(&a.hop, FRAME_DRAINING, BLAME_EDGE, "end");
	ok(run(&a.over, 3000) && run(&b.over, 3000), "both go down");
}

static void
test_greeting(void)
{
	start_both();
	eq_str(b.peer.name, "left", "the acceptor knows the initiator");
	eq_str(b.peer.instance, "i1", "its instance");
	eq_int(b.peer.generation, 7, "its generation");
	eq_str(a.peer.domain, "d.example", "the initiator its domain");
	eq_int(a.hop.chan.phase, CHAN_ACCEPTED, "and is accepted");
	hop_close(&b.hop, FRAME_REVOKED, BLAME_EDGE, "token 1");
	hop_close(&b.hop, FRAME_INTERNAL, BLAME_PROXY, "a later reason");
	ok(run(&b.over, 3000) && run(&a.over, 3000), "a close ends both");
	eq_str(b.story, "revoked/edge token 1", "the first reason counts");
	eq_str(a.story, "goaway revoked 0; revoked/edge goodbye",
	    "the peer is told it");
	ok(a.downs == 1 && b.downs == 1, "down is called once");
}

static void
test_traffic(void)
{
	bool done = false;
	struct chan_stream *s;
	int64_t until = clock_ms() + 60000;

	start_both();
	b.echo = true;
	b.to_send = BULK / 2;
	a.to_send = BULK;
	s = chan_open(&a.hop.chan, bytes_cstr("{\"kind\":\"tls\"}"), NULL);
	send_more(&a, s);
	while ((a.closes == 0 || b.closes == 0) && clock_ms() < until)
		run(&done, 20);
	eq_int(b.got, BULK, "32 MiB one way");
	eq_int(a.got, BULK / 2, "and 16 the other");
	eq_int(a.sum + b.sum, 0, "every byte right");
	ok(a.ends == 1 && b.ends == 1, "END came in both directions");
	ok(chan_count(&a.hop.chan) + chan_count(&b.hop.chan) == 0,
	    "the stream is closed");
	stop_both();
}

static void
test_early_auth(void)
{
	struct hop_peer me = {.name = "left"};
	int fds[2];

	pair(fds);
	begin(&a, fds[0], true, 0, false);
	begin(&b, fds[1], false, 0, false);
	b.judges = true;
	hop_send_hello(&a.hop, &me);
	chan_send_auth(&a.hop.chan, bytes_cstr("bad"));
	ok(run(&b.over, 3000) && run(&a.over, 3000), "a bad token ends both");
	eq_str(b.story, "unauthorized/edge as asked", "the edge's reason");
	eq_str(a.story, "goaway unauthorized 0; unauthorized/edge goodbye",
	    "reaches the connector");
}

static void
test_garbage(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *story;
	} cases[] = {
		{"GET / HTTP/1.1\r\n\r\n", 18, "protocol/link not adit frames"},
		{"adit\r\n\1\2", 8, "protocol/link frame version 2: not 1"},
		{"adit\r\n\1\1\21", 9, NULL},
		{"adit\r\n\1\1\1\0\0\0\0\0\0\0\0\0\0\2[]", 22,
		    "protocol/link HELLO: no object"},
		{"adit\r\n\1\1\x15\0", 10,
		    "protocol/link type 0x15: unknown"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int fds[2];

		pair(fds);
		begin(&b, fds[1], false, 0, false);
		if (write(fds[0], cases[i].bytes, cases[i].len) < 0)
			ok(false, "write");
		if (cases[i].story == NULL)
			shutdown(fds[0], SHUT_WR);
		ok(run(&b.over, 3000), "bytes %zu end the hop", i);
		eq_str(b.story, cases[i].story != NULL ? cases[i].story
		    : "aborted/link connection closed", "with the reason");
		close(fds[0]);
	}
}

/* Reads what the hop said; returns whether its last frame is a GOAWAY. */
static bool
says_goaway(int fd)
{
	static uint8_t in[65536];
	ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
	struct bytes rest;
	struct frame f = {0};
	struct error e;

	if (n < FRAME_PREAMBLE_LEN)
		return false;
	rest = bytes_after(bytes_of(in, (size_t)n), FRAME_PREAMBLE_LEN);
	while ((n = frame_decode(rest, FRAME_LIMIT_DEFAULT, &f, &e)) > 0)
		rest = bytes_after(rest, (size_t)n);
	return f.type == FRAME_GOAWAY;
}

static void
test_goaway_is_written(void)
{
	int fds[2];

	pair(fds);
	begin(&b, fds[1], false, 0, false);
	if (write(fds[0], "adit\r\n\1\1\x15\0", 10) != 10)
		ok(false, "write");
	run(&b.over, 3000);
	ok(says_goaway(fds[0]), "a protocol error is told with GOAWAY");
	close(fds[0]);
}

static void
test_silence(void)
{
	int64_t began = clock_ms(), spent;
	int fds[2];

	pair(fds);
	begin(&b, fds[1], false, 30, false);
	ok(run(&b.over, 5000), "a silent peer is dead");
	spent = clock_ms() - began;
	ok(strncmp(b.story, "timeout/link peer silent for ", 29) == 0, "%s",
	    b.story);
	ok(spent >= 90, "after three intervals: %d ms", (int)spent);
	close(fds[0]);

	pair(fds);
	begin(&b, fds[1], false, 20, true);
	ok(!run(&b.over, 300), "a patient hop waits for it");
	close(fds[0]);
	ok(run(&b.over, 3000), "but not when it is gone");
}

/* A peer that does not read must not keep a hop from ending. */
static void
test_linger(void)
{
	struct hop_peer me = {.name = "left"};
	bool never = false;
	int fds[2], small = 4096;
	int64_t began;

	pair(fds);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	begin(&b, fds[1], false, 0, false);
	hop_send_hello(&b.hop, &me);
	if (write(fds[0], "adit\r\n\1\1\1\0\0\0\0\0\0\0\0\0\0\2{}", 22) != 22)
		ok(false, "write");
	for (int i = 0; i < 50 && b.hellos == 0; i++)
		run(&never, 10);
	b.to_send = 1 << 20;
	send_more(&b, chan_open(&b.hop.chan, bytes_cstr("{}"), NULL));
	run(&never, 50);
	began = clock_ms();
	hop_close(&b.hop, FRAME_DRAINING, BLAME_EDGE, "");
	eq_int(b.closes, 1, "streams close at once");
	ok(run(&b.over, 5000), "the hop ends");
	ok(clock_ms() - began < 3000, "within %d ms",
	    (int)(clock_ms() - began));
	close(fds[0]);
}

/* Whole lives of hops leave no descriptor behind. */
static void
test_leaks(void)
{
	int before = test_open_fds(), good = 0;

	for (int i = 0; i < 200; i++) {
		int fds[2];

		pair(fds);
		begin(&a, fds[0], true, 0, false);
		begin(&b, fds[1], false, 0, false);
		if (i % 2 == 0)
			hop_close(&a.hop, FRAME_DRAINING, BLAME_EDGE, "");
		else
			shutdown(fds[0], SHUT_RDWR);
		good += run(&a.over, 3000) && run(&b.over, 3000);
	}
	eq_int(good, 200, "200 hops begin and end");
	eq_int(test_open_fds(), before, "no descriptor is left");
}

static void
test_parse_hello(void)
{
	static const struct {
		const char *json, *want;
	} cases[] = {
		{"{\"limits\":{\"frame\":1023}}",
		    "HELLO: limits: frame: not a whole number from 1024 to "
		    "1048576"},
		{"{\"limits\":{\"window\":16777217}}",
		    "HELLO: limits: window: not a whole number from 1024 to "
		    "16777216"},
		{"{\"limits\":{\"window\":2048,\"connection_window\":2047}}",
		    "HELLO: limits: connection_window: not a whole number "
		    "from 2048 to 4294967295"},
		{"{\"limits\":{\"streams\":65537}}",
		    "HELLO: limits: streams: not a whole number from 0 to "
		    "65536"},
		{"{\"limits\":7}", "HELLO: limits: not an object"},
		{"{\"name\":7}", "HELLO: name: no string"},
		{"{\"generation\":-1}", "HELLO: generation: not a whole "
		    "number from 0 to 9007199254740992"},
		{"{\"domain\":\"a.example\\n\"}",
		    "HELLO: domain: no host name"},
		{"{\"domain\":\"a.example instance=x\"}",
		    "HELLO: domain: no host name"},
		{"[]", "HELLO: no object"},
	};
	struct chan_limits l;
	struct hop_peer p;
	struct error e;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		eq_int(hop_parse_hello(bytes_cstr(cases[i].json), &p, &l, &e),
		    -1, "%s", cases[i].json);
		eq_str(e.text, cases[i].want, "says what is wrong");
	}
	eq_int(hop_parse_hello(bytes_cstr("{\"x\":1}"), &p, &l, &e), 0,
	    "an unknown member");
	ok(l.frame == 65536 && l.window == 65536 &&
	    l.connection_window == 67108864 && l.streams == 1024,
	    "the defaults of the manual");
}

/* ---- output after the flush ---- */

static ev_prepare feeder, fed;

static void
on_feeder(struct ev_loop *ev, ev_prepare *w, int revents)
{
	ev_prepare_stop(ev, w);
	ev_feed_event(ev, &fed, revents);
}

static void
on_fed(struct ev_loop *ev, ev_prepare *w, int revents)
{
	(void)ev;
	(void)w;
	(void)revents;
	chan_send_ping(&a.hop.chan, clock_us());
}

static void
test_late_output(void)
{
	bool never = false;

	start_both();
	run(&never, 50);
	eq_int(a.hop.chan.pings, 0, "no PING waits for its PONG");
	ev_prepare_init(&feeder, on_feeder);
	ev_prepare_init(&fed, on_fed);
	ev_set_priority(&fed, EV_MINPRI);
	ev_prepare_start(loop.ev, &feeder);
	run(&never, 500);
	eq_int(a.hop.chan.pings, 0, "what is queued after the flush goes out "
	    "without waiting for another event");
	stop_both();
}

/* ---- a peer that never pauses ---- */

enum { FLOOD_READS = 300, FLOOD_TURN = 16, FLOOD_FRAME = 1024 };

struct flood {
	size_t offset;
	int reads;
};

/* The byte at an offset of a preamble, a HELLO, and optional frames. */
static uint8_t
flood_byte(size_t at)
{
	static const uint8_t head[] = {'a', 'd', 'i', 't', '\r', '\n', 1, 1,
	    FRAME_HELLO, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, '{', '}'};
	static const uint8_t frame[] = {0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    (FLOOD_FRAME - FRAME_HEADER_LEN) >> 8,
	    (FLOOD_FRAME - FRAME_HEADER_LEN) & 255};

	if (at < sizeof head)
		return head[at];
	at = (at - sizeof head) % FLOOD_FRAME;
	return at < sizeof frame ? frame[at] : 0;
}

static ssize_t
flood_read(void *self, uint8_t *at, size_t cap)
{
	struct flood *f = self;

	if (f->reads == FLOOD_READS) {
		errno = EAGAIN;
		return -1;
	}
	f->reads++;
	for (size_t i = 0; i < cap; i++)
		at[i] = flood_byte(f->offset++);
	return (ssize_t)cap;
}

static ssize_t
flood_write(void *self, struct bytes in, bool more)
{
	(void)self;
	(void)more;
	return (ssize_t)in.len;
}

static bool
flood_has_pending(const void *self)
{
	const struct flood *f = self;

	return f->reads < FLOOD_READS;
}

static void
flood_close(void *self)
{
	(void)self;
}

static void
test_flood(void)
{
	struct hop_settings s = {.events = &events, .down = on_down,
	    .user = &a};
	struct flood f = {0, 0};
	int fd = eventfd(1, EFD_CLOEXEC), before;
	struct transport t = {.read = flood_read, .write = flood_write,
	    .has_pending = flood_has_pending, .close = flood_close,
	    .self = &f, .read_fd = fd, .write_fd = fd};

	memset(&a, 0, sizeof a);
	eq_int(hop_start(&a.hop, &loop, &t, &s), 0, "a peer that floods");
	for (int turn = 0; turn < 3; turn++) {
		before = f.reads;
		ev_run(loop.ev, EVRUN_NOWAIT);
		ok(f.reads > before && f.reads - before <= FLOOD_TURN,
		    "leaves the loop its turns: %d reads", f.reads - before);
	}
	eq_int(a.hellos, 1, "and was heard");
	ok(!a.over, "and stays");
	hop_done(&a.hop);
	close(fd);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	hop_loop_init(&loop, EV_DEFAULT);
	test_parse_hello();
	test_greeting();
	test_traffic();
	test_early_auth();
	test_garbage();
	test_goaway_is_written();
	test_silence();
	test_linger();
	test_late_output();
	test_flood();
	test_leaks();
	ev_loop_destroy(EV_DEFAULT);
	return test_done();
}
