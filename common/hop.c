/* SPDX-License-Identifier: ISC */
#include "common/hop.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/sock.h"
#include "common/str.h"

enum {
	IN_LEN = 256 << 10,       /* read at once */
	READS_PER_TURN = 4,       /* then others have their turn */
	FLUSH_PER_TURN = 2 << 20, /* bytes written before others do */
	LINGER_MS = 1000,         /* to write the last GOAWAY */
	QUEUE_MS = 50,            /* of output at the rate of the transport */
};

/* ---- descriptors as a transport ---- */

struct fd_pair {
	int read_fd, write_fd;
};

static ssize_t
pair_read(void *self, uint8_t *at, size_t cap)
{
	const struct fd_pair *p = self;
	ssize_t n;

	do {
		n = read(p->read_fd, at, cap);
	} while (n == -1 && errno == EINTR);
	return n;
}

static ssize_t
pair_write(void *self, struct bytes in, bool more)
{
	const struct fd_pair *p = self;
	ssize_t n;

	(void)more;
	do {
		n = write(p->write_fd, in.ptr, in.len);
	} while (n == -1 && errno == EINTR);
	return n;
}

static void
pair_close(void *self)
{
	struct fd_pair *p = self;

	io_close_pair(p->read_fd, p->write_fd);
	free(p);
}

/* ---- the end ---- */

static void
queue_dirty(struct hop *h)
{
	if (h->queued)
		return;
	h->queued = true;
	h->next = h->loop->dirty;
	h->loop->dirty = h;
	ev_idle_start(h->loop->ev, &h->loop->awake);
}

static void
unqueue(struct hop *h)
{
	struct hop **link = &h->loop->dirty;

	if (!h->queued)
		return;
	while (*link != h)
		link = &(*link)->next;
	*link = h->next;
	h->queued = false;
}

static void
set_why(struct hop *h, const struct frame_reason *why)
{
	size_t n = why->text.len < FRAME_TEXT_MAX ? why->text.len
						  : FRAME_TEXT_MAX;

	if (n != 0)
		memcpy(h->why_text, why->text.ptr, n);
	h->why = *why;
	h->why.text = bytes_of(h->why_text, n);
}

static void
stop_reading(struct hop *h)
{
	ev_io_stop(h->loop->ev, &h->reader);
	ev_idle_stop(h->loop->ev, &h->again);
}

/* Ends the hop without another word; down follows in the flush. */
static void
go_down(struct hop *h, const struct frame_reason *why)
{
	if (h->state == HOP_DOWN)
		return;
	if (h->state == HOP_RUNNING)
		set_why(h, why);
	h->state = HOP_DOWN;
	stop_reading(h);
	ev_io_stop(h->loop->ev, &h->writer);
	queue_dirty(h);
	chan_fail(&h->chan, &h->why);
}

static void
link_lost(struct hop *h, enum frame_code code, const char *text)
{
	struct frame_reason why = {.code = (uint16_t)code,
	    .blame = BLAME_LINK, .text = bytes_cstr(text)};

	go_down(h, &why);
}

/* After a read or write that failed with errno. */
static void
transport_failed(struct hop *h)
{
	bool own_text = errno == EPROTO && h->transport.error != NULL;

	link_lost(h, FRAME_ABORTED, own_text
	    ? h->transport.error(h->transport.self) : strerror(errno));
}

void
hop_close(struct hop *h, enum frame_code code, enum frame_blame blame,
    const char *text)
{
	struct frame_reason why = {.code = (uint16_t)code,
	    .blame = (uint8_t)blame, .text = bytes_cstr(text)};

	if (h->state != HOP_RUNNING)
		return;
	set_why(h, &why);
	h->state = HOP_FLUSHING;
	stop_reading(h);
	ev_timer_stop(h->loop->ev, &h->keepalive);
	ev_timer_start(h->loop->ev, &h->linger);
	chan_send_goaway(&h->chan, &why);
	queue_dirty(h);
	chan_fail(&h->chan, &h->why);
}

/* ---- output ---- */

static void
on_wake(struct chan *c)
{
	queue_dirty((struct hop *)c);
}

/* The loop has other work first.  What was queued while h was flushed must
 * not bring it back before the loop has looked around. */
static void
write_later(struct hop *h)
{
	unqueue(h);
	ev_io_start(h->loop->ev, &h->writer);
}

/* Keeps what the kernel holds unsent near twice our own queue; less than
 * a factor of two is not worth a system call. */
static void
limit_unsent(struct hop *h)
{
	uint32_t want = 2 * (uint32_t)h->chan.high;

	if (want > h->unsent_max / 2 && want < h->unsent_max * 2)
		return;
	h->unsent_max = want;
	sock_set_unsent_max(h->transport.write_fd, want);
}

/* The transport is full.  What it took since it last was says how fast it
 * is, and so how much may be queued for a new frame not to wait long. */
static void
wait_writable(struct hop *h)
{
	int64_t now = clock_us(), spent = now - h->blocked_us;
	uint64_t high;

	if (h->blocked_us != 0 && spent > 0) {
		high = (uint64_t)h->written * QUEUE_MS * 1000 /
		    (uint64_t)spent;
		if (high < CHAN_HIGH_MIN)
			high = CHAN_HIGH_MIN;
		if (high > CHAN_HIGH_MAX)
			high = CHAN_HIGH_MAX;
		h->chan.high = (h->chan.high * 3 + (size_t)high) / 4;
		limit_unsent(h);
	}
	h->blocked_us = now;
	h->written = 0;
	write_later(h);
}

static void
flush(struct hop *h)
{
	size_t budget = FLUSH_PER_TURN;

	while (h->state != HOP_DOWN) {
		struct bytes out = chan_output(&h->chan);
		ssize_t n;

		if (out.len == 0) {
			h->blocked_us = 0;
			ev_io_stop(h->loop->ev, &h->writer);
			if (h->state == HOP_FLUSHING)
				go_down(h, &h->why);
			return;
		}
		if (budget < out.len) {
			write_later(h);
			return;
		}
		n = h->transport.write(h->transport.self, out,
		    h->chan.out.len > out.len);
		if (n > 0) {
			budget -= (size_t)n;
			h->written += (size_t)n;
			chan_output_drop(&h->chan, (size_t)n);
		} else if (n == -1 && errno == EAGAIN) {
			wait_writable(h);
			return;
		} else {
			transport_failed(h);
		}
	}
}

/* Gives memory back to the system when most streams of a crowd have gone: it
 * lies in small pieces, which the allocator would keep. */
static void
trim(struct hop *h)
{
	size_t count = chan_count(&h->chan);

	if (count > h->crowd)
		h->crowd = count;
	if (h->crowd < HOP_CROWD || count > h->crowd / 4)
		return;
	h->crowd = count;
	malloc_trim(0);
}

/* Runs before the loop sleeps, until no hop has anything left to write now:
 * writing for one may queue output of another. */
static void
on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct hop_loop *l = w->data;

	(void)revents;
	while (l->dirty != NULL) {
		struct hop *h = l->dirty;

		unqueue(h);
		flush(h);
		trim(h);
		if (h->state == HOP_DOWN) {
			unqueue(h);
			h->settings.down(h->settings.user, &h->why);
		}
	}
	ev_idle_stop(ev, &l->awake);
}

/* Nothing to do: what was queued after the flush, by an event that was fed
 * during it, is written in the turn that begins now. */
static void
on_awake(struct ev_loop *ev, ev_idle *w, int revents)
{
	(void)ev;
	(void)w;
	(void)revents;
}

void
hop_loop_init(struct hop_loop *l, struct ev_loop *ev)
{
	l->ev = ev;
	l->dirty = NULL;
	ev_prepare_init(&l->flush, on_prepare);
	l->flush.data = l;
	ev_idle_init(&l->awake, on_awake);
	ev_prepare_start(ev, &l->flush);
	ev_unref(ev); /* alone it keeps no loop running */
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct hop *h = w->data;

	(void)revents;
	ev_io_stop(ev, w);
	queue_dirty(h);
}

/* ---- input ---- */

/* Offers what is buffered to the chan.  Returns false when the hop ended. */
static bool
take_input(struct hop *h)
{
	struct error e;
	ssize_t used = chan_input(&h->chan, bytes_of(h->in, h->in_len),
	    clock_us(), &e);

	if (h->state != HOP_RUNNING)
		return false;
	if (used < 0) {
		hop_close(h, FRAME_PROTOCOL, BLAME_LINK, e.text);
		return false;
	}
	h->in_len -= (size_t)used;
	if (used != 0 && h->in_len != 0)
		memmove(h->in, h->in + used, h->in_len);
	return true;
}

/* The transport may hold bytes that no descriptor announces.  They are read
 * in the loop's next turn: an event that is fed comes in this one, and a peer
 * that never pauses would let nobody else have any. */
static void
read_again(struct hop *h)
{
	if (h->transport.has_pending != NULL &&
	    h->transport.has_pending(h->transport.self))
		ev_idle_start(h->loop->ev, &h->again);
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct hop *h = w->data;

	(void)revents;
	ev_idle_stop(ev, &h->again);
	for (int i = 0; i < READS_PER_TURN; i++) {
		size_t room = h->in_size - h->in_len;
		ssize_t n = h->transport.read(h->transport.self,
		    h->in + h->in_len, room);

		if (n == 0) {
			link_lost(h, FRAME_ABORTED, "connection closed");
			return;
		}
		if (n == -1) {
			if (errno != EAGAIN)
				transport_failed(h);
			return;
		}
		h->heard_ms = clock_ms();
		h->in_len += (size_t)n;
		if (!take_input(h) || (size_t)n < room)
			break;
	}
	if (h->state == HOP_RUNNING)
		read_again(h);
}

static void
on_again(struct ev_loop *ev, ev_idle *w, int revents)
{
	struct hop *h = w->data;

	on_readable(ev, &h->reader, revents);
}

static void
on_keepalive(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct hop *h = w->data;
	int64_t now = clock_ms(), silent;

	(void)ev;
	(void)revents;
	/* Who was stopped, or had no time, has not listened either: what the
	 * peer has sent may wait. */
	if (now - h->looked_ms >= h->settings.ping_ms * 2)
		h->heard_ms = now;
	h->looked_ms = now;
	silent = now - h->heard_ms;
	if (!h->settings.patient &&
	    silent >= h->settings.ping_ms * HOP_DEAD_PINGS) {
		char text[80];

		snprintf(text, sizeof text, "peer silent for %lld ms",
		    (long long)silent);
		link_lost(h, FRAME_TIMEOUT, text);
		return;
	}
	chan_send_ping(&h->chan, clock_us());
}

static void
on_linger(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct hop *h = w->data;

	(void)ev;
	(void)revents;
	go_down(h, &h->why);
}

/* ---- start and end ---- */

static void
start_watchers(struct hop *h)
{
	double every = (double)h->settings.ping_ms / 1000;

	ev_io_init(&h->reader, on_readable, h->transport.read_fd, EV_READ);
	ev_io_init(&h->writer, on_writable, h->transport.write_fd, EV_WRITE);
	ev_timer_init(&h->keepalive, on_keepalive, every, every);
	ev_timer_init(&h->linger, on_linger, LINGER_MS / 1000.0, 0);
	ev_idle_init(&h->again, on_again);
	ev_set_priority(&h->again, EV_MAXPRI); /* every turn, not only idle */
	h->reader.data = h->writer.data = h->again.data = h->keepalive.data =
	    h->linger.data = h;
	ev_io_start(h->loop->ev, &h->reader);
	ev_timer_start(h->loop->ev, &h->keepalive);
	read_again(h); /* TLS may have read ahead while it shook hands */
}

int
hop_start(struct hop *h, struct hop_loop *loop, const struct transport *t,
    const struct hop_settings *settings)
{
	memset(h, 0, sizeof *h);
	h->settings = *settings;
	if (h->settings.ping_ms == 0)
		h->settings.ping_ms = HOP_PING_DEFAULT_MS;
	h->loop = loop;
	h->transport = *t;
	h->heard_ms = h->looked_ms = clock_ms();
	chan_init(&h->chan, settings->initiator, &settings->limits,
	    settings->events, settings->user);
	h->chan.wake = on_wake;
	h->in_size = 2 * (size_t)h->chan.own.frame;
	if (h->in_size < IN_LEN)
		h->in_size = IN_LEN;
	h->in = malloc(h->in_size);
	if (h->in == NULL) {
		chan_done(&h->chan);
		t->close(t->self);
		errno = ENOMEM;
		return -1;
	}
	limit_unsent(h);
	start_watchers(h);
	queue_dirty(h);
	return 0;
}

int
hop_start_fds(struct hop *h, struct hop_loop *loop, int read_fd, int write_fd,
    const struct hop_settings *settings)
{
	struct fd_pair *p = malloc(sizeof *p);
	struct transport t = {
		.read = pair_read, .write = pair_write, .close = pair_close,
		.self = p, .read_fd = read_fd, .write_fd = write_fd,
	};

	if (p == NULL) {
		io_close_pair(read_fd, write_fd);
		errno = ENOMEM;
		return -1;
	}
	*p = (struct fd_pair){read_fd, write_fd};
	io_set_nonblock(read_fd, true);
	io_set_nonblock(write_fd, true);
	return hop_start(h, loop, &t, settings);
}

void
hop_done(struct hop *h)
{
	if (h->in == NULL)
		return;
	unqueue(h);
	stop_reading(h);
	ev_io_stop(h->loop->ev, &h->writer);
	ev_timer_stop(h->loop->ev, &h->keepalive);
	ev_timer_stop(h->loop->ev, &h->linger);
	chan_done(&h->chan);
	h->transport.close(h->transport.self);
	free(h->in);
	h->in = NULL;
}

/* ---- HELLO ---- */

static void
put_text(struct jsonw *w, const char *key, const char *value)
{
	if (value[0] != '\0')
		jsonw_key_str(w, key, value);
}

static void
put_limits(struct jsonw *w, const struct chan_limits *l)
{
	jsonw_key(w, "limits");
	jsonw_open(w, '{');
	jsonw_key_int(w, "frame", l->frame);
	jsonw_key_int(w, "window", l->window);
	jsonw_key_int(w, "connection_window", l->connection_window);
	jsonw_key_int(w, "streams", l->streams);
	jsonw_close(w, '}');
}

void
hop_send_hello(struct hop *h, const struct hop_peer *self)
{
	struct buf b;
	struct jsonw w;

	buf_init(&b, FRAME_HELLO_MAX);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	put_text(&w, "name", self->name);
	put_text(&w, "version", self->version);
	put_text(&w, "instance", self->instance);
	if (self->generation != 0)
		jsonw_key_int(&w, "generation", self->generation);
	put_text(&w, "domain", self->domain);
	put_limits(&w, &h->chan.own);
	jsonw_close(&w, '}');
	if (jsonw_ok(&w))
		chan_send_hello(&h->chan, buf_bytes(&b));
	else
		link_lost(h, FRAME_INTERNAL, "no memory for HELLO");
	buf_reset(&b);
}

/* Reads the member of limits into *field, which has the default. */
static int
get_limit(struct jsonr limits, const char *key, int64_t min, int64_t max,
    uint32_t *field, struct error *e)
{
	int64_t v = *field;

	if (jsonr_get_int(limits, key, min, max, &v, e) < 0)
		return error_prefix(e, "limits");
	*field = (uint32_t)v;
	return 0;
}

static int
parse_limits(struct jsonr hello, struct chan_limits *ret, struct error *e)
{
	struct chan_limits l = {
		.frame = FRAME_LIMIT_DEFAULT, .window = CHAN_WINDOW_DEFAULT,
		.connection_window = CHAN_CONNECTION_ABSENT,
		.streams = CHAN_STREAMS_DEFAULT,
	};
	struct jsonr limits;
	int found = jsonr_get(hello, "limits", &limits, e);

	if (found < 0)
		return -1;
	if (found == 1 && limits.kind != JSONR_OBJECT)
		return error_set(e, "limits: not an object");
	if (get_limit(limits, "frame", FRAME_LIMIT_MIN, FRAME_LIMIT_MAX,
	    &l.frame, e) != 0 ||
	    get_limit(limits, "window", CHAN_WINDOW_MIN, CHAN_WINDOW_MAX,
	    &l.window, e) != 0 ||
	    get_limit(limits, "connection_window", l.window, UINT32_MAX,
	    &l.connection_window, e) != 0 ||
	    get_limit(limits, "streams", 0, 65536, &l.streams, e) != 0)
		return -1;
	*ret = l;
	return 0;
}

int
hop_parse_hello(struct bytes json, struct hop_peer *ret,
    struct chan_limits *ret_limits, struct error *e)
{
	struct hop_peer p = {.generation = 0};
	struct jsonr hello;

	if (jsonr_parse_object(json, &hello, e) == 0 &&
	    jsonr_get_str(hello, "name", p.name, sizeof p.name, e) >= 0 &&
	    jsonr_get_str(hello, "version", p.version, sizeof p.version,
	    e) >= 0 &&
	    jsonr_get_str(hello, "instance", p.instance, sizeof p.instance,
	    e) >= 0 &&
	    jsonr_get_str(hello, "domain", p.domain, sizeof p.domain, e) >= 0 &&
	    jsonr_get_int(hello, "generation", 0, 1LL << 53, &p.generation,
	    e) >= 0 &&
	    parse_limits(hello, ret_limits, e) == 0) {
		*ret = p;
		/* It stands in logs, and in lines that scripts read. */
		if (p.domain[0] == '\0' || str_is_hostname(p.domain))
			return 0;
		error_set(e, "domain: no host name");
	}
	return error_prefix(e, "HELLO");
}

void
hop_accept_any(struct hop *h, struct bytes json)
{
	struct chan_limits limits;
	struct hop_peer peer;
	struct error e;

	if (hop_parse_hello(json, &peer, &limits, &e) != 0) {
		hop_close(h, FRAME_PROTOCOL, BLAME_LINK, e.text);
		return;
	}
	chan_set_peer(&h->chan, &limits);
	chan_send_ping(&h->chan, clock_us()); /* measures the round trip */
}
