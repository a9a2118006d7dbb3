/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/tunnel-edge/agent.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/opt.h"
#include "common/str.h"
#include "common/tls.h"

enum {
	GREETING_MAX = 256,  /* connectors that are not let in yet */
	STRANGERS_BURST = 512,
	STRANGERS_EVERY_MS = 10,
	KNOWN_MS = 24 * 3600 * 1000, /* since the last link */
	AUTH_GRACE_MS = 2000, /* from HELLO to AUTH, which follows it */
	EXPIRY_STEP_S = 3600, /* clocks may be set: look again */
	EXPIRY_NOTICE_S = 30, /* a connector may get a new token meanwhile */
};

/* Of all sources together of which no valid login is known: what their
 * handshakes cost is a twentieth of a processor. */
static const struct pacer_shape strangers_shape = {
	STRANGERS_BURST, STRANGERS_EVERY_MS,
};

static bool
is_up(const struct link *l)
{
	return l->state == LINK_UP || l->state == LINK_DRAINING;
}

static void
set_deadline(struct link *l, double seconds)
{
	ev_timer_stop(l->edge->ev, &l->deadline);
	ev_timer_set(&l->deadline, seconds, 0);
	ev_timer_start(l->edge->ev, &l->deadline);
}

/* ---- lists ---- */

static void
edge_add(struct edge *e, struct link *l)
{
	l->next = e->links;
	if (e->links != NULL)
		e->links->prev = l;
	e->links = l;
	e->greeting_count++;
}

static void
edge_remove(struct link *l)
{
	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		l->edge->links = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
}

static void
tunnel_add(struct tunnel *t, struct link *l)
{
	l->tunnel = t;
	l->next_up = t->links;
	t->links = l;
	t->link_count++;
}

static void
tunnel_remove(struct link *l)
{
	struct link **at = &l->tunnel->links;

	while (*at != l)
		at = &(*at)->next_up;
	*at = l->next_up;
	l->tunnel->link_count--;
	l->tunnel = NULL;
}

static void
remember(struct link *l)
{
	pacer_remember(&l->edge->known, l->source, 0, clock_ms() + KNOWN_MS);
}

/* Takes l out of what it counts for, before it goes. */
static void
set_closed(struct link *l)
{
	if (is_up(l)) {
		tunnel_remove(l);
		remember(l);
	} else if (l->state != LINK_CLOSED) {
		l->edge->greeting_count--;
	}
	l->state = LINK_CLOSED;
	ev_timer_stop(l->edge->ev, &l->deadline);
}

/* ---- the end ---- */

/* Frees a link whose hop was not started. */
static void
drop_handshake(struct link *l)
{
	struct edge *e = l->edge;

	set_closed(l);
	ev_io_stop(e->ev, &l->io);
	tls_free(l->tls);
	edge_remove(l);
	free(l);
	edge_review(e);
}

static void
log_down(const struct link *l, const char *tunnel,
    const struct frame_reason *why)
{
	char text[FRAME_TEXT_MAX + 1];

	if (str_from_bytes(text, sizeof text, why->text) != 0)
		text[0] = '\0';
	diag_notice("link down: tunnel=%s link=%llu peer=%s code=%s blame=%s"
	    "%s%s", tunnel, (unsigned long long)l->id, l->address,
	    frame_code_name(why->code), frame_blame_name(why->blame),
	    text[0] == '\0' ? "" : " text=", text);
}

void
link_close(struct link *l, enum frame_code code, enum frame_blame blame,
    const char *text)
{
	struct frame_reason why = {.code = (uint16_t)code,
	    .blame = (uint8_t)blame, .text = bytes_cstr(text)};

	if (l->state == LINK_HANDSHAKE) {
		drop_handshake(l);
		return;
	}
	if (l->state == LINK_CLOSED)
		return;
	if (is_up(l))
		log_down(l, l->tunnel->conf->name, &why);
	set_closed(l);
	hop_close(&l->hop, code, blame, text);
}

/* Opens no more streams on l, which stays up for those that it has. */
static void
drain(struct link *l, const char *text)
{
	struct frame_reason why = {.code = FRAME_DRAINING,
	    .blame = BLAME_EDGE, .text = bytes_cstr(text)};

	chan_send_goaway(&l->hop.chan, &why);
	l->state = LINK_DRAINING;
	diag_notice("link draining: tunnel=%s link=%llu peer=%s streams=%zu "
	    "text=%s", l->tunnel->conf->name, (unsigned long long)l->id,
	    l->address, chan_count(&l->hop.chan), text);
}

void
link_drain(struct link *l)
{
	static const char text[] = "the edge goes away";

	if (l->state == LINK_UP)
		drain(l, text);
	else if (l->state != LINK_DRAINING)
		link_close(l, FRAME_DRAINING, BLAME_EDGE, text);
}

static void
refuse(struct link *l, enum frame_code code, enum frame_blame blame,
    const char *text)
{
	char instance[HOP_NAME_MAX + 8];

	l->edge->counts.links_refused++;
	if (edge_says(l->edge, edge_line_of(LINE_LINK_REFUSED, code),
	    l->source))
		diag_notice("link refused: peer=%s instance=%s code=%s "
		    "blame=%s text=%s", l->address, diag_quote(instance,
		    sizeof instance, bytes_cstr(l->peer.instance)),
		    frame_code_name((uint16_t)code),
		    frame_blame_name((uint8_t)blame), text);
	link_close(l, code, blame, text);
}

/* Of one that ends by itself before it was let in. */
static void
log_left(const struct link *l, const struct frame_reason *why)
{
	char text[FRAME_TEXT_MAX + 1];

	if (!diag_shows(DIAG_INFO) || !edge_says(l->edge,
	    edge_line_of(LINE_LINK_REFUSED, why->code), l->source))
		return;
	if (str_from_bytes(text, sizeof text, why->text) != 0)
		text[0] = '\0';
	diag_info("link refused: peer=%s code=%s blame=%s text=%s",
	    l->address, frame_code_name(why->code),
	    frame_blame_name(why->blame), text);
}

static void
on_down(void *user, const struct frame_reason *why)
{
	struct link *l = user;
	struct edge *e = l->edge;
	const struct frame_reason drained = {.code = FRAME_DRAINING,
	    .blame = BLAME_CONNECTOR};

	/* It closes once it is done; what it broke off, streams tell. */
	if (l->state == LINK_DRAINING && why->code == FRAME_ABORTED)
		why = &drained;
	if (is_up(l))
		log_down(l, l->tunnel->conf->name, why);
	else if (l->state != LINK_CLOSED)
		log_left(l, &(struct frame_reason){.code = why->code,
		    .blame = why->blame,
		    .text = bytes_cstr("left before it was let in")});
	set_closed(l);
	edge_remove(l);
	e->counts.bytes_in += l->hop.chan.bytes_in;
	e->counts.bytes_out += l->hop.chan.bytes_out;
	hop_done(&l->hop);
	free(l);
	edge_review(e);
}

/* ---- admission ---- */

/* A link whose token ends is told to drain in time, so that its connector
 * reads its token again, comes back with a newer one and loses no stream.
 * One that came with a token about to end has no other. */
static bool
wants_notice(const struct link *l)
{
	return l->state == LINK_UP && !l->came_late;
}

static void
arm_expiry(struct link *l, int64_t expires, int64_t now)
{
	int64_t left = expires - now;

	ev_timer_stop(l->edge->ev, &l->deadline);
	if (expires == 0)
		return;
	if (wants_notice(l))
		left -= EXPIRY_NOTICE_S;
	if (left > EXPIRY_STEP_S)
		left = EXPIRY_STEP_S;
	set_deadline(l, left > 0 ? (double)left : 0);
}

/* Drains or ends a link whose credential opens its tunnel no more, or soon
 * will not. */
static void
check_credential(struct link *l)
{
	int64_t now = clock_wall_s(), expires = 0;

	switch (table_check(l->tunnel, &l->credential, now, &expires)) {
	case TABLE_VALID:
		if (expires != 0 && now >= expires - EXPIRY_NOTICE_S &&
		    wants_notice(l))
			drain(l, "the token expires soon");
		arm_expiry(l, expires, now);
		break;
	case TABLE_EXPIRED:
		/* Not unauthorized, which is for ever: see wants_notice. */
		link_close(l, FRAME_LIMIT, BLAME_EDGE,
		    "the token has expired");
		break;
	case TABLE_REVOKED:
	case TABLE_UNKNOWN:
		link_close(l, FRAME_REVOKED, BLAME_EDGE, "the credential was "
		    "revoked");
		break;
	}
}

void
link_review(struct edge *edge, struct tunnel *t)
{
	struct link *next;

	(void)edge;
	for (struct link *l = t->links; l != NULL; l = next) {
		next = l->next_up;
		if (is_up(l))
			check_credential(l);
	}
}

/* The link of the same connector that l would replace; not one that drains,
 * which ends by itself. */
static struct link *
find_instance(const struct tunnel *t, const struct link *l)
{
	struct link *old = l->peer.instance[0] == '\0' ? NULL : t->links;

	while (old != NULL && (old->state == LINK_DRAINING ||
	    !str_eq(old->peer.instance, l->peer.instance)))
		old = old->next_up;
	return old;
}

static void
let_in(struct link *l, struct tunnel *t, int64_t expires)
{
	struct hop_peer self = {.name = "tunnel-edge",
	    .version = ADIT_VERSION_STRING};
	char instance[HOP_NAME_MAX + 8], id[CREDENTIAL_ID_LEN + 1];

	if (t->conf->domain_count != 0)
		str_format(self.domain, sizeof self.domain, "%s",
		    t->conf->domains[0]);
	l->state = LINK_UP;
	l->edge->counts.links++;
	l->edge->greeting_count--;
	l->since = clock_wall_s();
	l->came_late = expires != 0 &&
	    expires - l->since <= EXPIRY_NOTICE_S;
	tunnel_add(t, l);
	arm_expiry(l, expires, l->since);
	chan_set_peer(&l->hop.chan, &l->limits);
	hop_send_hello(&l->hop, &self);
	chan_send_ping(&l->hop.chan, clock_us()); /* measures the distance */
	diag_notice("link up: tunnel=%s link=%llu peer=%s instance=%s "
	    "generation=%lld credential=%s", t->conf->name,
	    (unsigned long long)l->id, l->address, diag_quote(instance,
	    sizeof instance, bytes_cstr(l->peer.instance)),
	    (long long)l->peer.generation, credential_id(&l->credential, id));
}

static void
admit(struct link *l, struct tunnel *t, int64_t expires)
{
	struct link *old = find_instance(t, l);

	if (old != NULL && old->peer.generation >= l->peer.generation) {
		refuse(l, FRAME_REPLACED, BLAME_CONNECTOR,
		    "this generation or a newer one is connected");
		return;
	}
	if (old != NULL)
		link_close(old, FRAME_REPLACED, BLAME_CONNECTOR,
		    "a newer generation took over");
	if (t->link_count >= (size_t)t->conf->links_max) {
		refuse(l, FRAME_LIMIT, BLAME_EDGE,
		    "the tunnel has all the links that it may have");
		return;
	}
	let_in(l, t, expires);
}

/* What l tried does not count. */
static void
give_back(struct link *l)
{
	pacer_give(&l->edge->logins, l->source, 0);
	if (!l->is_known)
		l->edge->strangers_ms -= STRANGERS_EVERY_MS;
}

/* Lets l in if its credential opens a tunnel.  Returns false, and what it is
 * instead, if not. */
static bool
try_credential(struct link *l, enum table_verdict *ret)
{
	struct tunnel *t = NULL;
	int64_t expires = 0;

	*ret = table_authenticate(&l->edge->table, &l->credential,
	    clock_wall_s(), &t, &expires);
	if (*ret != TABLE_VALID)
		return false;
	give_back(l);
	remember(l);
	admit(l, t, expires);
	return true;
}

static void
refuse_credential(struct link *l, enum table_verdict verdict)
{
	char id[CREDENTIAL_ID_LEN + 1], text[80];
	static const char *const what[] = {
		[TABLE_UNKNOWN] = "is not known",
		[TABLE_VALID] = "is valid",
		[TABLE_EXPIRED] = "has expired",
		[TABLE_REVOKED] = "was revoked",
	};

	str_format(text, sizeof text, "the credential %s %s",
	    credential_id(&l->credential, id), what[verdict]);
	refuse(l, verdict == TABLE_REVOKED ? FRAME_REVOKED
	    : FRAME_UNAUTHORIZED, BLAME_EDGE, text);
}

static void
on_deadline(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct link *l = w->data;
	enum table_verdict verdict;

	(void)ev;
	(void)revents;
	if (is_up(l)) {
		check_credential(l);
	} else if (l->state == LINK_GREETING && l->peer.name[0] != '\0' &&
	    l->has_cert) {
		if (!try_credential(l, &verdict))
			refuse_credential(l, verdict);
	} else if (l->state == LINK_GREETING && l->peer.name[0] != '\0') {
		refuse(l, FRAME_UNAUTHORIZED, BLAME_CONNECTOR,
		    "neither a token nor a client certificate");
	} else {
		refuse(l, FRAME_TIMEOUT, BLAME_CONNECTOR,
		    l->state == LINK_HANDSHAKE ? "no TLS handshake in time"
		    : "no HELLO in time");
	}
}

/* ---- what the hop says ---- */

static void
on_hello(void *user, struct bytes json)
{
	struct link *l = user;
	enum table_verdict verdict;
	struct error e;

	if (l->state != LINK_GREETING)
		return;
	if (hop_parse_hello(json, &l->peer, &l->limits, &e) != 0) {
		refuse(l, FRAME_PROTOCOL, BLAME_CONNECTOR, e.text);
		return;
	}
	if (l->peer.name[0] == '\0')
		str_format(l->peer.name, sizeof l->peer.name, "unnamed");
	if (!l->has_cert || !try_credential(l, &verdict))
		set_deadline(l, AUTH_GRACE_MS / 1000.0);
}

static void
on_auth(void *user, struct bytes token)
{
	struct link *l = user;
	enum table_verdict verdict;

	if (l->state != LINK_GREETING)
		return;
	l->credential = credential_of_token(token);
	if (!try_credential(l, &verdict))
		refuse_credential(l, verdict);
}

static void
on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	struct link *l = user;
	char text[FRAME_TEXT_MAX + 1];

	(void)last;
	if (l->state == LINK_DRAINING && why->code == FRAME_DRAINING)
		return;
	if (l->state == LINK_UP && why->code == FRAME_DRAINING) {
		l->state = LINK_DRAINING;
		diag_notice("link draining: tunnel=%s link=%llu peer=%s "
		    "streams=%zu text=by the connector", l->tunnel->conf->name,
		    (unsigned long long)l->id, l->address,
		    chan_count(&l->hop.chan));
		return;
	}
	if (str_from_bytes(text, sizeof text, why->text) != 0)
		text[0] = '\0';
	link_close(l, why->code, why->blame, text);
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct link *l = user;

	(void)json;
	chan_reset(&l->hop.chan, s, FRAME_REFUSED, BLAME_EDGE,
	    "an edge takes no streams");
}

static size_t
on_data(void *user, struct chan_stream *s, uint16_t channel, struct bytes in)
{
	(void)user;
	(void)channel;
	return agent_take(s->user, in);
}

static void
on_end(void *user, struct chan_stream *s)
{
	(void)user;
	agent_end(s->user);
}

static void
on_event(void *user, struct chan_stream *s, struct bytes json)
{
	(void)user;
	(void)s;
	(void)json;
}

static void
on_writable(void *user, struct chan_stream *s)
{
	(void)user;
	agent_pump(s->user);
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	(void)user;
	agent_closed(s->user, why);
}

static const struct chan_events link_events = {
	.hello = on_hello, .auth = on_auth, .goaway = on_goaway,
	.open = on_open, .data = on_data, .end = on_end, .event = on_event,
	.writable = on_writable, .closed = on_closed, .one_channel = true,
};

/* ---- the handshake ---- */

static void
start_hop(struct link *l)
{
	struct hop_settings settings = {.initiator = false,
	    .ping_ms = l->edge->settings->ping_ms, .events = &link_events,
	    .down = on_down, .user = l};
	struct transport t;

	l->has_cert = tls_peer_fingerprint(l->tls, l->credential.digest);
	tls_transport(l->tls, &t);
	l->tls = NULL;
	if (hop_start(&l->hop, &l->edge->hops, &t, &settings) != 0) {
		drop_handshake(l);
		return;
	}
	l->state = LINK_GREETING;
}

/* Whether the connection was closed before a byte came, as by those who only
 * look whether the port is open: that is no attempt. */
static bool
is_probe(struct link *l)
{
	char byte;
	ssize_t n = l->spoke ? 1
	    : recv(l->io.fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);

	l->spoke = n > 0;
	return n == 0 || (n == -1 && errno == ECONNRESET);
}

static void
on_handshake(struct ev_loop *ev, ev_io *w, int revents)
{
	struct link *l = w->data;
	struct error e;
	int r, events;

	(void)revents;
	if (is_probe(l))
		give_back(l);
	r = tls_handshake(l->tls, &e);
	events = r == 0 && tls_wants_write(l->tls) ? EV_WRITE : EV_READ;
	if (r == 0 && events != w->events) {
		ev_io_stop(ev, w);
		ev_io_set(w, w->fd, events);
		ev_io_start(ev, w);
	}
	if (r == 0)
		return;
	ev_io_stop(ev, w);
	if (r > 0) {
		start_hop(l);
		return;
	}
	error_prefix(&e, "TLS");
	log_left(l, &(struct frame_reason){.code = FRAME_PROTOCOL,
	    .blame = BLAME_CONNECTOR, .text = bytes_cstr(e.text)});
	drop_handshake(l);
}

/* Makes room by dropping the connector that has dawdled longest, one that is
 * not known if there is any. */
static void
drop_oldest_greeting(struct edge *e)
{
	struct link *oldest = NULL;

	for (struct link *l = e->links; l != NULL; l = l->next) {
		if ((l->state == LINK_HANDSHAKE || l->state == LINK_GREETING)
		    && (oldest == NULL || oldest->is_known || !l->is_known))
			oldest = l;
	}
	if (oldest != NULL)
		refuse(oldest, FRAME_LIMIT, BLAME_EDGE,
		    "too many connectors that are not let in yet");
}

/* Says that a connection is closed before there was any work with it. */
static void
log_turned_away(struct edge *e, const struct sock_addr *peer, unsigned line,
    enum frame_blame blame, const char *why)
{
	char text[SOCK_TEXT_MAX];

	e->counts.links_refused++;
	if (edge_says(e, line, pacer_source(peer)))
		diag_notice("link refused: peer=%s instance='' code=%s "
		    "blame=%s text=%s", sock_format(&peer->any, text),
		    frame_code_name(FRAME_LIMIT),
		    frame_blame_name((uint8_t)blame), why);
}

/* Whether peer may try.  A try is paid for before there is any work with it,
 * TLS above all, and so also while others of the same source go on; it is
 * given back to those whose credential is valid.  A source of valid logins is
 * shut out by its own failures only; others, when all of them together fail
 * too often. */
static bool
may_try(struct edge *e, const struct sock_addr *peer)
{
	uint64_t source = pacer_source(peer);
	int64_t now = clock_ms();

	if (!pacer_take(&e->logins, source, 0, now)) {
		log_turned_away(e, peer, edge_line_of(LINE_LINK_REFUSED,
		    FRAME_LIMIT), BLAME_CONNECTOR,
		    "too many failed logins from this address");
		return false;
	}
	if (pacer_has(&e->known, source, 0, now) ||
	    pacer_take_one(&e->strangers_ms, &strangers_shape, now))
		return true;
	pacer_give(&e->logins, source, 0);
	log_turned_away(e, peer, LINE_STRANGER, BLAME_EDGE,
	    "too many failed logins");
	return false;
}

void
link_accept(void *edge, int fd, const struct sock_addr *peer)
{
	struct edge *e = edge;
	struct link *l;
	struct error error;

	if (!may_try(e, peer)) {
		close(fd);
		return;
	}
	l = calloc(1, sizeof *l);
	if (e->greeting_count >= GREETING_MAX)
		drop_oldest_greeting(e);
	if (l != NULL)
		l->tls = tls_new_fd(e->tls, fd, NULL, &error);
	if (l == NULL || l->tls == NULL) {
		if (edge_says(e, LINE_NO_MEMORY, 0))
			diag_warning("connectors: accept: no memory");
		free(l);
		close(fd);
		return;
	}
	l->edge = e;
	l->id = ++e->last_link_id;
	l->source = pacer_source(peer);
	l->is_known = pacer_has(&e->known, l->source, 0, clock_ms());
	sock_format(&peer->any, l->address);
	edge_add(e, l);
	ev_io_init(&l->io, on_handshake, fd, EV_READ);
	ev_timer_init(&l->deadline, on_deadline, 0, 0);
	l->io.data = l->deadline.data = l;
	ev_io_start(e->ev, &l->io);
	set_deadline(l, (double)e->settings->hello_timeout_ms / 1000);
}

/* ---- choice ---- */

struct link *
link_pick(const struct tunnel *t)
{
	int64_t silent = 0, now = clock_ms();
	struct link *best = NULL;
	bool best_silent = true, any = false;

	for (struct link *l = t->links; l != NULL; l = l->next_up) {
		const struct chan *c = &l->hop.chan;
		bool quiet;

		if (l->state != LINK_UP || l->hop.state != HOP_RUNNING)
			continue;
		any = true;
		if (c->own_count >= c->own.streams ||
		    c->own_count >= c->peer.streams)
			continue;
		silent = now - l->hop.heard_ms;
		quiet = silent * 2 > l->hop.settings.ping_ms * 3;
		if (best != NULL && (quiet > best_silent ||
		    (quiet == best_silent &&
		    c->own_count >= best->hop.chan.own_count)))
			continue;
		best = l;
		best_silent = quiet;
	}
	errno = any ? EMFILE : ENOTCONN;
	return best;
}
