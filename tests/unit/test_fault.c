/* SPDX-License-Identifier: ISC */
/* The first allocation of a piece of work fails, then the second, and so on
 * until the work needs no more of them: each time it ends in order, with an
 * error or without, and leaves neither memory nor descriptors behind.  The
 * linker puts the functions below in place of the allocator. */
#include <signal.h>
#include <sys/socket.h>

#include "cmd/sandbox-exec/tailtext.h"
#include "common/clock.h"
#include "common/hop.h"
#include "common/jwt.h"
#include "common/runs.h"
#include "tests/signer.h"
#include "tests/unit/test.h"

enum {
	SWEEP_MAX = 10000,
	STREAMS = 40,     /* more than the first table of them holds */
	PIECE = 5000,     /* bytes of each in chan's work */
	BULK = 1 << 20,   /* bytes in hop's */
	PING_MS = 20,
	DEADLINE_MS = 10000,
};

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static int fail_at, seen; /* which allocation fails, 0: none */
static int live;

static bool
must_fail(void)
{
	errno = ENOMEM;
	return ++seen == fail_at;
}

static void *
count(void *p)
{
	live += p != NULL;
	return p;
}

void *
__wrap_malloc(size_t n)
{
	return must_fail() ? NULL : count(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : count(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t n)
{
	void *moved = must_fail() ? NULL : __real_realloc(p, n);

	return p == NULL ? count(moved) : moved;
}

void
__wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

enum outcome {
	DONE,
	REFUSED, /* with the error that its contract names */
	BROKEN,
};

/* Does the work with each of its allocations failing once.  Returns how many
 * there were. */
static int
sweep(const char *what, enum outcome (*work)(void))
{
	int broken = 0, leaks = 0, fds = test_open_fds(), n, before;
	enum outcome last;

	for (n = 1; n < SWEEP_MAX; n++) {
		before = live;
		seen = 0;
		fail_at = n;
		last = work();
		fail_at = 0;
		if (last == BROKEN || live != before)
			printf("# %s: allocation %d: %s, %d left\n", what, n,
			    last == BROKEN ? "broken" : "in order",
			    live - before);
		broken += last == BROKEN;
		leaks += live != before;
		if (seen < n)
			break;
	}
	eq_int(last, DONE, "%s: is done when none fails", what);
	eq_int(broken, 0, "%s: ends in order whichever of %d fails", what,
	    n - 1);
	eq_int(leaks, 0, "%s: no memory is left", what);
	eq_int(test_open_fds(), fds, "%s: no descriptor is left", what);
	return n - 1;
}

/* ---- frame ---- */

static enum outcome
frame_work(void)
{
	uint8_t wire[FRAME_HEADER_LEN + 5] = {0};
	struct frame f = {.type = FRAME_DATA, .stream = 1}, back;
	struct error e;
	ssize_t n;

	frame_put_header(wire, &f, 5);
	for (size_t len = 0; len <= sizeof wire; len++) {
		n = frame_decode(bytes_of(wire, len), FRAME_LIMIT_DEFAULT,
		    &back, &e);
		if (n != (len == sizeof wire ? (ssize_t)len : 0))
			return BROKEN;
	}
	wire[0] = 0x7f;
	n = frame_decode(bytes_of(wire, sizeof wire), FRAME_LIMIT_DEFAULT,
	    &back, &e);
	return n == -1 ? DONE : BROKEN;
}

/* ---- buf and runs ---- */

/* Adds until the buffer has grown some times; what failed may be repeated. */
static enum outcome
buf_work(void)
{
	enum outcome r = DONE;
	struct buf b;

	buf_init(&b, 1 << 16);
	for (int i = 0; i < 1000; i++) {
		size_t len = buf_len(&b);
		int failed = i % 2 == 0 ? buf_add_str(&b, "0123456789")
		    : buf_format(&b, "%010d", i);

		if (failed == 0)
			continue;
		if (errno != ENOMEM || buf_len(&b) != len ||
		    buf_add_str(&b, "0123456789") != 0)
			r = BROKEN;
		else if (r == DONE)
			r = REFUSED;
	}
	if (buf_len(&b) != 10000)
		r = BROKEN;
	buf_reset(&b);
	return r;
}

static enum outcome
runs_work(void)
{
	enum outcome r = DONE;
	uint16_t channel;
	uint8_t byte;
	struct runs q;
	int kept = 0;

	runs_init(&q, 1 << 16);
	for (int i = 0; i < 2000; i++) {
		byte = (uint8_t)kept;
		if (runs_add(&q, (uint16_t)(i % 3), bytes_of(&byte, 1)) == 0)
			kept++;
		else
			r = errno == ENOMEM && r == DONE ? REFUSED : BROKEN;
	}
	for (int i = 0; i < kept; i++) {
		struct bytes run;

		if (runs_is_empty(&q))
			return BROKEN;
		run = runs_first(&q, &channel);
		if (run.ptr[0] != (uint8_t)i)
			r = BROKEN;
		runs_drop(&q, 1);
	}
	if (!runs_is_empty(&q))
		r = BROKEN;
	runs_reset(&q);
	return r;
}

/* ---- chan ---- */

/* One end; the owner of streams takes what comes only when it is hungry. */
struct side {
	struct hop hop;   /* its chan is that of chan's work too */
	bool hungry, initiator;
	int opened, closed, ended, downs;
	uint64_t sent, to_send, got;
	bool wrong;       /* bytes that were not sent, or a call too many */
	struct chan_stream *streams[STREAMS];
};

static struct side a, b;

static void
on_json(void *user, struct bytes json)
{
	struct side *p = user;
	struct chan_limits limits;
	struct hop_peer peer;
	struct error e;

	if (hop_parse_hello(json, &peer, &limits, &e) == 0)
		chan_set_peer(&p->hop.chan, &limits);
}

static void
on_auth(void *user, struct bytes token)
{
	(void)user;
	(void)token;
}

static void
on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	(void)user;
	(void)why;
	(void)last;
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct side *p = user;

	(void)json;
	if (p->opened < STREAMS)
		p->streams[p->opened] = s;
	p->opened++;
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	struct side *p = user;

	(void)s;
	(void)channel;
	if (!p->hungry)
		return 0;
	for (size_t i = 0; i < in.len; i++)
		p->wrong |= in.ptr[i] != 'x';
	p->got += in.len;
	return in.len;
}

static void
on_end(void *user, struct chan_stream *s)
{
	struct side *p = user;

	p->ended++;
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
	struct side *p = user;
	struct chan *c = &p->hop.chan;
	size_t cap;
	uint8_t *at;

	while (p->sent < p->to_send &&
	    (at = chan_reserve(c, s, &cap)) != NULL) {
		if (cap > p->to_send - p->sent)
			cap = (size_t)(p->to_send - p->sent);
		memset(at, 'x', cap);
		chan_commit(c, s, 0, cap);
		p->sent += cap;
	}
	if (p->sent == p->to_send)
		chan_end(c, s);
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	struct side *p = user;

	(void)why;
	for (int i = 0; i < STREAMS; i++) {
		if (p->streams[i] == s)
			p->streams[i] = NULL;
	}
	p->wrong |= ++p->closed > p->opened;
}

static const struct chan_events events = {
	.hello = on_json, .auth = on_auth, .goaway = on_goaway,
	.open = on_open, .data = on_data, .end = on_end, .event = on_event,
	.writable = on_writable, .closed = on_closed,
};

/* Carries bytes over until there are none.  Returns 0, or -1 when an end has
 * failed. */
static int
carry(struct side *from, struct side *to)
{
	struct error e;

	for (;;) {
		struct bytes out = chan_output(&from->hop.chan);
		ssize_t n;

		if (out.len == 0)
			return from->hop.chan.overflow ? -1 : 0;
		n = chan_input(&to->hop.chan, out, 1, &e);
		if (n <= 0)
			return -1;
		chan_output_drop(&from->hop.chan, (size_t)n);
	}
}

static int
greet(struct side *p)
{
	static const char json[] = "{\"name\":\"fault\"}";

	chan_send_hello(&p->hop.chan, bytes_cstr(json));
	return 0;
}

static void
resume(struct side *p)
{
	p->hungry = true;
	for (int i = 0; i < STREAMS; i++) {
		if (p->streams[i] != NULL)
			chan_resume(&p->hop.chan, p->streams[i]);
	}
}

/* Streams whose bytes wait for their reader, and which end both ways. */
static int
talk(void)
{
	static uint8_t piece[PIECE];
	struct chan_stream *s;

	memset(piece, 'x', sizeof piece);
	if (greet(&a) != 0 || greet(&b) != 0 || carry(&a, &b) != 0 ||
	    carry(&b, &a) != 0)
		return -1;
	for (int i = 0; i < STREAMS; i++) {
		s = chan_open(&a.hop.chan, bytes_cstr("{}"), NULL);
		if (s == NULL)
			return -1;
		a.opened++;
		if (chan_send(&a.hop.chan, s, 0,
		    bytes_of(piece, sizeof piece)) != sizeof piece)
			return -1;
		chan_end(&a.hop.chan, s);
	}
	if (carry(&a, &b) != 0)
		return -1;
	resume(&b);
	return carry(&b, &a) != 0 || carry(&a, &b) != 0 ? -1 : 0;
}

static enum outcome
chan_work(void)
{
	static const struct chan_limits none = {0};
	struct frame_reason why = {.code = FRAME_INTERNAL,
	    .blame = BLAME_LINK};
	bool done;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	a.hungry = true;
	chan_init(&a.hop.chan, true, &none, &events, &a);
	chan_init(&b.hop.chan, false, &none, &events, &b);
	done = talk() == 0;
	chan_fail(&a.hop.chan, &why);
	chan_fail(&b.hop.chan, &why);
	chan_done(&a.hop.chan);
	chan_done(&b.hop.chan);
	if (a.wrong || b.wrong || a.closed != a.opened ||
	    b.closed != b.opened)
		return BROKEN;
	/* Of a stream that b has no memory for, a is told by a reset. */
	if (!done || b.opened < STREAMS)
		return REFUSED;
	return b.got == STREAMS * PIECE && b.ended == STREAMS ? DONE : BROKEN;
}

/* ---- hop ---- */

static struct hop_loop loop;

static void
on_down(void *user, const struct frame_reason *why)
{
	struct side *p = user;

	(void)why;
	p->downs++;
	hop_done(&p->hop);
}

static bool
start(struct side *p, int fd, bool initiator)
{
	struct hop_settings s = {.initiator = initiator, .events = &events,
	    .down = on_down, .user = p, .ping_ms = PING_MS};
	struct hop_peer self = {.name = "fault"};

	memset(p, 0, sizeof *p);
	p->hungry = true;
	if (hop_start_fds(&p->hop, &loop, fd, fd, &s) != 0)
		return false;
	hop_send_hello(&p->hop, &self);
	return true;
}

static bool
is_up(const struct side *p)
{
	return p->hop.in != NULL && p->hop.state == HOP_RUNNING;
}

/* Sends once the peer has greeted, until all has come or an end is down. */
static bool
exchange(int64_t deadline_ms)
{
	struct chan_stream *s = NULL;

	a.to_send = BULK;
	while (is_up(&a) && is_up(&b) && a.closed == 0) {
		if (s == NULL && a.hop.chan.phase == CHAN_ACCEPTED) {
			s = chan_open(&a.hop.chan, bytes_cstr("{}"), NULL);
			if (s == NULL)
				return true;
			a.opened++;
			on_writable(&a, s);
		}
		if (clock_ms() > deadline_ms)
			return false;
		ev_run(loop.ev, EVRUN_ONCE);
	}
	return true;
}

static void
finish(struct side *p, bool started)
{
	if (!started)
		return;
	if (p->hop.in != NULL)
		hop_close(&p->hop, FRAME_DRAINING, BLAME_LINK, "");
	while (p->downs == 0)
		ev_run(loop.ev, EVRUN_ONCE);
}

static enum outcome
hop_work(void)
{
	bool a_started, b_started, in_time = true;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return BROKEN;
	ev_now_update(loop.ev);
	a_started = start(&a, fds[0], true);
	b_started = start(&b, fds[1], false);
	if (a_started && b_started)
		in_time = exchange(clock_ms() + DEADLINE_MS);
	finish(&a, a_started);
	finish(&b, b_started);
	if (!in_time || a.wrong || b.wrong || a.closed != a.opened ||
	    b.closed != b.opened || a.downs != a_started ||
	    b.downs != b_started)
		return BROKEN;
	return b.got == BULK ? DONE : REFUSED;
}

/* ---- the output of a command ---- */

static enum outcome
tailtext_work(void)
{
	struct tailtext t;
	struct bytes got;
	size_t len;
	bool truncated;

	tailtext_init(&t);
	for (int i = 0; i < 100; i++)
		tailtext_add(&t, bytes_cstr("0123456789\xc3\xa4"));
	got = tailtext_finish(&t);
	len = got.len;
	truncated = t.truncated;
	tailtext_done(&t);
	if (len == 1200)
		return truncated ? BROKEN : DONE;
	return truncated ? REFUSED : BROKEN;
}

/* ---- tokens ---- */

static struct buf key_set, token;

static void
sign_token(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	buf_init(&key_set, SIGNER_TEXT_MAX);
	buf_add_str(&key_set, "{\"keys\":[");
	signer_add_jwk(key, "", &key_set);
	buf_add_str(&key_set, "]}");
	buf_init(&token, SIGNER_TEXT_MAX);
	signer_add_token(key, "ES256", bytes_cstr("{\"alg\":\"ES256\"}"),
	    bytes_cstr("{\"iss\":\"i\",\"aud\":\"a\",\"exp\":10,\"sub\":"
	    "\"s\",\"scope\":[\"x\",\"y\"]}"), &token);
	EVP_PKEY_free(key);
}

static enum outcome
jwt_work(void)
{
	static const struct jwt_expect want = {"i", "a", 1, 0};
	struct error e = {.text = ""};
	struct jwks *keys = jwks_parse(buf_bytes(&key_set), &e);
	struct jwt_claims c;
	int r = keys == NULL ? -1 :
	    jwt_verify(keys, buf_bytes(&token), &want, &c, &e);

	jwks_free(keys);
	if (r != 0)
		return e.text[0] != '\0' ? REFUSED : BROKEN;
	return str_eq(c.scope, "x y") ? DONE : BROKEN;
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	eq_int(sweep("frame", frame_work), 0, "frame: it never allocates");
	ok(sweep("buf", buf_work) >= 2, "buf: it grew");
	ok(sweep("runs", runs_work) >= 2, "runs: they grew");
	ok(sweep("tailtext", tailtext_work) >= 2, "tailtext: it grew");
	ok(sweep("chan", chan_work) > STREAMS, "chan: each stream has memory");
	sign_token();
	ok(sweep("jwt", jwt_work) >= 10, "jwt: a set and a token");
	buf_reset(&key_set);
	buf_reset(&token);
	hop_loop_init(&loop, EV_DEFAULT);
	ok(sweep("hop", hop_work) >= 6, "hop: two ends");
	ev_loop_destroy(loop.ev);
	return test_done();
}
