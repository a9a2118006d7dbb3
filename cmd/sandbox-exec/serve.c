/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/sock.h"

/* ---- streams ---- */

void
serve_refuse(struct client *c, struct chan_stream *s, enum frame_code code,
    const char *text)
{
	chan_reset(&c->hop.chan, s, code, BLAME_SANDBOX, text);
}

void
serve_send_event(struct served *s, struct buf *json)
{
	if (s->stream != NULL)
		chan_send_event(&s->client->hop.chan, s->stream,
		    buf_bytes(json));
}

bool
serve_take_sandbox(struct client *c, struct chan_stream *s)
{
	struct server *server = c->server;
	struct error e;

	if (server->sandboxes < (size_t)server->options->sandboxes_max) {
		server->sandboxes++;
		return true;
	}
	error_set(&e, "more than %lld sandboxes at once",
	    (long long)server->options->sandboxes_max);
	serve_refuse(c, s, FRAME_LIMIT, e.text);
	return false;
}

/* A hop that closes ends all of its streams, which is not for the middle of
 * one's handler. */
static void
on_drained(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct server *s = w->data;
	struct client *next;

	(void)loop;
	(void)revents;
	for (struct client *c = s->clients; c != NULL; c = next) {
		next = c->next;
		if (c->work == 0)
			hop_close(&c->hop, FRAME_DRAINING, BLAME_SANDBOX, "");
	}
}

void
serve_work_begins(struct client *c)
{
	c->work++;
}

void
serve_work_ends(struct client *c)
{
	struct server *s = c->server;

	c->work--;
	if (s->draining)
		ev_feed_event(s->loop, &s->drained, EV_CUSTOM);
}

/* ---- events of a hop ---- */

static void
on_hello(void *user, struct bytes json)
{
	struct client *c = user;

	hop_accept_any(&c->hop, json);
}

static void
on_auth(void *user, struct bytes token)
{
	struct client *c = user;

	(void)token;
	hop_close(&c->hop, FRAME_PROTOCOL, BLAME_LINK, "AUTH: not a link");
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct client *c = user;
	struct request r;
	struct error e;

	if (request_parse(json, &r, &e) != 0) {
		serve_refuse(c, s, (enum frame_code)e.code, e.text);
		return;
	}
	switch (r.kind) {
	case REQUEST_SESSION:
		serve_session_open(c, s, &r);
		break;
	case REQUEST_TOOL:
		serve_tool_open(c, s, &r);
		break;
	case REQUEST_EXEC:
		serve_exec_open(c, s, &r);
		break;
	}
	request_done(&r);
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	struct served *served = s->user;

	(void)user;
	return served->events->data(served, channel, in);
}

static void
on_end(void *user, struct chan_stream *s)
{
	struct served *served = s->user;

	(void)user;
	served->events->end(served);
}

static void
on_writable(void *user, struct chan_stream *s)
{
	struct served *served = s->user;

	(void)user;
	served->events->writable(served);
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	struct served *served = s->user;

	(void)user;
	(void)why;
	served->stream = NULL;
	served->events->closed(served);
}

/* After GOAWAY the initiator opens nothing more; what it has goes on. */
static const struct chan_events chan_events = {
	.hello = on_hello, .auth = on_auth, .open = on_open, .data = on_data,
	.end = on_end, .writable = on_writable, .closed = on_closed,
};

/* ---- clients ---- */

static void
check_end(struct server *s)
{
	if (s->clients == NULL && (s->stdio || s->draining))
		ev_break(s->loop, EVBREAK_ALL);
}

/* An initiator that closes in good order says GOAWAY or just ends. */
static void
on_down(void *user, const struct frame_reason *why)
{
	struct client *c = user;
	struct server *s = c->server;
	struct client **link = &s->clients;

	if (why->code == FRAME_PROTOCOL) {
		diag_warning("hop: %.*s", (int)why->text.len,
		    (const char *)why->text.ptr);
		s->status = s->stdio ? EXIT_PERMANENT : s->status;
	}
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	s->client_count--;
	hop_done(&c->hop);
	free(c);
	check_end(s);
}

/* Takes the descriptors.  Returns 0, or -1 with errno. */
static int
add_client(struct server *s, int read_fd, int write_fd)
{
	struct client *c = calloc(1, sizeof *c);
	struct hop_peer self = {.name = "sandbox-exec",
		.version = ADIT_VERSION_STRING};
	struct hop_settings settings = {.events = &chan_events,
		.down = on_down, .user = c, .patient = s->stdio};

	if (c == NULL) {
		io_close_pair(read_fd, write_fd);
		return -1;
	}
	c->server = s;
	if (hop_start_fds(&c->hop, &s->hops, read_fd, write_fd,
	    &settings) != 0) {
		free(c);
		return -1;
	}
	c->next = s->clients;
	s->clients = c;
	s->client_count++;
	hop_send_hello(&c->hop, &self);
	return 0;
}

static void
on_rested(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct server *s = w->data;

	(void)revents;
	ev_io_start(loop, &s->listener);
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct server *s = w->data;
	int fd = sock_accept(w->fd, NULL);

	(void)revents;
	if (fd == -1) {
		if (errno == EAGAIN || errno == EINTR ||
		    errno == ECONNABORTED)
			return;
		/* It stays in the queue and would wake us at once again. */
		diag_warning("accept: %s; again in %d ms", strerror(errno),
		    SERVE_REST_MS);
		ev_io_stop(loop, w);
		ev_timer_set(&s->rest, SERVE_REST_MS / 1000.0, 0.0);
		ev_timer_start(loop, &s->rest);
		return;
	}
	if (s->client_count >= SERVE_CLIENTS_MAX)
		io_close(&fd);
	else
		add_client(s, fd, fd);
}

/* ---- the end ---- */

static void
stop_listening(struct server *s)
{
	if (s->stdio)
		return;
	ev_io_stop(s->loop, &s->listener);
	ev_timer_stop(s->loop, &s->rest);
	unlink(s->options->listen);
}

/* First what runs may end; then, or when told again, everything does. */
static void
drain(struct server *s, bool at_once)
{
	struct client *next;
	struct frame_reason why = {.code = FRAME_DRAINING,
		.blame = BLAME_SANDBOX};

	if (!s->draining) {
		s->draining = true;
		stop_listening(s);
		ev_timer_start(s->loop, &s->drain);
		io_notify("STOPPING=1");
	}
	for (struct client *c = s->clients; c != NULL; c = next) {
		next = c->next;
		if (at_once)
			hop_close(&c->hop, FRAME_DRAINING, BLAME_SANDBOX, "");
		else if (c->work != 0)
			chan_send_goaway(&c->hop.chan, &why);
	}
	ev_feed_event(s->loop, &s->drained, EV_CUSTOM);
	check_end(s);
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct server *s = w->data;

	(void)loop;
	(void)revents;
	drain(s, s->draining);
}

/* What stands can go on. */
static void
on_zygote_gone(struct ev_loop *loop, ev_io *w, int revents)
{
	struct server *s = w->data;

	(void)revents;
	ev_io_stop(loop, w);
	diag_error(ZYGOTE_GONE);
	s->status = EXIT_SANDBOX;
	if (!s->draining)
		drain(s, false);
}

static void
on_drain_end(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	drain(w->data, true);
}

/* ---- the beginning ---- */

static int
listen_at(struct server *s, const char *path, struct error *e)
{
	int fd = sock_listen_unix(path, e);

	if (fd == -1)
		return -1;
	ev_io_init(&s->listener, on_accept, fd, EV_READ);
	ev_timer_init(&s->rest, on_rested, 0.0, 0.0);
	s->listener.data = s->rest.data = s;
	ev_io_start(s->loop, &s->listener);
	return 0;
}

static int
serve_stdio(struct server *s, struct error *e)
{
	int in, out;

	if (io_take_stdio(&in, &out, e) != 0)
		return -1;
	if (add_client(s, in, out) != 0)
		return error_errno(e, "standard input and output");
	return 0;
}

static void
watch_signals(struct server *s)
{
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&s->term, on_signal, SIGTERM);
	ev_signal_init(&s->interrupt, on_signal, SIGINT);
	ev_timer_init(&s->drain, on_drain_end, SERVE_DRAIN_MS / 1000.0, 0.0);
	ev_timer_init(&s->drained, on_drained, 0.0, 0.0);
	ev_io_init(&s->zygote_gone, on_zygote_gone, s->zygote.fd, EV_READ);
	s->term.data = s->interrupt.data = s->drain.data = s->drained.data = s;
	s->zygote_gone.data = s;
	ev_io_start(s->loop, &s->zygote_gone);
	ev_signal_start(s->loop, &s->term);
	ev_signal_start(s->loop, &s->interrupt);
}

int
serve_run(const struct options *o, struct audit *audit,
    const struct zygote *z)
{
	static struct server s;
	struct error e;
	int r;

	s.options = o;
	s.audit = audit;
	s.zygote = *z;
	s.stdio = o->listen == NULL;
	s.loop = ev_default_loop(EVFLAG_NOENV);
	hop_loop_init(&s.hops, s.loop);
	watch_signals(&s);
	r = s.stdio ? serve_stdio(&s, &e) : listen_at(&s, o->listen, &e);
	if (r != 0) {
		diag_error("%s", e.text);
		return EXIT_SANDBOX;
	}
	io_announce_ready(o->ready_fd, s.stdio ? "ready" : o->listen);
	ev_run(s.loop, 0);
	return s.status;
}
