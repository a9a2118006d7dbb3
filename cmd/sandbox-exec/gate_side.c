/* SPDX-License-Identifier: ISC */
/* Bytes in and out of the two sockets of a client. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/sandbox-exec/gate_client.h"
#include "common/io.h"

enum {
	BULK_LEAST = 16384, /* of a turn, for another without copying */
	MOVES_MAX = 8,      /* pipes full, before others get their turn */
};

void
gate_side_close(struct client *c, struct side *s)
{
	ev_io_stop(c->gate->ev, &s->io);
	io_close(&s->fd);
	if (s->pipe != NULL)
		gate_pipe_give(&c->gate->pipes, s->pipe);
	s->pipe = NULL;
}

static bool
is_passing(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Whether what a side sends is passed on as it is: nothing has to be read in
 * it, and all that had to be has gone out or waits to. */
static bool
is_raw(const struct client *c, const struct side *s)
{
	if (c->state != CLIENT_RELAYING)
		return false;
	return s == &c->client ?
	    !c->http && buf_len(&c->from_client) == 0 :
	    (!c->http || c->response_done) && buf_len(&c->from_server) == 0;
}

/* What waits to be sent to the other side. */
static struct buf *
output_of(struct client *c, const struct side *s)
{
	return s == &c->client ? &c->to_server : &c->to_client;
}

static struct side *
other_side(struct client *c, const struct side *s)
{
	return s == &c->client ? &c->server : &c->client;
}

static struct buf *
input_of(struct client *c, const struct side *s)
{
	if (is_raw(c, s))
		return output_of(c, s);
	return s == &c->client ? &c->from_client : &c->from_server;
}

static ssize_t
send_some(struct side *to, struct bytes out)
{
	ssize_t n = send(to->fd, out.ptr, out.len, MSG_NOSIGNAL);

	if (n < 0)
		return is_passing() ? 0 : -1;
	to->sent += (uint64_t)n;
	return n;
}

/* Takes in what was read: past the buffer, as far as the other side takes
 * it. */
static bool
take_in(struct client *c, struct side *s, struct bytes in)
{
	struct buf *b = input_of(c, s);
	ssize_t n;

	if (is_raw(c, s) && buf_len(b) == 0) {
		n = send_some(other_side(c, s), in);
		if (n < 0)
			return false;
		in = bytes_after(in, (size_t)n);
	}
	return in.len == 0 || buf_add(b, in) == 0;
}

bool
gate_side_read(struct client *c, struct side *s)
{
	uint8_t *chunk = c->gate->chunk;
	ssize_t n;

	if (s->is_bulk && is_raw(c, s) && buf_len(output_of(c, s)) == 0) {
		if (s->pipe == NULL)
			s->pipe = gate_pipe_take(&c->gate->pipes);
		if (s->pipe != NULL)
			return true;
	}
	n = read(s->fd, chunk, GATE_CHUNK);
	if (n < 0)
		return is_passing();
	s->eof = n == 0;
	s->is_bulk = n == GATE_CHUNK;
	return s->eof || take_in(c, s, bytes_of(chunk, (size_t)n));
}

/* Returns 1 if there may be more, 0 if one of the two has to be waited for,
 * -1 if it is broken. */
static int
move_once(struct side *from, struct side *to, size_t *total)
{
	ssize_t n;

	if (from->pipe->len == 0) {
		if (from->eof)
			return 0;
		n = gate_pipe_fill(from->pipe, from->fd);
		if (n < 0)
			return is_passing() ? 0 : -1;
		from->eof = n == 0;
		if (n == 0)
			return 0;
		*total += (size_t)n;
	}
	n = gate_pipe_drain(from->pipe, to->fd);
	if (n < 0)
		return is_passing() ? 0 : -1;
	to->sent += (uint64_t)n;
	return 1;
}

/* Moves what comes from a side to the other through its pipe, which is given
 * back empty. */
static bool
move_bulk(struct client *c, struct side *from)
{
	struct side *to = other_side(c, from);
	bool was_waiting = from->pipe->len != 0;
	size_t total = 0;
	int r = 1;

	for (int i = 0; i < MOVES_MAX && r == 1; i++)
		r = move_once(from, to, &total);
	if (r < 0)
		return false;
	if (!was_waiting && total < BULK_LEAST)
		from->is_bulk = false;
	if (from->pipe->len == 0) {
		gate_pipe_give(&c->gate->pipes, from->pipe);
		from->pipe = NULL;
	}
	return true;
}

/* Sends the other side what a side has sent. */
static bool
flush_from(struct client *c, struct side *from)
{
	struct side *to = other_side(c, from);
	struct buf *b = output_of(c, from);
	ssize_t n;

	if (to->fd == -1)
		return true;
	if (buf_len(b) != 0) {
		n = send_some(to, buf_bytes(b));
		if (n < 0)
			return false;
		buf_drop(b, (size_t)n);
	}
	return buf_len(b) != 0 || from->pipe == NULL || move_bulk(c, from);
}

bool
gate_side_flush(struct client *c)
{
	bool good = flush_from(c, &c->server);

	if (c->state == CLIENT_RELAYING)
		good = flush_from(c, &c->client) && good;
	return good;
}

bool
gate_side_is_passed(const struct client *c, const struct side *s)
{
	const struct buf *b = s == &c->client ? &c->to_server : &c->to_client;

	return buf_len(b) == 0 && s->pipe == NULL;
}

static void
watch_side(struct client *c, struct side *s, int events)
{
	if (s->fd == -1)
		return;
	if ((s->io.events & (EV_READ | EV_WRITE)) == events &&
	    ev_is_active(&s->io) == (events != 0))
		return;
	ev_io_stop(c->gate->ev, &s->io);
	ev_io_set(&s->io, s->fd, events);
	if (events != 0)
		ev_io_start(c->gate->ev, &s->io);
}

static bool
wants_read(struct client *c, const struct side *s)
{
	return !s->eof && s->pipe == NULL &&
	    buf_len(input_of(c, s)) < GATE_BUFFER_HIGH &&
	    buf_len(output_of(c, s)) < GATE_BUFFER_HIGH;
}

void
gate_side_watch(struct client *c)
{
	int of_client = 0, of_server = 0;

	if (wants_read(c, &c->client))
		of_client |= EV_READ;
	if (!gate_side_is_passed(c, &c->server))
		of_client |= EV_WRITE;
	if (c->state == CLIENT_DIALING)
		of_server |= EV_WRITE;
	if (c->state == CLIENT_RELAYING) {
		if (wants_read(c, &c->server))
			of_server |= EV_READ;
		if (!gate_side_is_passed(c, &c->client))
			of_server |= EV_WRITE;
	}
	watch_side(c, &c->client, of_client);
	watch_side(c, &c->server, of_server);
}
