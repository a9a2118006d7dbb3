/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/server.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/metrics.h"
#include "cmd/mcp-proxy/policy.h"
#include "cmd/mcp-proxy/reload.h"
#include "cmd/mcp-proxy/service.h"
#include "cmd/mcp-proxy/setup.h"
#include "cmd/mcp-proxy/upstream.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/json.h"
#include "common/opt.h"
#include "common/proc.h"
#include "common/resolve.h"

struct server_hop {
	struct hop hop;
	struct server *server;
	struct server_hop *next, *prev;
	bool stdio;
};

static void drain(struct server *s);
static void end_if_empty(struct server *s);

/* ---- hops ---- */

static void
on_hello(void *user, struct bytes json)
{
	struct server_hop *h = user;

	hop_accept_any(&h->hop, json);
}

static void
on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	struct server_hop *h = user;

	(void)last;
	if (why->code != FRAME_DRAINING || chan_count(&h->hop.chan) == 0)
		hop_close(&h->hop, FRAME_DRAINING, BLAME_PROXY, "");
}

static bool
is_trace(const char *s)
{
	return strspn(s, "0123456789abcdef") == DOWNSTREAM_TRACE_LEN &&
	    s[DOWNSTREAM_TRACE_LEN] == '\0';
}

/* Whether there is room for a connection more.  Those that carry no request do
 * not keep others out; a peer that was told the limit never goes beyond, so
 * that a few places are kept free. */
static bool
has_room(struct proxy *p)
{
	size_t max = (size_t)p->config->streams_max;
	size_t spare = max / SERVER_SPARE_PART + (max > 1);

	if (p->downstream_count >= max - spare)
		downstream_make_room(p);
	return p->downstream_count < max;
}

static void
on_open(void *user, struct chan_stream *stream, struct bytes json)
{
	struct server_hop *h = user;
	struct proxy *p = &h->server->proxy;
	char kind[16], trace[64], peer[SOCK_TEXT_MAX];
	struct error e;
	jv open;

	if (json_parse_object(json, &open, &e) != 0) {
		chan_reset(&h->hop.chan, stream, FRAME_PROTOCOL,
		    BLAME_CONNECTOR, e.text);
		return;
	}
	if (json_get_str(open, "kind", kind, sizeof kind, &e) != 1 ||
	    strcmp(kind, "tls") != 0)
		chan_reset(&h->hop.chan, stream, FRAME_PROTOCOL,
		    BLAME_CONNECTOR, "OPEN: kind: not tls");
	else if (p->draining)
		chan_reset(&h->hop.chan, stream, FRAME_DRAINING, BLAME_PROXY,
		    "shutting down");
	else if (!has_room(p))
		chan_reset(&h->hop.chan, stream, FRAME_LIMIT, BLAME_PROXY,
		    "too many connections");
	else {
		if (json_get_str(open, "trace", trace, sizeof trace,
		    &e) != 1 || !is_trace(trace))
			trace[0] = '\0';
		if (json_get_str(open, "peer", peer, sizeof peer, &e) != 1)
			peer[0] = '\0';
		downstream_start_stream(p, &h->hop.chan, stream, trace, peer);
	}
	jv_free(open);
}

static size_t
on_data(void *user, struct chan_stream *stream, uint16_t channel,
    struct bytes in)
{
	struct downstream *d = stream->user;

	(void)user;
	(void)channel;
	return d == NULL ? in.len : wire_feed(&d->wire, in);
}

static void
on_end(void *user, struct chan_stream *stream)
{
	struct downstream *d = stream->user;

	(void)user;
	if (d != NULL)
		wire_feed_end(&d->wire);
}

static void
on_writable(void *user, struct chan_stream *stream)
{
	struct downstream *d = stream->user;

	(void)user;
	if (d != NULL)
		wire_writable(&d->wire);
}

static void
on_closed(void *user, struct chan_stream *stream,
    const struct frame_reason *why)
{
	struct downstream *d = stream->user;

	(void)user;
	if (d != NULL)
		downstream_lost(d, why);
}

static void
on_down(void *user, const struct frame_reason *why)
{
	struct server_hop *h = user;
	struct server *s = h->server;

	diag_info("hop down: %s/%s: %.*s", frame_code_name(why->code),
	    frame_blame_name(why->blame), (int)why->text.len,
	    (const char *)why->text.ptr);
	if (h->stdio && why->code == FRAME_PROTOCOL) {
		diag_error("standard input: %.*s", (int)why->text.len,
		    (const char *)why->text.ptr);
		s->status = EXIT_PERMANENT;
	}
	if (h->prev != NULL)
		h->prev->next = h->next;
	else
		s->hops = h->next;
	if (h->next != NULL)
		h->next->prev = h->prev;
	if (h->stdio && !s->proxy.draining)
		drain(s);
	leaving_forget(&s->proxy.leaving, &h->hop.chan);
	hop_done(&h->hop);
	free(h);
	end_if_empty(s);
}

static const struct chan_events chan_events = {
	.hello = on_hello, .goaway = on_goaway, .open = on_open,
	.data = on_data, .end = on_end, .writable = on_writable,
	.closed = on_closed, .one_channel = true,
};

/* Starts a hop over descriptors, which it owns from now on. */
static int
hop_add(struct server *s, int read_fd, int write_fd, bool stdio)
{
	struct server_hop *h = calloc(1, sizeof *h);
	struct hop_peer self = {.name = "mcp-proxy",
	    .version = ADIT_VERSION_STRING};
	int64_t streams = s->proxy.config->streams_max;
	struct hop_settings settings = {
		.limits.streams = (uint32_t)(streams < 65536 ? streams
		    : 65536),
		.events = &chan_events, .down = on_down, .user = h,
	};

	if (h == NULL) {
		io_close_pair(read_fd, write_fd);
		return -1;
	}
	h->server = s;
	h->stdio = stdio;
	if (hop_start_fds(&h->hop, &s->proxy.hops, read_fd, write_fd,
	    &settings) != 0) {
		free(h);
		return -1;
	}
	h->next = s->hops;
	if (h->next != NULL)
		h->next->prev = h;
	s->hops = h;
	hop_send_hello(&h->hop, &self);
	return 0;
}

static void
on_hop_accepted(struct server *s, int fd, const struct sock_addr *peer)
{
	(void)peer;
	if (hop_add(s, fd, fd, false) != 0)
		diag_warning("hop: %s", strerror(errno));
	else
		diag_info("hop up");
}

static int
stdio_start(struct server *s, struct error *e)
{
	int in, out;

	if (io_take_stdio(&in, &out, e) != 0)
		return -1;
	if (hop_add(s, in, out, true) != 0)
		return error_errno(e, "standard input and output");
	return 0;
}

/* ---- listeners ---- */

/* Whether something is to be said of agents, but not for each of a flood. */
static bool
may_warn(int64_t *last_ms)
{
	int64_t now_ms = clock_ms();

	if (*last_ms != 0 && now_ms - *last_ms < SERVER_WARN_MS)
		return false;
	*last_ms = now_ms;
	return true;
}

static void
on_tls_accepted(struct server *s, int fd, const struct sock_addr *peer)
{
	struct proxy *p = &s->proxy;

	if (!has_room(p)) {
		if (may_warn(&s->warned_ms))
			diag_warning("agents: more than %lld connections: "
			    "refused", (long long)p->config->streams_max);
		sock_set_abort(fd);
		close(fd);
		return;
	}
	downstream_start_fd(p, fd, peer);
}

static void
on_retry(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct listener *l = t->data;

	(void)revents;
	if (l->fd != -1)
		ev_io_start(ev, &l->io);
}

static void
on_acceptable(struct ev_loop *ev, ev_io *io, int revents)
{
	struct listener *l = io->data;

	(void)revents;
	for (int i = 0; i < SERVER_ACCEPTS_PER_TURN; i++) {
		struct sock_addr peer;
		int fd = sock_accept(l->fd, &peer);

		if (fd != -1) {
			l->accepted(l->server, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			int code = errno;

			if (may_warn(&l->warned_ms))
				diag_warning("accept: %s; again in %d ms",
				    strerror(code), SERVER_RETRY_MS);
			ev_io_stop(ev, io);
			ev_timer_set(&l->retry, SERVER_RETRY_MS / 1000.0, 0);
			ev_timer_start(ev, &l->retry);
		}
		return;
	}
}

static void
listener_start(struct server *s, struct listener *l, int fd)
{
	l->server = s;
	l->fd = fd;
	ev_io_init(&l->io, on_acceptable, fd, EV_READ);
	ev_timer_init(&l->retry, on_retry, 0, 0);
	l->io.data = l->retry.data = l;
	ev_io_start(s->proxy.ev, &l->io);
}

static void
listener_stop(struct server *s, struct listener *l)
{
	if (l->fd == -1)
		return;
	ev_io_stop(s->proxy.ev, &l->io);
	ev_timer_stop(s->proxy.ev, &l->retry);
	io_close(&l->fd);
}

static void
listeners_stop(struct server *s)
{
	if (s->hop_listener.fd != -1)
		unlink(s->listen_path);
	listener_stop(s, &s->hop_listener);
	listener_stop(s, &s->tls_listener);
}

static int
listeners_start(struct server *s, const struct server_sources *sources,
    struct error *e)
{
	int fd;

	if (sources->listen_path != NULL) {
		fd = sock_listen_unix(sources->listen_path, e);
		if (fd == -1)
			return -1;
		s->listen_path = sources->listen_path;
		s->hop_listener.accepted = on_hop_accepted;
		listener_start(s, &s->hop_listener, fd);
	}
	if (sources->listen_tls != NULL) {
		fd = sock_listen_tcp(sources->listen_tls, &s->tls_port, e);
		if (fd == -1)
			return -1;
		s->tls_listener.accepted = on_tls_accepted;
		listener_start(s, &s->tls_listener, fd);
	}
	return 0;
}

/* ---- the end ---- */

/* Ends the loop once nothing is left to finish. */
static void
end_if_empty(struct server *s)
{
	struct proxy *p = &s->proxy;

	if (!p->draining || p->downstream_count != 0)
		return;
	if (p->process_count != 0) {
		bridge_stop_all(p, false);
		return; /* until the last is gone */
	}
	for (struct server_hop *h = s->hops; h != NULL; h = h->next)
		hop_close(&h->hop, FRAME_DRAINING, BLAME_PROXY,
		    "shutting down");
	if (s->hops == NULL)
		ev_break(p->ev, EVBREAK_ALL);
}

static void
on_emptied(struct proxy *p)
{
	end_if_empty((struct server *)p);
}

/* Cuts off what has not finished. */
static void
abort_all(struct server *s)
{
	bridge_stop_all(&s->proxy, true);
	downstream_abort_all(&s->proxy);
}

static void
on_shutdown(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct server *s = t->data;

	(void)ev;
	(void)revents;
	diag_warning("shutdown: %zu connections cut off after %lld ms",
	    s->proxy.downstream_count,
	    (long long)s->proxy.config->shutdown_ms);
	abort_all(s);
}

/* Lets what runs finish and takes nothing more. */
static void
drain(struct server *s)
{
	struct frame_reason why = {.code = FRAME_DRAINING,
	    .blame = BLAME_PROXY, .text = bytes_cstr("shutting down")};

	s->proxy.draining = true;
	reload_stop(s);
	io_notify("STOPPING=1");
	diag_notice("shutting down: connections=%zu",
	    s->proxy.downstream_count);
	listeners_stop(s);
	for (struct server_hop *h = s->hops; h != NULL; h = h->next)
		chan_send_goaway(&h->hop.chan, &why);
	upstream_close_idle(&s->proxy);
	ev_timer_set(&s->shutdown,
	    (double)s->proxy.config->shutdown_ms / 1000, 0);
	ev_timer_start(s->proxy.ev, &s->shutdown);
	bridge_drain_all(&s->proxy);
	downstream_drain_all(&s->proxy);
	end_if_empty(s);
}

/* A second signal cuts off what still runs. */
static void
on_terminate(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct server *s = w->data;

	(void)ev;
	(void)revents;
	if (s->proxy.draining)
		abort_all(s);
	else
		drain(s);
}

static void
on_hangup(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct server *s = w->data;

	(void)ev;
	(void)revents;
	audit_reopen(&s->proxy.audit);
	if (!s->proxy.draining)
		reload_start(s);
}

static void
signals_start(struct server *s)
{
	struct ev_loop *ev = s->proxy.ev;

	ev_signal_init(&s->sigterm, on_terminate, SIGTERM);
	ev_signal_init(&s->sigint, on_terminate, SIGINT);
	ev_signal_init(&s->sighup, on_hangup, SIGHUP);
	ev_timer_init(&s->shutdown, on_shutdown, 0, 0);
	s->sigterm.data = s->sigint.data = s->sighup.data =
	    s->shutdown.data = s;
	ev_signal_start(ev, &s->sigterm);
	ev_signal_start(ev, &s->sigint);
	ev_signal_start(ev, &s->sighup);
	proc_take_hangup();
}

/* ---- the proxy ---- */

/* Gives memory back to the system after a crowd has gone: much of it lies in
 * pieces that the allocator would keep. */
static void
trim(struct proxy *p)
{
	if (p->downstream_count > p->downstream_peak)
		p->downstream_peak = p->downstream_count;
	if (p->downstream_peak < SERVER_CROWD ||
	    p->downstream_count > p->downstream_peak / 4)
		return;
	p->downstream_peak = p->downstream_count;
	malloc_trim(0);
}

/* Frees the memory of connections that ended in this turn. */
static void
on_reap(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct proxy *p = w->data;

	(void)ev;
	(void)revents;
	service_reap(p);
	if (p->dead == NULL)
		return;
	while (p->dead != NULL) {
		struct corpse *c = p->dead;

		p->dead = c->next;
		free(c);
	}
	trim(p);
}

static void
say_left_out(unsigned code, uint64_t n)
{
	diag_warning("request failed: code=%s left_out=%llu", code == 0
	    ? "other" : frame_code_name((uint16_t)code),
	    (unsigned long long)n);
}

static int
proxy_start(struct server *s, struct ev_loop *ev, struct error *e)
{
	struct proxy *p = &s->proxy;

	p->ev = ev;
	p->emptied = on_emptied;
	buf_init(&p->out, PROXY_OUT_MAX);
	hop_loop_init(&p->hops, ev);
	quiet_init(&p->quiet, ev, say_left_out);
	leaving_init(&p->leaving, ev);
	ev_prepare_init(&p->reaper, on_reap);
	p->reaper.data = p;
	ev_prepare_start(ev, &p->reaper);
	if (policy_start(p, e) != 0)
		return -1;
	return resolve_init(e);
}

static int
audit_start(struct proxy *p, bool check, struct error *e)
{
	const char *path = p->config->audit_file;

	e->code = EXIT_USAGE;
	if (!check)
		return audit_open(&p->audit, path, p->config->digest, e);
	return path == NULL ? 0 : auditfile_check(path, e);
}

int
server_start(struct server *s, struct ev_loop *ev, struct config *c,
    const struct server_sources *sources, struct error *e)
{
	struct setup setup;

	memset(s, 0, sizeof *s);
	s->hop_listener.fd = s->tls_listener.fd = -1;
	s->config_path = sources->config_path;
	s->level_from_file = sources->level_from_file;
	s->listens_by_file = sources->listen_tls != NULL &&
	    sources->listen_tls == c->listen_addr;
	e->code = EXIT_FAILED;
	if (proxy_start(s, ev, e) != 0) {
		config_free(c);
		return -1;
	}
	if (setup_prepare(&setup, &s->proxy, c, e) != 0)
		return -1;
	if (policy_wait(&s->proxy, e) != 0) {
		setup_cancel(&setup, &s->proxy);
		e->code = EXIT_USAGE;
		return -1;
	}
	keys_start(&s->keys, &s->proxy, &setup.keys);
	kept_start(&s->proxy);
	setup_use(&setup, &s->proxy);
	reload_init(s);
	reload_level(s);
	if (audit_start(&s->proxy, sources->check, e) != 0)
		return -1;
	if (metrics_start(s, sources->metrics, e) != 0) {
		e->code = EXIT_USAGE;
		return -1;
	}
	signals_start(s);
	e->code = EXIT_FAILED;
	if (listeners_start(s, sources, e) != 0)
		return -1;
	return sources->stdio ? stdio_start(s, e) : 0;
}

int
server_run(struct server *s)
{
	ev_run(s->proxy.ev, 0);
	return s->status;
}

void
server_done(struct server *s)
{
	struct proxy *p = &s->proxy;

	p->draining = false; /* nothing is to be ended any more */
	promfile_stop(&s->promfile);
	reload_stop(s);
	downstream_abort_all(p);
	leaving_done(&p->leaving);
	while (s->hops != NULL) {
		struct server_hop *h = s->hops;

		s->hops = h->next;
		hop_done(&h->hop);
		free(h);
	}
	listeners_stop(s);
	if (s->keys.proxy != NULL) {
		keys_stop(&s->keys);
		kept_stop(p);
	}
	setup_end(p);
	bridge_free_all(p);
	policy_end_all(p);
	resolve_exit();
	on_reap(p->ev, &p->reaper, 0);
	policy_stop(p);
	audit_close(&p->audit);
	quiet_done(&p->quiet);
	buf_reset(&p->out);
}
