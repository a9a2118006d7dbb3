/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/connector.h"

#include <signal.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/proc.h"
#include "common/promfile.h"

enum {
	LOCAL_FIRST_MS = 1000, /* links wait so long for the local side */
};

enum phase {
	PHASE_STARTING, /* waiting for the local side */
	PHASE_RUNNING,
	PHASE_DRAINING, /* waiting for streams */
	PHASE_CLOSING,  /* waiting for links and the local side to end */
};

struct connector {
	const struct settings *settings;
	struct hop_loop loop;
	struct dialer *dialer;
	struct slot_settings slot_settings;
	struct slot *slots;
	struct local local;
	enum phase phase;
	bool ready; /* was announced */
	int status;
	ev_signal terminate, interrupt, hangup;
	ev_timer timer;   /* of the phase */
	ev_prepare sweep; /* while draining */
	int64_t started_s; /* since 1970 */
	struct promfile promfile;
};

static size_t
slot_count(const struct connector *c)
{
	return c->settings->edges.count;
}

static void
start_links(struct connector *c)
{
	c->phase = PHASE_RUNNING;
	ev_timer_stop(c->loop.ev, &c->timer);
	for (size_t i = 0; i < slot_count(c); i++)
		slot_start(&c->slots[i]);
}

static void
close_down(struct connector *c, int status)
{
	if (c->phase == PHASE_CLOSING)
		return;
	c->phase = PHASE_CLOSING;
	c->status = status;
	ev_timer_stop(c->loop.ev, &c->timer);
	ev_prepare_stop(c->loop.ev, &c->sweep);
	for (size_t i = 0; i < slot_count(c); i++)
		slot_close(&c->slots[i]);
	local_stop(&c->local);
}

static const struct slot *
find_up(const struct connector *c)
{
	for (size_t i = 0; i < slot_count(c); i++) {
		if (c->slots[i].state == SLOT_UP)
			return &c->slots[i];
	}
	return NULL;
}

static bool
all_stopped(const struct connector *c)
{
	for (size_t i = 0; i < slot_count(c); i++) {
		if (c->slots[i].state != SLOT_STOPPED ||
		    slot_has_links(&c->slots[i]))
			return false;
	}
	return true;
}

static void
announce(struct connector *c)
{
	const struct slot *up = find_up(c);
	char line[HOP_DOMAIN_MAX + 16];

	if (c->ready || up == NULL || local_chan(&c->local) == NULL)
		return;
	c->ready = true;
	diag_notice("ready: domain=%s", up->domain[0] == '\0' ? "-"
	    : up->domain);
	str_format(line, sizeof line, "domain=%s", up->domain);
	io_announce_ready((int)c->settings->ready_fd, line);
}

/* Something came up, went down or stopped. */
static void
on_changed(void *user)
{
	struct connector *c = user;

	switch (c->phase) {
	case PHASE_STARTING:
		if (c->local.state == LOCAL_STOPPED)
			close_down(c, c->local.exit_status);
		else
			start_links(c);
		break;
	case PHASE_RUNNING:
		announce(c);
		if (c->local.state == LOCAL_STOPPED)
			close_down(c, c->local.exit_status);
		else if (all_stopped(c)) {
			diag_error("no edge is left to dial");
			close_down(c, EXIT_PERMANENT);
		}
		break;
	case PHASE_DRAINING:
		if (all_stopped(c))
			close_down(c, EXIT_OK);
		break;
	case PHASE_CLOSING:
		break;
	}
	if (c->phase == PHASE_CLOSING && all_stopped(c) &&
	    c->local.state == LOCAL_STOPPED)
		ev_break(c->loop.ev, EVBREAK_ALL);
}

/* Half of the streams that the local program takes is kept for the edges that
 * are up, in equal parts: one that opens all that it can keeps no other from
 * its own. */
static bool
admits(void *user, const struct slot *asking)
{
	const struct connector *c = user;
	const struct chan *local = &c->local.hop.chan;
	size_t up = 0, part, kept = 0;

	for (size_t i = 0; i < slot_count(c); i++)
		up += c->slots[i].state == SLOT_UP;
	part = up == 0 ? 0 : local->peer.streams / (2 * up);
	for (size_t i = 0; i < slot_count(c); i++) {
		const struct slot *s = &c->slots[i];
		size_t n = slot_count_streams(s);

		if (s != asking && s->state == SLOT_UP && n < part)
			kept += part - n;
	}
	return kept == 0 || local->own_count + kept < local->peer.streams;
}

static size_t
count_streams(const struct connector *c)
{
	size_t n = 0;

	for (size_t i = 0; i < slot_count(c); i++)
		n += slot_count_streams(&c->slots[i]);
	return n;
}

static void
drain(struct connector *c)
{
	double limit_s = (double)c->settings->drain_ms / 1000;

	io_notify("STOPPING=1");
	diag_notice("draining: streams=%zu", count_streams(c));
	c->phase = PHASE_DRAINING;
	ev_timer_stop(c->loop.ev, &c->timer);
	ev_timer_set(&c->timer, limit_s, 0);
	ev_timer_start(c->loop.ev, &c->timer);
	ev_prepare_start(c->loop.ev, &c->sweep);
	for (size_t i = 0; i < slot_count(c); i++)
		slot_drain(&c->slots[i]);
	local_retire(&c->local);
	on_changed(c);
}

static void
on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct connector *c = w->data;

	(void)ev;
	(void)revents;
	if (c->phase < PHASE_DRAINING) {
		drain(c);
		return;
	}
	close_down(c, EXIT_OK);
	local_hurry(&c->local);
	on_changed(c);
}

/* Has everything read anew: by the local program what it has read, here the
 * credentials, which links then are dialed with that have to be. */
static void
reload(struct connector *c)
{
	struct error e;

	if (credentials_reload(c->slot_settings.credentials, &e) != 0)
		diag_warning("%s, going on with what was read before",
		    e.text);
	else
		diag_notice("credentials loaded");
	for (size_t i = 0; c->phase == PHASE_RUNNING && i < slot_count(c);
	    i++)
		slot_redial(&c->slots[i]);
}

static void
on_hangup(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct connector *c = w->data;
	bool told = c->ready && c->phase == PHASE_RUNNING;

	(void)ev;
	(void)revents;
	if (told)
		io_notify_reload();
	local_hangup(&c->local);
	if (c->phase < PHASE_DRAINING)
		reload(c);
	if (told)
		io_notify("READY=1");
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct connector *c = w->data;

	(void)ev;
	(void)revents;
	if (c->phase == PHASE_STARTING) {
		start_links(c);
		return;
	}
	diag_warning("draining: %zu streams did not end in time",
	    count_streams(c));
	close_down(c, EXIT_OK);
	on_changed(c);
}

/* Streams end on either side of a relay without a word to the slots. */
static void
on_sweep(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct connector *c = w->data;

	(void)ev;
	(void)revents;
	for (size_t i = 0; i < slot_count(c); i++)
		slot_sweep(&c->slots[i]);
}

/* ---- metrics ---- */

static int
format_metrics(const void *user, struct buf *out)
{
	const struct connector *c = user;
	uint64_t up = 0, ups = 0, failures = 0;

	for (size_t i = 0; i < slot_count(c); i++) {
		up += c->slots[i].state == SLOT_UP;
		ups += c->slots[i].up_count;
		failures += c->slots[i].failure_count;
	}
	return promfile_add(out, "tunnel_up", (struct promfile_metric[]){
		{"edges", "Edges to keep a link to.", slot_count(c)},
		{"links", "Links that are up.", up},
		{"links_total", "Links that came up.", ups},
		{"link_failures_total", "Links that failed, or were not made.",
		    failures},
		{"streams", "Streams on all links.", count_streams(c)},
		{"start_timestamp_seconds", "When it began.",
		    (uint64_t)c->started_s},
	}, 6);
}

static int
start_metrics(struct connector *c, struct error *e)
{
	const struct promfile_settings s = {.path = c->settings->metrics,
		.format = format_metrics, .user = c};

	c->started_s = clock_wall_s();
	return promfile_start(&c->promfile, c->loop.ev, &s, e) == 0 ? 0
	    : error_prefix(e, "--metrics");
}

/* ---- set-up ---- */

static void
start_watchers(struct connector *c)
{
	ev_signal_init(&c->terminate, on_signal, SIGTERM);
	ev_signal_init(&c->interrupt, on_signal, SIGINT);
	ev_signal_init(&c->hangup, on_hangup, SIGHUP);
	ev_timer_init(&c->timer, on_timer, LOCAL_FIRST_MS / 1000.0, 0);
	ev_prepare_init(&c->sweep, on_sweep);
	/* Before hop.c's, which writes what this one queues. */
	ev_set_priority(&c->sweep, EV_MAXPRI);
	c->terminate.data = c->interrupt.data = c->hangup.data =
	    c->timer.data = c->sweep.data = c;
	ev_signal_start(c->loop.ev, &c->terminate);
	ev_signal_start(c->loop.ev, &c->interrupt);
	ev_signal_start(c->loop.ev, &c->hangup);
	proc_take_hangup();
	ev_timer_start(c->loop.ev, &c->timer);
}

static void
stop_watchers(struct connector *c)
{
	ev_signal_stop(c->loop.ev, &c->terminate);
	ev_signal_stop(c->loop.ev, &c->interrupt);
	ev_signal_stop(c->loop.ev, &c->hangup);
	ev_timer_stop(c->loop.ev, &c->timer);
	ev_prepare_stop(c->loop.ev, &c->sweep);
}

struct slot *
connector_new_slots(const struct slot_settings *settings, struct error *e)
{
	const struct opt_list *edges = &settings->settings->edges;
	struct slot *slots = calloc(edges->count, sizeof *slots);

	if (slots == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < edges->count; i++) {
		if (slot_init(&slots[i], settings, edges->at[i], i, e) != 0) {
			free(slots);
			return NULL;
		}
	}
	return slots;
}

static int
set_up(struct connector *c, const struct connector_settings *settings,
    struct error *e)
{
	const struct settings *s = settings->settings;
	struct local_settings local = {
		.loop = &c->loop, .path = s->connect, .command = s->command,
		.drop_env = settings->drop_env,
		.streams = (uint32_t)slot_count(c) * CHAN_STREAMS_DEFAULT,
		.ping_ms = s->ping_ms, .changed = on_changed, .user = c,
	};

	e->code = EXIT_FAILED;
	c->dialer = dialer_new(c->loop.ev, e);
	if (c->dialer == NULL)
		return -1;
	c->slot_settings = (struct slot_settings){
		.link = {
			.loop = &c->loop, .dialer = c->dialer,
			.local = &c->local,
			.credentials = settings->credentials,
			.proxy = settings->proxy,
			.server_name = s->server_name,
			.ping_ms = s->ping_ms, .timeout_ms = s->timeout_ms,
		},
		.settings = s, .credentials = settings->credentials,
		.admits = admits, .changed = on_changed, .user = c,
	};
	e->code = EXIT_USAGE;
	c->slots = connector_new_slots(&c->slot_settings, e);
	if (c->slots == NULL || start_metrics(c, e) != 0)
		return -1;
	return local_start(&c->local, &local, e);
}

int
connector_run(const struct connector_settings *settings)
{
	struct connector c = {.settings = settings->settings};
	struct error e;

	hop_loop_init(&c.loop, EV_DEFAULT);
	if (set_up(&c, settings, &e) == 0) {
		start_watchers(&c);
		if (c.local.state != LOCAL_STARTING)
			start_links(&c);
		ev_run(c.loop.ev, 0);
		stop_watchers(&c);
		local_done(&c.local);
	} else {
		diag_error("%s", e.text);
		c.status = e.code;
	}
	promfile_stop(&c.promfile);
	for (size_t i = 0; c.slots != NULL && i < slot_count(&c); i++)
		slot_done(&c.slots[i]);
	free(c.slots);
	dialer_free(c.dialer);
	return c.status;
}
