/* SPDX-License-Identifier: ISC */

/* The far end of a measured tunnel that hands its streams on as frames: the
 * acceptor of hops on a Unix socket, where each stream is served as service.h
 * says, after `skip` bytes of a ClientHello that the payload follows.  Prints
 * "unix PATH" when it is serving and runs until killed. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <ev.h>

#include "bench.h"
#include "common/hop.h"
#include "common/sock.h"
#include "service.h"

/* A Unix socket's buffer; large, so that the sink's system calls do not show
 * in bulk results. */
#define SOCKET_BUFFER_LEN (512 * 1024)

struct sink {
	struct hop_loop loop;
	ev_io listener;
	uint64_t skip;
};

/* One connector. */
struct client {
	struct hop hop;
	const struct sink *sink;
};

struct flow {
	struct service service;
	uint64_t owed;              /* bytes of any content still to send */
};

static void
on_hello(void *user, struct bytes json)
{
	struct client *c = user;

	hop_accept_any(&c->hop, json);
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	const struct client *c = user;
	struct flow *f = calloc(1, sizeof(*f));

	(void)json;
	if (f == NULL)
		bench_fail("stream");
	service_init(&f->service, c->sink->skip);
	s->user = f;
}

/* What lies in the queue's memory is content enough. */
static void
send_owed(struct client *c, struct chan_stream *s)
{
	struct flow *f = s->user;
	size_t room;

	while (f->owed > 0 && chan_reserve(&c->hop.chan, s, &room) != NULL) {
		size_t n = f->owed < room ? (size_t)f->owed : room;
		chan_commit(&c->hop.chan, s, 0, n);
		f->owed -= n;
	}
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	struct client *c = user;
	struct flow *f = s->user;
	struct reply r;

	(void)channel;
	if (service_take(&f->service, in.ptr, in.len, &r) != 0) {
		free(f);
		chan_reset(&c->hop.chan, s, FRAME_PROTOCOL, BLAME_CLIENT,
		    "unknown request");
		return in.len;
	}
	if (r.ptr == NULL) {
		f->owed += r.len;
		send_owed(c, s);
		return in.len;
	}
	/* An echo ends where the input does; what is not sent now is offered
	 * again. */
	size_t sent = chan_send(&c->hop.chan, s, 0,
	    bytes_of(r.ptr, (size_t)r.len));
	return in.len - ((size_t)r.len - sent);
}

static void
on_writable(void *user, struct chan_stream *s)
{
	struct client *c = user;
	const struct flow *f = s->user;

	if (f->owed > 0)
		send_owed(c, s);
	else
		chan_resume(&c->hop.chan, s);
}

static void
on_end(void *user, struct chan_stream *s)
{
	struct client *c = user;

	chan_end(&c->hop.chan, s);
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	(void)user;
	(void)why;
	free(s->user);
}

static void
on_down(void *user, const struct frame_reason *why)
{
	struct client *c = user;

	(void)why;
	hop_done(&c->hop);
	free(c);
}

static const struct chan_events events = {
	.hello = on_hello, .open = on_open, .data = on_data, .end = on_end,
	.writable = on_writable, .closed = on_closed,
};

static void
client_start(struct sink *sink, int fd)
{
	struct hop_peer self = { .name = "frame-sink" };
	struct client *c = calloc(1, sizeof(*c));
	struct hop_settings settings = {
		.events = &events, .down = on_down, .user = c,
		.limits = { .streams = 4096 },
	};
	int len = SOCKET_BUFFER_LEN;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
	if (c == NULL || hop_start_fds(&c->hop, &sink->loop, fd, fd,
	    &settings) != 0)
		bench_fail("client");
	c->sink = sink;
	hop_send_hello(&c->hop, &self);
}

static void
on_connection(struct ev_loop *loop, ev_io *w, int revents)
{
	int fd;

	(void)loop;
	(void)revents;
	while ((fd = sock_accept(w->fd, NULL)) >= 0)
		client_start(w->data, fd);
}

static const char *
options_parse(int argc, char **argv, struct sink *sink)
{
	static const struct option options[] = {
		{ "skip", required_argument, NULL, 's' },
		{ "unix", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			sink->skip = bench_number(optarg);
		else if (opt == 'u')
			path = optarg;
		else
			exit(2);
	}
	if (path == NULL) {
		fprintf(stderr, "frame-sink: --unix PATH is required\n");
		exit(2);
	}
	return path;
}

int
main(int argc, char **argv)
{
	struct sink sink = { .skip = 0 };
	const char *path = options_parse(argc, argv, &sink);
	int fd = bench_listen_unix(path);

	if (fd < 0)
		bench_fail(path);
	signal(SIGPIPE, SIG_IGN);
	hop_loop_init(&sink.loop, EV_DEFAULT);
	ev_io_init(&sink.listener, on_connection, fd, EV_READ);
	sink.listener.data = &sink;
	ev_io_start(EV_DEFAULT, &sink.listener);
	printf("unix %s\n", path);
	if (fflush(stdout) != 0)
		bench_fail("stdout");
	ev_run(EV_DEFAULT, 0);
	return 1;
}
