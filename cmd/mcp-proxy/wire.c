/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/wire.h"

#include <errno.h>
#include <sys/socket.h>

#include "common/io.h"
#include "common/sock.h"

enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_EVERY_S = 10 };

/* ---- what carries it ---- */

static ssize_t
socket_recv(struct wire *w, uint8_t *at, size_t cap)
{
	ssize_t n;

	do {
		n = recv(w->fd, at, cap, 0);
	} while (n == -1 && errno == EINTR);
	return n;
}

static ssize_t
socket_send(struct wire *w, struct bytes in)
{
	ssize_t n;

	do {
		n = send(w->fd, in.ptr, in.len, MSG_NOSIGNAL);
	} while (n == -1 && errno == EINTR);
	return n;
}

static ssize_t
stream_read(void *user, uint8_t *at, size_t cap)
{
	struct wire *w = user;
	size_t n = w->feed.len < cap ? w->feed.len : cap;

	if (n == 0 && w->feed_ended)
		return 0;
	if (n == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(at, w->feed.ptr, n);
	w->feed = bytes_after(w->feed, n);
	return (ssize_t)n;
}

static ssize_t
stream_write(void *user, struct bytes in, bool more)
{
	struct wire *w = user;
	size_t n;

	(void)more;
	if (w->stream == NULL) {
		errno = ECONNRESET;
		return -1;
	}
	n = chan_send(w->chan, w->stream, 0, in);
	if (n != 0)
		return (ssize_t)n;
	errno = EAGAIN;
	return -1;
}

static ssize_t
write_some(struct wire *w, struct bytes in)
{
	return w->tls == NULL ? socket_send(w, in)
			      : tls_write(w->tls, in, false);
}

/* ---- calls from the loop ---- */

static bool
is_open(const struct wire *w)
{
	return w->fd != -1 || w->stream != NULL;
}

static void
on_turn(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
	struct wire *w = watcher->data;

	(void)ev;
	(void)revents;
	/* Feeds what waits in the stream, which calls input itself; TLS may
	 * hold more. */
	if (w->stream != NULL && !w->paused)
		chan_resume(w->chan, w->stream);
	if (is_open(w) && !w->paused)
		w->events->input(w->user);
}

/* libev calls back the socket that became readable last first.  Fed on to
 * a lower priority, which is called in the reverse order again, connections
 * are read in the order in which bytes came. */
static void
on_readable(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct wire *w = watcher->data;

	ev_feed_event(ev, &w->turn, revents);
}

/* Ends our direction: close_notify, then FIN or END. */
static void
finish_now(struct wire *w)
{
	w->finishing = false;
	w->finished = true;
	if (w->tls != NULL)
		tls_shutdown(w->tls);
	if (w->stream != NULL)
		chan_end(w->chan, w->stream);
	else
		shutdown(w->fd, SHUT_WR);
}

/* Writes what is kept.  Returns 1 when all went out, 0 if not, or -1 with
 * errno. */
static int
flush(struct wire *w)
{
	while (buf_len(&w->tx) != 0) {
		ssize_t n = write_some(w, buf_bytes(&w->tx));

		if (n > 0) {
			buf_drop(&w->tx, (size_t)n);
			continue;
		}
		if (n == -1 && errno != EAGAIN)
			return -1;
		if (w->fd != -1)
			ev_io_start(w->ev, &w->writer);
		return 0;
	}
	buf_reset(&w->tx);
	if (w->fd != -1)
		ev_io_stop(w->ev, &w->writer);
	if (w->finishing)
		finish_now(w);
	return 1;
}

static void
go_on_writing(struct wire *w)
{
	int r = flush(w), error = errno;

	if (r < 0) {
		/* A broken socket is writable for ever. */
		ev_io_stop(w->ev, &w->writer);
		buf_reset(&w->tx);
		w->events->broken(w->user, error);
	} else if (r > 0 && is_open(w)) {
		w->events->drained(w->user);
	}
}

static void
on_writable(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct wire *w = watcher->data;

	(void)ev;
	(void)revents;
	if (w->tls != NULL && tls_wants_write(w->tls) &&
	    buf_len(&w->tx) == 0) {
		ev_io_stop(w->ev, &w->writer);
		w->events->input(w->user);
		return;
	}
	go_on_writing(w);
}

/* ---- birth ---- */

static void
wire_init(struct wire *w, struct ev_loop *ev, int fd,
    const struct wire_events *events, void *user)
{
	*w = (struct wire){.ev = ev, .fd = fd, .events = events,
	    .user = user};
	buf_init(&w->tx, WIRE_TX_MAX);
	ev_io_init(&w->reader, on_readable, fd, EV_READ);
	ev_io_init(&w->writer, on_writable, fd, EV_WRITE);
	ev_prepare_init(&w->turn, on_turn);
	ev_set_priority(&w->turn, EV_MINPRI);
	w->reader.data = w->writer.data = w->turn.data = w;
}

void
wire_init_fd(struct wire *w, struct ev_loop *ev, int fd, bool connected,
    const struct wire_events *events, void *user)
{
	wire_init(w, ev, fd, events, user);
	/* A peer can vanish without a word. */
	sock_set_keepalive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_EVERY_S);
	if (connected)
		ev_io_start(ev, &w->reader);
}

void
wire_init_stream(struct wire *w, struct ev_loop *ev, struct chan *c,
    struct chan_stream *s, const struct wire_events *events, void *user)
{
	wire_init(w, ev, -1, events, user);
	w->chan = c;
	w->stream = s;
}

int
wire_start_tls(struct wire *w, struct tls_context *c, const char *server_name,
    struct error *e)
{
	struct tls_io io = {stream_read, stream_write, w};

	w->tls = w->fd != -1 ? tls_new_fd(c, w->fd, server_name, e)
			     : tls_new_io(c, &io, server_name, e);
	return w->tls == NULL ? -1 : 0;
}

int
wire_handshake(struct wire *w, struct error *e)
{
	int r = tls_handshake(w->tls, e);

	if (r == 0 && w->fd != -1 && tls_wants_write(w->tls))
		ev_io_start(w->ev, &w->writer);
	return r;
}

void
wire_watch_connect(struct wire *w)
{
	ev_io_start(w->ev, &w->writer);
}

void
wire_connected(struct wire *w)
{
	ev_io_start(w->ev, &w->reader);
}

/* ---- a stream's events ---- */

size_t
wire_feed(struct wire *w, struct bytes in)
{
	size_t left;

	if (w->paused)
		return 0;
	w->feed = in;
	w->events->input(w->user);
	left = w->stream == NULL ? 0 : w->feed.len;
	w->feed = bytes_of(NULL, 0);
	return in.len - left;
}

void
wire_feed_end(struct wire *w)
{
	w->feed_ended = true;
	if (!w->paused)
		w->events->input(w->user);
}

void
wire_writable(struct wire *w)
{
	/* What came meanwhile waits in the stream: a turn feeds it, too. */
	if (w->tls != NULL && buf_len(&w->tx) == 0 &&
	    tls_wants_write(w->tls))
		wire_kick(w);
	else
		go_on_writing(w);
}

void
wire_lost(struct wire *w)
{
	w->stream = NULL;
}

/* ---- reading ---- */

ssize_t
wire_read(struct wire *w, uint8_t *at, size_t cap)
{
	return w->tls == NULL ? socket_recv(w, at, cap)
			      : tls_read(w->tls, at, cap);
}

bool
wire_has_pending(const struct wire *w)
{
	return w->feed.len != 0 || (w->tls != NULL && tls_has_pending(w->tls));
}

void
wire_kick(struct wire *w)
{
	ev_feed_event(w->ev, &w->reader, EV_READ);
}

void
wire_pause(struct wire *w)
{
	if (w->paused)
		return;
	w->paused = true;
	if (w->fd != -1)
		ev_io_stop(w->ev, &w->reader);
}

void
wire_resume(struct wire *w)
{
	if (!w->paused)
		return;
	w->paused = false;
	if (w->fd != -1)
		ev_io_start(w->ev, &w->reader);
	/* TLS or the stream may hold bytes that nothing announces. */
	if (w->stream != NULL || wire_has_pending(w))
		wire_kick(w);
}

/* ---- writing ---- */

int
wire_write(struct wire *w, struct bytes in, bool *ret_none)
{
	size_t sent = 0;

	*ret_none = false;
	if (!is_open(w)) {
		errno = ECONNRESET;
		return -1;
	}
	while (buf_len(&w->tx) == 0 && sent < in.len) {
		ssize_t n = write_some(w, bytes_after(in, sent));

		if (n > 0) {
			sent += (size_t)n;
			continue;
		}
		if (n == -1 && errno != EAGAIN) {
			*ret_none = sent == 0;
			return -1;
		}
		if (w->fd != -1)
			ev_io_start(w->ev, &w->writer);
		break;
	}
	if (sent == in.len)
		return 0;
	return buf_add(&w->tx, bytes_after(in, sent));
}

size_t
wire_unwritten(const struct wire *w)
{
	return buf_len(&w->tx);
}

void
wire_finish(struct wire *w)
{
	if (w->finished || !is_open(w))
		return;
	w->finishing = true;
	if (buf_len(&w->tx) == 0)
		finish_now(w);
}

/* ---- death ---- */

static void
release(struct wire *w)
{
	ev_io_stop(w->ev, &w->reader);
	ev_io_stop(w->ev, &w->writer);
	ev_clear_pending(w->ev, &w->turn);
	if (w->tls != NULL) {
		tls_free(w->tls); /* closes the socket */
		w->tls = NULL;
		w->fd = -1;
	}
	io_close(&w->fd);
	w->stream = NULL;
	w->feed = bytes_of(NULL, 0);
	buf_reset(&w->tx);
}

void
wire_abort(struct wire *w, enum frame_code code, enum frame_blame blame,
    const char *text)
{
	if (w->fd != -1)
		sock_set_abort(w->fd);
	if (w->stream != NULL) {
		struct chan_stream *s = w->stream;

		s->user = NULL;
		w->stream = NULL;
		chan_reset(w->chan, s, code, blame, text);
	}
	release(w);
}

void
wire_close(struct wire *w)
{
	if (w->stream != NULL && !w->finished)
		finish_now(w);
	if (w->stream != NULL) {
		w->stream->user = NULL;
		chan_resume(w->chan, w->stream); /* drops what waits */
	}
	release(w);
}
