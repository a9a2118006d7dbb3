/* SPDX-License-Identifier: ISC */
/* The state machine against a peer that sends anything.  The first byte seeds
 * what the owner does meanwhile.  Run twice, at once and cut into pieces: the
 * owner must be told the same and the same bytes must go out. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/chan.h"

enum { STORY_MAX = 1 << 22 };

struct owner {
	struct chan chan;
	struct buf story, sent;
	uint32_t seed;
	bool still; /* does nothing that depends on how bytes are cut */
};

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static __attribute__((format(printf, 2, 3))) void
tell(struct owner *o, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_vformat(&o->story, format, ap);
	va_end(ap);
}

/* The next choice out of n. */
static uint32_t
choose(struct owner *o, uint32_t n)
{
	o->seed = o->seed * 1664525 + 1013904223;
	return (o->seed >> 16) % n;
}

/* Does something to s, or to the connection. */
static void
act(struct owner *o, struct chan_stream *s)
{
	static const uint8_t bytes[3000];

	switch (choose(o, 10)) {
	case 0:
		chan_reset(&o->chan, s, FRAME_CANCELLED, BLAME_CLIENT, "act");
		break;
	case 1:
		chan_end(&o->chan, s);
		break;
	case 2:
	case 3:
		/* Who may send depends on when writable was called. */
		if (o->still)
			break;
		chan_send(&o->chan, s, 0, bytes_of(bytes,
		    1 + choose(o, sizeof bytes - 1)));
		break;
	case 4:
		chan_open(&o->chan, bytes_cstr("{}"), NULL);
		break;
	case 5:
		chan_send_event(&o->chan, s, bytes_cstr("{}"));
		break;
	case 6:
		chan_resume(&o->chan, s);
		break;
	default:
		break;
	}
}

static void
on_hello(void *user, struct bytes json)
{
	static const struct chan_limits peer = {.frame = 1024,
	    .window = 4096, .connection_window = 8192, .streams = 4};
	struct owner *o = user;

	tell(o, "hello %zu\n", json.len);
	chan_set_peer(&o->chan, &peer);
	chan_open(&o->chan, bytes_cstr("{}"), NULL);
}

static void
on_auth(void *user, struct bytes token)
{
	tell(user, "auth %zu\n", token.len);
}

static void
on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	tell(user, "goaway %u %zu %u\n", why->code, why->text.len, last);
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	tell(user, "open %u %zu\n", s->id, json.len);
	act(user, s);
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	struct owner *o = user;
	uint32_t what = o->still ? 0 : choose(o, 4);

	assert(in.len != 0 && !s->dead);
	tell(o, "data %u %u %zu\n", s->id, channel, in.len);
	act(o, s);
	return what == 1 ? 0 : what == 2 ? in.len / 2 : in.len;
}

static void
on_end(void *user, struct chan_stream *s)
{
	assert(!s->dead && s->receiving == CHAN_ENDED);
	tell(user, "end %u\n", s->id);
	act(user, s);
}

static void
on_event(void *user, struct chan_stream *s, struct bytes json)
{
	tell(user, "event %u %zu\n", s == NULL ? 0 : s->id, json.len);
	if (s != NULL)
		act(user, s);
}

static void
on_writable(void *user, struct chan_stream *s)
{
	struct owner *o = user;

	assert(!s->dead);
	if (!o->still)
		act(o, s);
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	assert(s->dead);
	tell(user, "closed %u %u\n", s->id, why == NULL ? 0U : why->code);
}

static const struct chan_events events = {
	.hello = on_hello, .auth = on_auth, .goaway = on_goaway,
	.open = on_open, .data = on_data, .end = on_end, .event = on_event,
	.writable = on_writable, .closed = on_closed,
};

/* Credit is neither lost nor made; memory is within its bounds. */
static void
check(const struct chan *c)
{
	uint64_t held = 0, granted = 0;

	for (size_t i = 0; i < c->streams.size; i++) {
		const struct chan_stream *s = c->streams.entries[i].value;

		if (c->streams.entries[i].id == 0)
			continue;
		assert(s->recv_credit + s->unreturned <= s->window);
		held += s->window - s->recv_credit - s->unreturned;
		granted += s->window - c->own.window;
		assert(s->rx.buf.size <= 32 * c->own.window);
	}
	assert(c->own_count + c->peer_count == c->streams.count);
	assert(c->peer_count <= c->own.streams);
	assert(held + c->recv_credit + c->unreturned ==
	    c->own.connection_window);
	assert(granted + c->pool + 2ULL * c->own.streams * c->own.window <=
	    c->own.connection_window);
	assert(c->depth == 0 && c->dead == NULL);
	assert(c->out.len <= CHAN_OUT_MAX + 2 * BLOCKS_PIECE_MAX);
}

static void
flush(struct owner *o)
{
	struct bytes out;

	while ((out = chan_output(&o->chan)).len != 0) {
		buf_add(&o->sent, out);
		chan_output_drop(&o->chan, out.len);
	}
}

/* Feeds in, in pieces of at most step bytes.  Returns the story. */
static void
run(struct owner *o, struct bytes in, size_t step, bool still)
{
	static const struct chan_limits own = {.frame = 1024, .window = 1024,
	    .streams = 3};
	struct error e = {.text = ""};
	size_t have = 0;
	ssize_t n = 0;

	memset(o, 0, sizeof *o);
	buf_init(&o->story, STORY_MAX);
	buf_init(&o->sent, STORY_MAX);
	o->seed = in.ptr[0];
	o->still = still;
	chan_init(&o->chan, in.ptr[0] % 2 == 0, &own, &events, o);
	in = bytes_after(in, 1);
	while (n >= 0 && have < in.len) {
		have = have + step < in.len ? have + step : in.len;
		n = chan_input(&o->chan, bytes_of(in.ptr, have),
		    (int64_t)have, &e);
		if (n < 0)
			break;
		check(&o->chan);
		in = bytes_after(in, (size_t)n);
		have -= (size_t)n;
		if (!still && chan_count(&o->chan) != 0) {
			struct chan_stream *s = idmap_any(&o->chan.streams);

			act(o, s);
			check(&o->chan);
		}
		if (!still)
			flush(o);
	}
	tell(o, "over %d %s\n", n < 0, e.text);
	flush(o);
	if (n >= 0)
		check(&o->chan);
}

static void
done(struct owner *o)
{
	struct frame_reason why = {.code = FRAME_ABORTED};

	chan_fail(&o->chan, &why);
	assert(chan_count(&o->chan) == 0);
	chan_done(&o->chan);
	buf_reset(&o->story);
	buf_reset(&o->sent);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct owner *a, *b;

	if (len < 1)
		return 0;
	a = malloc(sizeof *a);
	b = malloc(sizeof *b);
	assert(a != NULL && b != NULL);
	run(a, bytes_of(in, len), len, true);
	run(b, bytes_of(in, len), 1 + in[0] % 16, true);
	assert(bytes_eq(buf_bytes(&a->story), buf_bytes(&b->story)));
	assert(bytes_eq(buf_bytes(&a->sent), buf_bytes(&b->sent)));
	done(a);
	done(b);
	run(a, bytes_of(in, len), 1 + in[0] % 64, false);
	done(a);
	free(a);
	free(b);
	return 0;
}
