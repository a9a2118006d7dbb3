/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io.h"
#include "common/offer.h"

int
output_open(struct output *o, int from, int to, int64_t cap)
{
	o->from = from;
	o->to = to;
	o->head_left = cap - cap / 2;
	o->tail_size = (size_t)(cap / 2);
	o->tail_at = o->tail_used = o->pending_used = 0;
	o->dropped = 0;
	o->failed = 0;
	o->tail = malloc(o->tail_size + 1);
	return o->tail == NULL ? -1 : io_set_nonblock(from, true);
}

void
output_poll(const struct output *o, struct pollfd at[static 2])
{
	at[0] = (struct pollfd){.fd = o->pending_used == 0 ? o->from : -1,
		.events = POLLIN};
	at[1] = (struct pollfd){.fd = o->pending_used != 0 ? o->to : -1,
		.events = POLLOUT};
}

static void
keep_tail(struct output *o, const uint8_t *in, size_t len)
{
	for (size_t n; len != 0; in += n, len -= n) {
		if (o->tail_size == 0) {
			o->dropped += len;
			return;
		}
		n = o->tail_size - o->tail_at;
		n = n < len ? n : len;
		memcpy(o->tail + o->tail_at, in, n);
		o->tail_at = (o->tail_at + n) % o->tail_size;
		o->tail_used += n;
		if (o->tail_used > o->tail_size) {
			o->dropped += o->tail_used - o->tail_size;
			o->tail_used = o->tail_size;
		}
	}
}

/* Reads once.  Returns whether there may be more. */
static bool
take(struct output *o)
{
	uint8_t in[sizeof o->pending];
	ssize_t n = read(o->from, in, sizeof in);
	size_t head;

	if (n == -1 && errno == EINTR)
		return true;
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			io_close(&o->from);
		return false;
	}
	head = o->head_left < n ? (size_t)o->head_left : (size_t)n;
	o->head_left -= (int64_t)head;
	memcpy(o->pending, in, head);
	o->pending_used = head;
	keep_tail(o, in + head, (size_t)n - head);
	return true;
}

static bool
put(struct output *o, struct bytes out)
{
	if (o->failed != 0)
		return false;
	if (offer_all(o->to, out) == 0)
		return true;
	if (errno != EPIPE)
		o->failed = errno;
	return false;
}

/* Nobody takes any more: neither do we, and the payload gets SIGPIPE as it
 * would have without us. */
static void
give_up(struct output *o)
{
	io_close(&o->from);
	o->pending_used = 0;
}

static void
pass_on(struct output *o)
{
	if (!put(o, bytes_of(o->pending, o->pending_used)))
		give_up(o);
	o->pending_used = 0;
}

/* The supervisor has more to do than to wait for a reader; another stream may
 * have filled the same pipe since it was looked at. */
static void
offer(struct output *o)
{
	ssize_t n = offer_write(o->to, bytes_of(o->pending, o->pending_used));

	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1) {
		o->failed = errno == EPIPE ? 0 : errno;
		give_up(o);
		return;
	}
	o->pending_used -= (size_t)n;
	memmove(o->pending, o->pending + n, o->pending_used);
}

void
output_work(struct output *o, const struct pollfd at[static 2])
{
	if (at[1].revents != 0 && o->pending_used != 0)
		offer(o);
	if (at[0].revents != 0 && o->from != -1 && o->pending_used == 0)
		take(o);
}

void
output_finish(struct output *o)
{
	char line[64];
	size_t start, first;

	do {
		if (o->pending_used != 0)
			pass_on(o);
	} while (o->from != -1 && take(o));
	if (o->pending_used != 0)
		pass_on(o);
	start = o->tail_used < o->tail_size ? 0 : o->tail_at;
	first = o->tail_used - start;
	if (o->dropped != 0) {
		snprintf(line, sizeof line, "\n[%" PRIu64 " bytes dropped]\n",
		    o->dropped);
		if (!put(o, bytes_cstr(line)))
			return;
	}
	if (put(o, bytes_of(o->tail + start, first)))
		put(o, bytes_of(o->tail, o->tail_used - first));
}

void
output_close(struct output *o)
{
	io_close(&o->from);
	free(o->tail);
	o->tail = NULL;
}
