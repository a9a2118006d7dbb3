/* SPDX-License-Identifier: ISC */
/* One end of a hop under test: it writes down what chan tells it, and what it
 * sends can be read frame by frame. */
#ifndef ADIT_TEST_END_H
#define ADIT_TEST_END_H

#include "common/chan.h"
#include "tests/unit/test.h"

enum { END_LOG_MAX = 1 << 20 };

struct end;

/* What a test does inside a handler; word says which one. */
typedef void end_hook(struct end *e, const char *word, struct chan_stream *s);

struct end {
	struct chan chan;
	struct buf log;
	struct buf in;      /* bytes that are not a whole frame yet */
	size_t appetite;    /* how many bytes data takes at a time */
	int64_t now_us;
	end_hook *hook;
	struct error error; /* of the last end_feed that failed */
	struct bytes last;  /* the bytes of the data call that runs */
	uint64_t taken;     /* bytes that data took */
};

__attribute__((unused, format(printf, 2, 3))) static void
end_log(struct end *e, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_vformat(&e->log, format, ap);
	va_end(ap);
	buf_add_str(&e->log, "; ");
}

static void
end_call_hook(struct end *e, const char *word, struct chan_stream *s)
{
	if (e->hook != NULL)
		e->hook(e, word, s);
}

static void
end_on_hello(void *user, struct bytes json)
{
	end_log(user, "hello %.*s", (int)json.len, (const char *)json.ptr);
	end_call_hook(user, "hello", NULL);
}

static void
end_on_auth(void *user, struct bytes token)
{
	end_log(user, "auth %.*s", (int)token.len, (const char *)token.ptr);
	end_call_hook(user, "auth", NULL);
}

static void
end_on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	end_log(user, "goaway %s %u", frame_code_name(why->code), last);
	end_call_hook(user, "goaway", NULL);
}

static void
end_on_open(void *user, struct chan_stream *s, struct bytes json)
{
	end_log(user, "open %u %.*s", s->id, (int)json.len,
	    (const char *)json.ptr);
	end_call_hook(user, "open", s);
}

static size_t
end_on_data(void *user, struct chan_stream *s, uint16_t channel,
    struct bytes in)
{
	struct end *e = user;
	size_t n = in.len < e->appetite ? in.len : e->appetite;

	if (in.len <= 16)
		end_log(e, "data %u/%u %.*s", s->id, channel, (int)in.len,
		    (const char *)in.ptr);
	else
		end_log(e, "data %u/%u (%zu)", s->id, channel, in.len);
	e->last = in;
	end_call_hook(e, "data", s);
	e->taken += n;
	return n;
}

static void
end_on_end(void *user, struct chan_stream *s)
{
	end_log(user, "end %u", s->id);
	end_call_hook(user, "end", s);
}

static void
end_on_event(void *user, struct chan_stream *s, struct bytes json)
{
	end_log(user, "event %u %.*s", s == NULL ? 0 : s->id, (int)json.len,
	    (const char *)json.ptr);
	end_call_hook(user, "event", s);
}

static void
end_on_writable(void *user, struct chan_stream *s)
{
	end_log(user, "writable %u", s->id);
	end_call_hook(user, "writable", s);
}

static void
end_on_closed(void *user, struct chan_stream *s,
    const struct frame_reason *why)
{
	end_log(user, "closed %u %s", s->id,
	    why == NULL ? "clean" : frame_code_name(why->code));
	end_call_hook(user, "closed", s);
}

static const struct chan_events end_events = {
	.hello = end_on_hello, .auth = end_on_auth, .goaway = end_on_goaway,
	.open = end_on_open, .data = end_on_data, .end = end_on_end,
	.event = end_on_event, .writable = end_on_writable,
	.closed = end_on_closed,
};

TEST_UNUSED static void
end_init(struct end *e, bool initiator, const struct chan_limits *own)
{
	static const struct chan_limits none;

	memset(e, 0, sizeof *e);
	buf_init(&e->log, END_LOG_MAX);
	buf_init(&e->in, 8 << 20);
	e->appetite = SIZE_MAX;
	e->now_us = 1000;
	chan_init(&e->chan, initiator, own == NULL ? &none : own, &end_events,
	    e);
}

TEST_UNUSED static void
end_done(struct end *e)
{
	chan_done(&e->chan);
	buf_reset(&e->log);
	buf_reset(&e->in);
}

/* What was logged since the last call, as "a; b; ".  Valid until the next
 * event. */
TEST_UNUSED static const char *
end_story(struct end *e)
{
	static const uint8_t nul;

	buf_add(&e->log, bytes_of(&nul, 1));
	e->log.head = e->log.tail = 0;
	return (const char *)e->log.mem;
}

/* Feeds bytes as they arrive.  Returns false when chan ended the
 * connection. */
TEST_UNUSED static bool
end_feed(struct end *e, struct bytes in)
{
	ssize_t n;

	buf_add(&e->in, in);
	n = chan_input(&e->chan, buf_bytes(&e->in), e->now_us, &e->error);
	if (n < 0)
		return false;
	buf_drop(&e->in, (size_t)n);
	return true;
}

/* Feeds one frame. */
TEST_UNUSED static bool
end_feed_frame(struct end *e, uint8_t type, uint32_t stream, uint16_t channel,
    struct bytes payload)
{
	struct frame f = {.type = type, .stream = stream, .channel = channel};
	uint8_t header[FRAME_HEADER_LEN];

	frame_put_header(header, &f, (uint32_t)payload.len);
	buf_add(&e->in, bytes_of(header, sizeof header));
	return end_feed(e, payload);
}

TEST_UNUSED static bool
end_feed_text(struct end *e, uint8_t type, uint32_t stream, const char *text)
{
	return end_feed_frame(e, type, stream, 0, bytes_cstr(text));
}

TEST_UNUSED static bool
end_feed_window(struct end *e, uint32_t stream, uint32_t credit)
{
	uint8_t payload[FRAME_WINDOW_LEN];

	be32_put(payload, credit);
	return end_feed_frame(e, FRAME_WINDOW, stream, 0,
	    bytes_of(payload, sizeof payload));
}

TEST_UNUSED static bool
end_feed_reset(struct end *e, uint32_t stream, uint16_t code)
{
	uint8_t payload[FRAME_REASON_LEN] = {0};

	be16_put(payload, code);
	return end_feed_frame(e, FRAME_RESET, stream, 0,
	    bytes_of(payload, sizeof payload));
}

/* Feeds n bytes of DATA in frames of at most step. */
TEST_UNUSED static bool
end_feed_bulk(struct end *e, uint32_t stream, size_t n, size_t step)
{
	static uint8_t zeros[FRAME_LIMIT_DEFAULT];

	while (n != 0) {
		size_t len = n < step ? n : step;

		if (!end_feed_frame(e, FRAME_DATA, stream, 0,
		    bytes_of(zeros, len)))
			return false;
		n -= len;
	}
	return true;
}

/* Takes all output and names its frames, as "OPEN 1; WINDOW 0 +65536; ".
 * Valid until the next call for any end. */
TEST_UNUSED static const char *
end_sent(struct end *e)
{
	static char text[1 << 16];
	static struct buf all;
	struct bytes in;
	size_t n = 0;
	struct frame f;
	ssize_t used;

	buf_init(&all, 64 << 20);
	while ((in = chan_output(&e->chan)).len != 0) {
		buf_add(&all, in);
		chan_output_drop(&e->chan, in.len);
	}
	in = buf_bytes(&all);
	text[0] = '\0';
	if (in.len >= 8 && memcmp(in.ptr, "adit", 4) == 0) {
		n += (size_t)snprintf(text, sizeof text, "preamble; ");
		in = bytes_after(in, FRAME_PREAMBLE_LEN);
	}
	while ((used = frame_decode(in, FRAME_LIMIT_MAX, &f, &e->error)) > 0 &&
	    n < sizeof text - 100) {
		n += (size_t)snprintf(text + n, sizeof text - n, "%s %u",
		    frame_type_name(f.type), f.stream);
		if (f.type == FRAME_WINDOW)
			n += (size_t)snprintf(text + n, sizeof text - n,
			    " +%u", be32_get(f.payload.ptr));
		else if (f.type == FRAME_RESET || f.type == FRAME_GOAWAY)
			n += (size_t)snprintf(text + n, sizeof text - n,
			    " %s", frame_code_name(frame_get_reason(
			    f.payload).code));
		else if (f.type == FRAME_DATA)
			n += (size_t)snprintf(text + n, sizeof text - n,
			    "/%u (%zu)", f.channel, f.payload.len);
		n += (size_t)snprintf(text + n, sizeof text - n, "; ");
		in = bytes_after(in, (size_t)used);
	}
	buf_reset(&all);
	return text;
}

/* Brings e to where streams can open, against a peer with these limits, and
 * forgets what was logged and sent. */
TEST_UNUSED static void
end_accept(struct end *e, const struct chan_limits *peer)
{
	static const struct chan_limits usual = {
		.frame = FRAME_LIMIT_DEFAULT, .window = CHAN_WINDOW_DEFAULT,
		.connection_window = CHAN_CONNECTION_ABSENT,
		.streams = CHAN_STREAMS_DEFAULT,
	};
	uint8_t preamble[FRAME_PREAMBLE_LEN];

	frame_put_preamble(preamble, FRAME_KIND_HOP);
	end_feed(e, bytes_of(preamble, sizeof preamble));
	end_feed_text(e, FRAME_HELLO, 0, "{}");
	chan_set_peer(&e->chan, peer == NULL ? &usual : peer);
	end_story(e);
	end_sent(e);
}

#endif
