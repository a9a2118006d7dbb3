/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/link.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/tunnel-up/relay.h"
#include "common/diag.h"
#include "common/opt.h"

/* ---- the end ---- */

/* Frees everything but the struct's memory. */
static void
link_release(struct link *l)
{
	struct ev_loop *ev = l->settings->loop->ev;

	ev_timer_stop(ev, &l->deadline);
	ev_io_stop(ev, &l->io);
	dial_cancel(l->dial);
	l->dial = NULL;
	if (l->state < LINK_GREETING)
		tls_free(l->tls);
	else
		hop_done(&l->hop);
	l->tls = NULL;
}

void
link_free(struct link *l)
{
	link_release(l);
	free(l);
}

static void
link_fail(struct link *l, const struct failure *why)
{
	link_release(l);
	l->settings->down(l->settings->user, l, why);
	free(l);
}

static void
on_hop_down(void *user, const struct frame_reason *why)
{
	struct link *l = user;
	char text[FRAME_TEXT_MAX + 1];
	const char *code = frame_code_name(why->code);
	const char *tls = tls_error(l->tls);
	struct failure f;

	str_from_bytes(text, sizeof text, why->text);
	if (l->told)
		failure_set(&f, (enum frame_code)why->code,
		    (enum frame_blame)why->blame,
		    "refused by the edge: %s%s%s", code,
		    text[0] == '\0' ? "" : ": ", text);
	else
		failure_set(&f, (enum frame_code)why->code,
		    (enum frame_blame)why->blame, "%s: %s",
		    l->state >= LINK_UP ? "link lost" : "greeting",
		    why->code == FRAME_ABORTED &&
		    tls[0] != '\0' ? tls : text[0] != '\0' ? text : code);
	f.permanent = l->told && failure_is_permanent(f.code);
	link_fail(l, &f);
}

static void
on_deadline(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct link *l = w->data;
	struct failure why;

	(void)ev;
	(void)revents;
	if (l->state == LINK_HANDSHAKE) {
		failure_set(&why, FRAME_TIMEOUT, BLAME_TLS,
		    "TLS handshake: no answer in %g s",
		    (double)l->settings->timeout_ms / 1000);
		link_fail(l, &why);
	} else {
		hop_close(&l->hop, FRAME_TIMEOUT, BLAME_EDGE, "no HELLO");
	}
}

/* ---- frames of the link ---- */

static void
on_hello(void *user, struct bytes json)
{
	struct link *l = user;
	struct chan_limits limits;
	struct hop_peer peer;
	struct error e;

	if (hop_parse_hello(json, &peer, &limits, &e) != 0) {
		hop_close(&l->hop, FRAME_PROTOCOL, BLAME_EDGE, e.text);
		return;
	}
	ev_timer_stop(l->settings->loop->ev, &l->deadline);
	l->state = LINK_UP;
	chan_set_peer(&l->hop.chan, &limits);
	chan_send_ping(&l->hop.chan, clock_us());
	l->settings->up(l->settings->user, l, &peer);
}

static void
on_auth(void *user, struct bytes token)
{
	struct link *l = user;

	(void)token;
	hop_close(&l->hop, FRAME_PROTOCOL, BLAME_EDGE, "AUTH from an edge");
}

static void
on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	struct link *l = user;
	char text[FRAME_TEXT_MAX + 1];

	(void)last;
	if (why->code == FRAME_DRAINING && l->state >= LINK_UP) {
		if (l->state == LINK_UP) {
			l->state = LINK_DRAINING;
			l->settings->draining(l->settings->user, l);
		}
		return;
	}
	str_from_bytes(text, sizeof text, why->text);
	l->told = true;
	hop_close(&l->hop, (enum frame_code)why->code,
	    (enum frame_blame)why->blame, text);
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct link *l = user;
	struct local *local = l->settings->local;

	if (local == NULL)
		relay_open(&l->hop.chan, s, json, NULL, l->settings->edge,
		    false);
	else
		relay_open(&l->hop.chan, s, json, local_chan(local),
		    l->settings->edge, l->settings->admits(l->settings->user));
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	const struct link *l = user;
	struct frame_reason lost = {
		.code = FRAME_ABORTED, .blame = BLAME_LINK,
		.text = bytes_cstr("the link was lost"),
	};

	relay_closed(s, l->hop.state == HOP_RUNNING ? why : &lost);
}

static const struct chan_events events = {
	.hello = on_hello, .auth = on_auth, .goaway = on_goaway,
	.open = on_open, .data = relay_data, .end = relay_end,
	.event = relay_event, .writable = relay_writable,
	.closed = on_closed,
};

/* ---- from the socket to the greeting ---- */

static void
greet(struct link *l)
{
	const struct link_settings *s = l->settings;
	const char *token = s->credentials->token;
	struct hop_settings hop = {
		.initiator = true, .ping_ms = s->ping_ms, .events = &events,
		.down = on_hop_down, .user = l,
	};
	struct hop_peer self = {
		.name = "tunnel-up", .version = ADIT_VERSION_STRING,
		.generation = l->generation,
	};
	struct transport t;
	struct failure why;
	char tls[64];

	str_format(self.instance, sizeof self.instance, "%s", s->instance);
	diag_debug("%s: %s", s->edge, tls_describe(l->tls, tls));
	tls_transport(l->tls, &t);
	if (hop_start(&l->hop, s->loop, &t, &hop) != 0) {
		l->tls = NULL; /* hop_start closed it */
		failure_set(&why, FRAME_INTERNAL, BLAME_CONNECTOR,
		    "out of memory");
		link_fail(l, &why);
		return;
	}
	l->state = LINK_GREETING;
	hop_send_hello(&l->hop, &self);
	if (token[0] != '\0')
		chan_send_auth(&l->hop.chan, bytes_cstr(token));
}

static void
shake_hands(struct link *l)
{
	struct ev_loop *ev = l->settings->loop->ev;
	struct failure why;
	struct error e;
	int fd = l->io.fd;
	int r = tls_handshake(l->tls, &e);

	ev_io_stop(ev, &l->io);
	if (r < 0) {
		failure_set(&why, FRAME_REFUSED, BLAME_TLS, "%s", e.text);
		link_fail(l, &why);
	} else if (r > 0) {
		greet(l);
	} else {
		ev_io_set(&l->io, fd,
		    tls_wants_write(l->tls) ? EV_WRITE : EV_READ);
		ev_io_start(ev, &l->io);
	}
}

static void
on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	(void)ev;
	(void)revents;
	shake_hands(w->data);
}

static void
on_dialed(void *user, int fd, const struct failure *why)
{
	struct link *l = user;
	struct failure f;
	struct error e;

	l->dial = NULL;
	if (fd == -1) {
		link_fail(l, why);
		return;
	}
	l->tls = tls_new_fd(l->settings->credentials->tls, fd,
	    l->settings->server_name, &e);
	if (l->tls == NULL) {
		close(fd);
		failure_set(&f, FRAME_INTERNAL, BLAME_TLS, "%s", e.text);
		link_fail(l, &f);
		return;
	}
	l->state = LINK_HANDSHAKE;
	ev_io_set(&l->io, fd, EV_READ);
	ev_timer_start(l->settings->loop->ev, &l->deadline);
	shake_hands(l);
}

struct link *
link_start(const struct link_settings *settings, int64_t generation,
    struct failure *ret_why)
{
	struct dial_request request = {
		.host = settings->host, .port = settings->port,
		.proxy = settings->proxy, .timeout_ms = settings->timeout_ms,
		.done = on_dialed,
	};
	struct link *l = calloc(1, sizeof *l);
	struct error e;

	error_set(&e, "connect: out of memory");
	if (l != NULL) {
		l->settings = settings;
		l->generation = generation;
		ev_init(&l->io, on_io);
		ev_timer_init(&l->deadline, on_deadline,
		    (double)settings->timeout_ms / 1000, 0);
		l->io.data = l->deadline.data = l;
		request.user = l;
		l->dial = dial_start(settings->dialer, &request, &e);
		if (l->dial != NULL)
			return l;
	}
	free(l);
	failure_set(ret_why, FRAME_INTERNAL, BLAME_CONNECTOR, "%s", e.text);
	return NULL;
}

/* ---- what the slot asks for ---- */

void
link_drain(struct link *l)
{
	struct frame_reason why = {
		.code = FRAME_DRAINING, .blame = BLAME_CONNECTOR,
		.text = bytes_cstr("tunnel-up ends"),
	};

	if (l->state < LINK_UP) {
		link_close(l, FRAME_DRAINING, "tunnel-up ends");
		return;
	}
	chan_send_goaway(&l->hop.chan, &why);
	l->state = LINK_DRAINING;
}

bool
link_is_idle(const struct link *l)
{
	return l->state < LINK_GREETING || chan_count(&l->hop.chan) == 0;
}

void
link_close(struct link *l, enum frame_code code, const char *text)
{
	struct failure why;

	if (l->state >= LINK_GREETING) {
		hop_close(&l->hop, code, BLAME_CONNECTOR, text);
		return;
	}
	failure_set(&why, code, BLAME_CONNECTOR, "%s", text);
	link_fail(l, &why);
}
