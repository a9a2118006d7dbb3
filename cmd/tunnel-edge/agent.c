/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/agent.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/tunnel-edge/link.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/jsonw.h"
#include "common/str.h"

enum {
	WAITING_MAX = 1024,  /* agents that have no stream */
	TRACE_LEN = 32,
	READ_MAX = 65536,    /* of one agent before others have their turn */
};

/* An agent that was sent an alert may still be sending; closing at once would
 * answer that with a reset, which can overtake the alert. */
static const double leave_seconds = 1;

enum agent_state {
	AGENT_HELLO,   /* its ClientHello is not complete */
	AGENT_ROUTED,  /* it has a stream */
	AGENT_LEAVING, /* it was sent an alert */
};

struct agent {
	struct edge *edge;
	enum agent_state state;
	int fd;
	ev_io reader, writer;
	ev_prepare turn;            /* see on_readable; never started */
	ev_timer deadline;          /* unless it has a stream */
	struct buf head;            /* bytes that came before the stream */
	struct link *link;          /* in AGENT_ROUTED, as are those below */
	struct tunnel *tunnel;
	struct chan_stream *stream;
	struct meter_wait in, out;  /* in the queues of the tunnel's meters */
	uint64_t bytes_in, bytes_out; /* from and to the agent */
	struct agent *next, *prev;  /* of those without a stream */
	struct sock_addr peer;
	char trace[TRACE_LEN + 1];
};

/* ---- life ---- */

static void
waiting_add(struct edge *e, struct agent *a)
{
	a->prev = e->waiting_last;
	if (a->prev != NULL)
		a->prev->next = a;
	else
		e->waiting_first = a;
	e->waiting_last = a;
	e->waiting_count++;
}

static void
waiting_remove(struct agent *a)
{
	struct edge *e = a->edge;

	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		e->waiting_first = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	else
		e->waiting_last = a->prev;
	a->next = a->prev = NULL;
	e->waiting_count--;
}

/* Takes a's stream, which is no more, out of the counts. */
static void
forget_stream(struct agent *a)
{
	meter_leave(&a->tunnel->in, &a->in);
	meter_leave(&a->tunnel->out, &a->out);
	a->tunnel->stream_count--;
	a->edge->agent_count--;
	a->stream = NULL;
	a->link = NULL;
	a->tunnel = NULL;
}

/* Closes the connection; a has no stream any more. */
static void
agent_free(struct agent *a)
{
	struct edge *e = a->edge;

	if (a->state != AGENT_ROUTED)
		waiting_remove(a);
	ev_io_stop(e->ev, &a->reader);
	ev_io_stop(e->ev, &a->writer);
	ev_clear_pending(e->ev, &a->turn);
	ev_timer_stop(e->ev, &a->deadline);
	close(a->fd);
	buf_reset(&a->head);
	free(a);
	edge_review(e);
}

static void
set_deadline(struct agent *a, double seconds)
{
	ev_timer_stop(a->edge->ev, &a->deadline);
	ev_timer_set(&a->deadline, seconds, 0);
	ev_timer_start(a->edge->ev, &a->deadline);
}

/* ---- refusals ---- */

struct refusal {
	enum tls_alert alert; /* 0: none */
	enum frame_code code;
	enum frame_blame blame;
	const char *text;
	const char *sni;      /* "" if it was not read */
};

static void
log_refusal(const struct agent *a, const struct refusal *r)
{
	char peer[SOCK_TEXT_MAX];
	bool traced = a->trace[0] != '\0';

	if (!edge_says(a->edge, edge_line_of(LINE_AGENT_REFUSED, r->code),
	    pacer_source(&a->peer)))
		return;
	diag_notice("agent refused: peer=%s%s%s%s%s code=%s blame=%s alert=%s "
	    "text=%s", sock_format(&a->peer.any, peer),
	    traced ? " trace=" : "", a->trace,
	    r->sni[0] == '\0' ? "" : " sni=", r->sni,
	    frame_code_name((uint16_t)r->code),
	    frame_blame_name((uint8_t)r->blame),
	    r->alert == 0 ? "none" : clienthello_alert_name(r->alert),
	    r->text);
}

/* Ends the agent's wait with an alert; a has no stream. */
static void
refuse(struct agent *a, const struct refusal *r)
{
	uint8_t alert[CLIENTHELLO_ALERT_LEN];

	a->edge->counts.agents_refused++;
	log_refusal(a, r);
	clienthello_put_alert(alert, r->alert);
	if (r->alert == 0 || write(a->fd, alert, sizeof alert) !=
	    (ssize_t)sizeof alert || shutdown(a->fd, SHUT_WR) != 0) {
		agent_free(a);
		return;
	}
	buf_reset(&a->head);
	if (a->state == AGENT_ROUTED)
		waiting_add(a->edge, a);
	a->state = AGENT_LEAVING;
	ev_io_stop(a->edge->ev, &a->writer);
	ev_io_start(a->edge->ev, &a->reader);
	set_deadline(a, leave_seconds);
}

static void
on_deadline(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct agent *a = w->data;
	struct refusal late = {0, FRAME_TIMEOUT, BLAME_CLIENT,
	    "no ClientHello in time", ""};

	(void)ev;
	(void)revents;
	if (a->state == AGENT_LEAVING)
		agent_free(a);
	else
		refuse(a, &late);
}

void
agent_refuse_waiting(struct edge *e)
{
	struct agent *next;

	for (struct agent *a = e->waiting_first; a != NULL; a = next) {
		struct refusal r = {ALERT_INTERNAL_ERROR, FRAME_DRAINING,
		    BLAME_EDGE, "the edge goes away", ""};

		next = a->next;
		if (a->state == AGENT_HELLO)
			refuse(a, &r);
	}
}

/* ---- splicing ---- */

static void
log_closed(const struct agent *a, const char *end, const char *blame,
    struct bytes text)
{
	char peer[SOCK_TEXT_MAX], quoted[FRAME_TEXT_MAX];

	if (!diag_shows(DIAG_INFO))
		return;
	diag_info("stream closed: tunnel=%s link=%llu stream=%u trace=%s "
	    "peer=%s bytes_in=%llu bytes_out=%llu end=%s%s%s%s%s",
	    a->tunnel->conf->name, (unsigned long long)a->link->id,
	    a->stream->id, a->trace, sock_format(&a->peer.any, peer),
	    (unsigned long long)a->bytes_in, (unsigned long long)a->bytes_out,
	    end, blame[0] == '\0' ? "" : "/", blame,
	    text.len == 0 ? "" : " text=",
	    text.len == 0 ? "" : diag_quote(quoted, sizeof quoted, text));
}

/* The agent's connection broke: its stream does too. */
static void
broken(struct agent *a)
{
	const char *text = strerror(errno);

	log_closed(a, frame_code_name(FRAME_ABORTED),
	    frame_blame_name(BLAME_CLIENT), bytes_cstr(text));
	chan_reset(&a->link->hop.chan, a->stream, FRAME_ABORTED, BLAME_CLIENT,
	    text);
	forget_stream(a);
	agent_free(a);
}

/* Sends as much of in as credit and rate allow, and sees to it that agent_pump
 * is called for the rest.  Returns how much. */
static size_t
send_part(struct agent *a, struct bytes in)
{
	struct meter *m = &a->tunnel->in;
	size_t may = meter_ask(m, &a->in, in.len);
	size_t n = chan_send(&a->link->hop.chan, a->stream, 0,
	    bytes_of(in.ptr, may));

	meter_spend(m, n);
	if (n == may && may < in.len)
		meter_rejoin(m, &a->in);
	return n;
}

/* Sends what came before the stream; false: not all of it yet. */
static bool
send_head(struct agent *a)
{
	size_t n = send_part(a, buf_bytes(&a->head));

	buf_drop(&a->head, n);
	if (buf_len(&a->head) != 0)
		return false;
	buf_reset(&a->head);
	return true;
}

void
agent_pump(struct agent *a)
{
	struct chan *c = &a->link->hop.chan;
	struct ev_loop *ev = a->edge->ev;
	struct meter *m = &a->tunnel->in;
	size_t cap;
	uint8_t *at;
	ssize_t n;

	if ((buf_len(&a->head) != 0 && !send_head(a)) ||
	    (at = chan_reserve(c, a->stream, &cap)) == NULL ||
	    (cap = meter_ask(m, &a->in,
	    cap < READ_MAX ? cap : READ_MAX)) == 0) {
		ev_io_stop(ev, &a->reader); /* until there is credit */
		return;
	}
	n = read(a->fd, at, cap);
	if (n > 0) {
		a->bytes_in += (uint64_t)n;
		meter_spend(m, (size_t)n);
		chan_commit(c, a->stream, 0, (size_t)n);
		ev_io_start(ev, &a->reader);
	} else if (n == 0) {
		ev_io_stop(ev, &a->reader);
		chan_end(c, a->stream);
	} else if (errno == EAGAIN || errno == EINTR) {
		ev_io_start(ev, &a->reader);
	} else {
		broken(a);
	}
}

size_t
agent_take(struct agent *a, struct bytes in)
{
	struct meter *m = &a->tunnel->out;
	size_t may = meter_ask(m, &a->out, in.len);
	ssize_t n = may == 0 ? 0 : write(a->fd, in.ptr, may);

	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		broken(a);
		return 0;
	}
	if (n > 0) {
		a->bytes_out += (uint64_t)n;
		meter_spend(m, (size_t)n);
	}
	if (n < (ssize_t)may)
		ev_io_start(a->edge->ev, &a->writer);
	else if (may < in.len)
		meter_rejoin(m, &a->out);
	return n < 0 ? 0 : (size_t)n;
}

static void
on_in_turn(struct meter_wait *w)
{
	void *a = (char *)w - offsetof(struct agent, in);

	agent_pump(a);
}

static void
on_out_turn(struct meter_wait *w)
{
	void *at = (char *)w - offsetof(struct agent, out);
	struct agent *a = at;

	chan_resume(&a->link->hop.chan, a->stream);
}

void
agent_limit(struct edge *e, struct tunnel *t)
{
	const struct state_tunnel *conf = t->conf;

	meter_set(&t->in, e->ev, conf->rate, conf->burst, on_in_turn);
	meter_set(&t->out, e->ev, conf->rate, conf->burst, on_out_turn);
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct agent *a = w->data;

	(void)revents;
	ev_io_stop(ev, w);
	chan_resume(&a->link->hop.chan, a->stream);
}

void
agent_end(struct agent *a)
{
	/* If the agent has ended too, agent_closed follows. */
	if (a->stream->sending == CHAN_OPEN)
		shutdown(a->fd, SHUT_WR);
}

void
agent_closed(struct agent *a, const struct frame_reason *why)
{
	struct refusal r = {.alert = ALERT_INTERNAL_ERROR, .sni = ""};
	char text[FRAME_TEXT_MAX + 1];

	if (why == NULL)
		log_closed(a, "clean", "", bytes_of(NULL, 0));
	else
		log_closed(a, frame_code_name(why->code),
		    frame_blame_name(why->blame), why->text);
	forget_stream(a);
	if (why != NULL && a->bytes_out == 0) {
		if (str_from_bytes(text, sizeof text, why->text) != 0)
			text[0] = '\0';
		r.code = why->code;
		r.blame = why->blame;
		r.text = text;
		refuse(a, &r);
		return;
	}
	if (why != NULL)
		sock_set_abort(a->fd);
	agent_free(a);
}

/* ---- routing ---- */

static void
put_open(struct buf *b, const struct agent *a, const char *sni)
{
	char peer[SOCK_TEXT_MAX];
	struct jsonw w;

	buf_clear(b);
	jsonw_init(&w, b);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "kind", "tls");
	jsonw_key_str(&w, "sni", sni);
	jsonw_key_str(&w, "peer", sock_format(&a->peer.any, peer));
	jsonw_key_str(&w, "trace", a->trace);
	jsonw_close(&w, '}');
}

/* Opens a stream of t for a.  Returns false with what to refuse it with. */
static bool
open_stream(struct agent *a, struct tunnel *t, const char *sni,
    struct refusal *ret)
{
	struct edge *e = a->edge;
	struct link *l = link_pick(t);

	if (l == NULL && errno == ENOTCONN) {
		ret->code = FRAME_NO_LINK;
		ret->blame = BLAME_LINK;
		ret->text = "the tunnel has no live link";
		return false;
	}
	if (l == NULL) {
		ret->code = FRAME_LIMIT;
		ret->blame = BLAME_CONNECTOR;
		ret->text = "every link has all the streams that it takes";
		return false;
	}
	put_open(&e->open_json, a, sni);
	a->stream = chan_open(&l->hop.chan, buf_bytes(&e->open_json), a);
	if (a->stream == NULL && errno == ENOBUFS) {
		ret->code = FRAME_LIMIT;
		ret->blame = BLAME_LINK;
		ret->text = "the link does not keep up";
		return false;
	}
	if (a->stream == NULL) {
		ret->code = FRAME_INTERNAL;
		ret->blame = BLAME_EDGE;
		ret->text = strerror(errno);
		return false;
	}
	a->link = l;
	a->tunnel = t;
	t->stream_count++;
	e->agent_count++;
	e->counts.agents++;
	return true;
}

/* The tunnel of sni if it may take one more stream, or NULL with what to
 * refuse it with. */
static struct tunnel *
find_tunnel(struct edge *e, const char *sni, struct refusal *ret)
{
	struct tunnel *t = table_route(&e->table, sni);

	if (t == NULL) {
		ret->alert = ALERT_UNRECOGNIZED_NAME;
		ret->code = FRAME_NO_ROUTE;
		ret->blame = BLAME_CLIENT;
		ret->text = "no tunnel has this name";
		return NULL;
	}
	ret->code = FRAME_LIMIT;
	ret->blame = BLAME_EDGE;
	if (e->agent_count >= (size_t)e->settings->agents_max)
		ret->text = "the edge has all the agents that it may have";
	else if (t->stream_count >= (size_t)t->conf->streams_max)
		ret->text = "the tunnel has all the streams that it may have";
	else
		return t;
	return NULL;
}

/* Gives a its stream; in is all that it sent so far. */
static void
route(struct agent *a, const char *sni, struct bytes in)
{
	struct refusal r = {.alert = ALERT_INTERNAL_ERROR, .sni = sni};
	struct edge *e = a->edge;
	struct tunnel *t;
	char peer[SOCK_TEXT_MAX];
	size_t n;

	random_hex(a->trace, TRACE_LEN);
	t = find_tunnel(e, sni, &r);
	if (t == NULL || !open_stream(a, t, sni, &r)) {
		refuse(a, &r);
		return;
	}
	ev_timer_stop(e->ev, &a->deadline);
	waiting_remove(a);
	a->state = AGENT_ROUTED;
	a->bytes_in = in.len;
	if (diag_shows(DIAG_INFO))
		diag_info("stream open: tunnel=%s link=%llu stream=%u "
		    "trace=%s sni=%s peer=%s", t->conf->name,
		    (unsigned long long)a->link->id, a->stream->id, a->trace,
		    sni, sock_format(&a->peer.any, peer));
	if (buf_len(&a->head) != 0) {
		agent_pump(a);
		return;
	}
	n = send_part(a, in);
	if (n < in.len && buf_add(&a->head, bytes_after(in, n)) != 0) {
		broken(a);
		return;
	}
	ev_io_start(e->ev, &a->reader);
}

/* ---- the ClientHello ---- */

static void
leave_early(struct agent *a, int code)
{
	char peer[SOCK_TEXT_MAX];

	if (diag_shows(DIAG_INFO) &&
	    edge_says(a->edge, LINE_AGENT_LEFT, pacer_source(&a->peer)))
		diag_info("agent left: peer=%s: before its ClientHello%s%s",
		    sock_format(&a->peer.any, peer), code == 0 ? "" : ": ",
		    code == 0 ? "" : strerror(code));
	agent_free(a);
}

/* Looks at what a sent: in, which is its head or will be. */
static void
look(struct agent *a, struct bytes in)
{
	struct clienthello hello;
	struct refusal bad = {.code = FRAME_PROTOCOL, .blame = BLAME_CLIENT,
	    .sni = ""};
	int r = clienthello_parse(in, &hello);

	if (r > 0) {
		route(a, hello.name, in);
	} else if (r < 0) {
		bad.alert = hello.alert;
		bad.text = hello.text;
		refuse(a, &bad);
	} else if (buf_len(&a->head) == 0 && buf_add(&a->head, in) != 0) {
		leave_early(a, ENOMEM);
	} else {
		ev_io_start(a->edge->ev, &a->reader);
	}
}

/* Reads more of a ClientHello.  The first read goes to memory that all agents
 * share, as it nearly always brings the whole of it. */
static void
read_hello(struct agent *a)
{
	struct edge *e = a->edge;
	size_t have = buf_len(&a->head), room = CLIENTHELLO_RECORDS_MAX - have;
	uint8_t *at = have == 0 ? e->scratch : buf_reserve(&a->head, room);
	ssize_t n = at == NULL ? -1 : read(a->fd, at, room);

	if (n > 0) {
		if (have != 0)
			buf_commit(&a->head, (size_t)n);
		look(a, have != 0 ? buf_bytes(&a->head)
		    : bytes_of(e->scratch, (size_t)n));
	} else if (n == 0) {
		leave_early(a, 0);
	} else if (errno == EAGAIN || errno == EINTR) {
		ev_io_start(e->ev, &a->reader);
	} else {
		leave_early(a, errno);
	}
}

/* Reads and drops what a sends after its alert. */
static void
discard(struct agent *a)
{
	ssize_t n = read(a->fd, a->edge->scratch, sizeof a->edge->scratch);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		agent_free(a);
}

static void
on_turn(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct agent *a = w->data;

	(void)ev;
	(void)revents;
	switch (a->state) {
	case AGENT_HELLO:
		read_hello(a);
		break;
	case AGENT_ROUTED:
		agent_pump(a);
		break;
	case AGENT_LEAVING:
		discard(a);
		break;
	}
}

/* libev calls back the socket that became readable last first.  Fed on to
 * a lower priority, which is called in the reverse order again, agents are
 * read in the order in which they sent: a request on one connection seldom
 * overtakes an earlier one on another. */
static void
on_readable(struct ev_loop *ev, ev_io *w, int revents)
{
	struct agent *a = w->data;

	ev_feed_event(ev, &a->turn, revents);
}

static void
drop_oldest(struct edge *e)
{
	struct refusal r = {0, FRAME_LIMIT, BLAME_EDGE,
	    "too many agents without a ClientHello", ""};
	struct agent *a = e->waiting_first;

	if (a->state == AGENT_LEAVING)
		agent_free(a);
	else
		refuse(a, &r);
}

void
agent_accept(void *edge, int fd, const struct sock_addr *peer)
{
	struct edge *e = edge;
	struct agent *a = calloc(1, sizeof *a);

	if (a == NULL) {
		close(fd);
		return;
	}
	if (e->waiting_count >= WAITING_MAX)
		drop_oldest(e);
	a->edge = e;
	a->fd = fd;
	a->peer = *peer;
	buf_init(&a->head, CLIENTHELLO_RECORDS_MAX);
	ev_io_init(&a->reader, on_readable, fd, EV_READ);
	ev_io_init(&a->writer, on_writable, fd, EV_WRITE);
	ev_timer_init(&a->deadline, on_deadline, 0, 0);
	ev_prepare_init(&a->turn, on_turn);
	ev_set_priority(&a->turn, EV_MINPRI);
	a->reader.data = a->writer.data = a->turn.data = a->deadline.data = a;
	waiting_add(e, a);
	set_deadline(a, (double)e->settings->hello_timeout_ms / 1000);
	read_hello(a);
}
