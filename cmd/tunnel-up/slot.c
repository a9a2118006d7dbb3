/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/slot.h"

#include "common/diag.h"

enum { INSTANCE_LEN = 16, NS_PER_MS = 1000000 };

static void
slot_wait(struct slot *s, int64_t delay_ms)
{
	struct ev_loop *ev = s->link_settings.loop->ev;

	s->state = SLOT_WAITING;
	ev_timer_stop(ev, &s->timer);
	ev_timer_set(&s->timer, (double)delay_ms / 1000, 0);
	ev_timer_start(ev, &s->timer);
}

static void
slot_stop(struct slot *s)
{
	ev_timer_stop(s->link_settings.loop->ev, &s->timer);
	s->state = SLOT_STOPPED;
}

static void
slot_retry(struct slot *s)
{
	struct retry_plan plan = retry_failed(&s->retry, s->failure.text,
	    clock_ms());

	/* Somebody else has our name: no race to replace each other. */
	if (s->failure.code == FRAME_REPLACED)
		plan.delay_ms = s->retry.backoff.max_ms;
	retry_log(&plan, s->link_settings.edge, s->failure.text);
	slot_wait(s, plan.delay_ms);
}

/* The link of an attempt is gone, or did not even begin. */
static void
slot_failed(struct slot *s, const struct failure *why)
{
	s->link = NULL;
	if (s->state == SLOT_STOPPED)
		return;
	s->failure = *why;
	s->failure_count++;
	if (s->settings->once) {
		slot_stop(s);
	} else if (why->permanent) {
		diag_error("%s: %s, not dialed again", s->link_settings.edge,
		    why->text);
		slot_stop(s);
	} else {
		slot_retry(s);
	}
}

/* ---- links ---- */

static bool
on_admit(void *user)
{
	const struct slot *s = user;

	return s->settings->admits(s->settings->user, s);
}

static void
on_up(void *user, struct link *l, const struct hop_peer *peer)
{
	struct slot *s = user;

	s->state = SLOT_UP;
	s->up_count++;
	retry_worked(&s->retry, clock_ms());
	str_format(s->domain, sizeof s->domain, "%s", peer->domain);
	diag_notice("link up: edge=%s domain=%s instance=%s generation=%lld",
	    s->link_settings.edge, peer->domain[0] == '\0' ? "-"
	    : peer->domain, s->instance, (long long)l->generation);
	s->settings->changed(s->settings->user);
}

/* An edge that always drains and never ends a link may not have any number of
 * them: what is idle goes with the next, and so do the oldest. */
static void
limit_old(struct slot *s)
{
	size_t count = 0;

	for (struct link *l = s->old; l != NULL; l = l->next) {
		if (link_is_idle(l) || ++count >= SLOT_OLD_MAX)
			link_close(l, FRAME_DRAINING, "a newer link drains");
	}
}

static void
on_draining(void *user, struct link *l)
{
	struct slot *s = user;

	if (l != s->link)
		return;
	limit_old(s);
	s->link = NULL;
	l->next = s->old;
	s->old = l;
	diag_notice("link draining: edge=%s streams=%zu",
	    s->link_settings.edge, chan_count(&l->hop.chan));
	if (s->state != SLOT_STOPPED)
		slot_wait(s, retry_drained(&s->retry, clock_ms()));
}

static bool
remove_old(struct slot *s, const struct link *l)
{
	for (struct link **at = &s->old; *at != NULL; at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			return true;
		}
	}
	return false;
}

static void
on_down(void *user, struct link *l, const struct failure *why)
{
	struct slot *s = user;

	if (remove_old(s, l) || s->state == SLOT_STOPPED)
		diag_notice("link down: edge=%s", s->link_settings.edge);
	if (l == s->link)
		slot_failed(s, why);
	s->settings->changed(s->settings->user);
}

/* A number that grows with every link, also over a restart. */
static int64_t
next_generation(const struct slot *s)
{
	int64_t now_ms = clock_wall_ns() / NS_PER_MS;

	return now_ms > s->generation ? now_ms : s->generation + 1;
}

static void
slot_dial(struct slot *s)
{
	struct failure why;
	struct error e;

	if (credentials_refresh(s->settings->credentials, &e) != 0)
		diag_warning("%s, going on with what was read before",
		    e.text);
	s->generation = next_generation(s);
	s->state = SLOT_TRYING;
	s->link = link_start(&s->link_settings, s->generation, &why);
	if (s->link != NULL)
		return;
	slot_failed(s, &why);
	s->settings->changed(s->settings->user);
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev;
	(void)revents;
	slot_dial(w->data);
}

/* ---- what the connector asks for ---- */

/* The name that was given, or a random one.  Two slots of a process may reach
 * the same edge, and must not replace each other there. */
static void
set_instance(struct slot *s, const char *name, size_t index)
{
	if (name == NULL) {
		random_hex(s->instance, INSTANCE_LEN);
	} else if (index == 0) {
		str_format(s->instance, sizeof s->instance, "%s", name);
	} else {
		str_format(s->instance, sizeof s->instance, "%s-%zu", name,
		    index + 1);
	}
}

int
slot_init(struct slot *s, const struct slot_settings *settings,
    const char *edge, size_t index, struct error *e)
{
	struct link_settings *l = &s->link_settings;
	struct sock_addr numeric;

	memset(s, 0, sizeof *s);
	s->settings = settings;
	*l = settings->link;
	l->edge = edge;
	if (sock_parse_hostport(edge, 0, s->host, &l->port, e) != 0)
		return error_prefix(e, "--edge");
	if (l->port == 0)
		return error_set(e, "--edge: %s: port is not 1 to 65535",
		    edge);
	if (!str_is_hostname(s->host) &&
	    sock_parse_ip(s->host, l->port, &numeric) != 0)
		return error_set(e, "--edge: %s: not a host name or address",
		    edge);
	l->host = s->host;
	if (l->server_name == NULL)
		l->server_name = s->host;
	set_instance(s, settings->settings->name, index);
	l->instance = s->instance;
	l->admits = on_admit;
	l->up = on_up;
	l->draining = on_draining;
	l->down = on_down;
	l->user = s;
	retry_init(&s->retry, settings->settings->backoff_min_ms,
	    settings->settings->backoff_max_ms);
	ev_init(&s->timer, on_timer);
	s->timer.data = s;
	return 0;
}

void
slot_start(struct slot *s)
{
	if (s->state == SLOT_IDLE)
		slot_dial(s);
}

void
slot_redial(struct slot *s)
{
	if (s->state != SLOT_WAITING && s->state != SLOT_STOPPED)
		return;
	retry_forget(&s->retry);
	ev_timer_stop(s->link_settings.loop->ev, &s->timer);
	slot_dial(s);
}

void
slot_drain(struct slot *s)
{
	slot_stop(s);
	if (s->link != NULL)
		link_drain(s->link);
}

static void
sweep(struct link *l)
{
	if (l != NULL && link_is_idle(l))
		link_close(l, FRAME_DRAINING, "tunnel-up ends");
}

void
slot_sweep(struct slot *s)
{
	sweep(s->link);
	for (struct link *l = s->old; l != NULL; l = l->next)
		sweep(l);
}

void
slot_close(struct slot *s)
{
	slot_stop(s);
	for (struct link *l = s->old; l != NULL; l = l->next)
		link_close(l, FRAME_DRAINING, "tunnel-up ends");
	if (s->link != NULL)
		link_close(s->link, FRAME_DRAINING, "tunnel-up ends");
}

bool
slot_has_links(const struct slot *s)
{
	return s->link != NULL || s->old != NULL;
}

size_t
slot_count_streams(const struct slot *s)
{
	size_t n = 0;

	if (s->link != NULL && s->link->state >= LINK_GREETING)
		n += chan_count(&s->link->hop.chan);
	for (const struct link *l = s->old; l != NULL; l = l->next)
		n += chan_count(&l->hop.chan);
	return n;
}

void
slot_done(struct slot *s)
{
	if (s->settings == NULL)
		return;
	ev_timer_stop(s->link_settings.loop->ev, &s->timer);
	if (s->link != NULL)
		link_free(s->link);
	while (s->old != NULL) {
		struct link *l = s->old;

		s->old = l->next;
		link_free(l);
	}
	s->link = NULL;
}
