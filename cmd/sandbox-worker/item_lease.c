/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/item.h"
#include "cmd/sandbox-worker/log.h"
#include "common/clock.h"

static void
set_timer(struct item *i, int64_t ms)
{
	ev_timer_stop(i->ev, &i->beat_timer);
	ev_now_update(i->ev);
	ev_timer_set(&i->beat_timer, ms < 0 ? 0 : (double)ms / 1000.0, 0);
	ev_timer_start(i->ev, &i->beat_timer);
}

static void
say_end(const struct item *i, const struct error *e)
{
	switch (i->lease.end) {
	case LEASE_STOPPING:
		log_line(DIAG_INFO, "the service wants the item to end, "
		    "state '%s'", i->lease.state);
		break;
	case LEASE_LOST:
	case LEASE_REJECTED:
	case LEASE_ASSUMED_LOST:
		log_line(DIAG_ERROR, "heartbeat: %s", e->text);
		break;
	case LEASE_HELD:
	case LEASE_LEFT:
	case LEASE_RELEASED:
		log_line(DIAG_WARNING, "heartbeat: %s, tried again", e->text);
		break;
	}
}

/* Takes an answer, or that there was none, and sets the time of the next
 * beat. */
static void
take_answer(struct item *i, long status, struct bytes body,
    const char *failure)
{
	int64_t now = clock_ms(), next;
	struct error e;

	if (lease_answer(&i->lease, status, body, now, &e) == 0) {
		report_event(&i->report, "beat");
		if (i->lease.end == LEASE_STOPPING)
			say_end(i, &e);
	} else {
		if (status == 0 && i->lease.end == LEASE_HELD)
			error_set(&e, "%s", failure);
		say_end(i, &e);
	}
	if (i->lease.end != LEASE_HELD) {
		report_event(&i->report, lease_is_lost(&i->lease) ?
		    "lease-lost" : "lease-ended");
		item_leave(i, REASON_LEASE);
		return;
	}
	next = i->beat_ms + i->lease.interval_ms - now;
	set_timer(i, next);
}

static void
beat_done(void *user, struct api_response *r, const struct error *e)
{
	struct item *i = user;

	i->beat = NULL;
	take_answer(i, e == NULL || r->status >= 400 ? r->status : 0,
	    buf_bytes(&r->body), e == NULL ? "" : e->text);
}

static const struct api_events beat_events = {.done = beat_done};

void
item_beat(struct item *i)
{
	char path[ITEM_PATH_MAX];
	struct api_request r = {
		.method = "POST", .path = path, .beta = API_BETA_AGENTS,
		.helper = API_HELPER_WORKER, .max = LEASE_ANSWER_MAX,
		.to_fd = -1, .timeout_ms = i->lease.interval_ms,
		.retries = API_RETRIES,
	};

	item_work_path(i, "/heartbeat?expected_last_heartbeat=", path);
	api_append(path, sizeof path, i->lease.last);
	i->beat_ms = clock_ms();
	set_timer(i, i->lease.interval_ms);
	i->beat = item_request(i, &r, &beat_events);
}

/* It is time for a beat; one that still runs, retries and all, has had its
 * time. */
static void
beat_due(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct item *i = w->data;

	(void)ev;
	(void)revents;
	if (i->beat != NULL) {
		api_cancel(i->beat);
		i->beat = NULL;
		take_answer(i, 0, bytes_of(NULL, 0), "no answer in time");
		if (i->lease.end != LEASE_HELD)
			return;
	}
	item_beat(i);
}

void
item_init_lease(struct item *i)
{
	lease_init(&i->lease, clock_ms());
	ev_init(&i->beat_timer, beat_due);
	i->beat_timer.data = i;
}

void
item_stop_beating(struct item *i)
{
	ev_timer_stop(i->ev, &i->beat_timer);
	api_cancel(i->beat);
	i->beat = NULL;
}
