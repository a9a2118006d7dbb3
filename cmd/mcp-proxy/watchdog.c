/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/watchdog.h"

#include "common/clock.h"

static void
start(struct ev_loop *ev, struct watchdog *w, int64_t now_ms)
{
	ev_timer_stop(ev, &w->timer);
	ev_timer_set(&w->timer, (double)(w->due_ms - now_ms) / 1000, 0);
	ev_timer_start(ev, &w->timer);
	w->fires_ms = w->due_ms;
}

static void
on_timer(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct watchdog *w = t->data;
	int64_t now_ms = clock_ms();

	(void)revents;
	w->fires_ms = 0;
	if (w->due_ms == 0)
		return;
	if (w->due_ms > now_ms) {
		start(ev, w, now_ms);
		return;
	}
	w->due_ms = 0;
	w->expired(w->user);
}

void
watchdog_init(struct watchdog *w, void (*expired)(void *user), void *user)
{
	ev_timer_init(&w->timer, on_timer, 0, 0);
	w->timer.data = w;
	w->due_ms = w->fires_ms = 0;
	w->expired = expired;
	w->user = user;
}

void
watchdog_set(struct ev_loop *ev, struct watchdog *w, int64_t after_ms)
{
	int64_t now_ms;

	if (after_ms == 0) {
		w->due_ms = 0;
		return;
	}
	now_ms = clock_ms();
	w->due_ms = now_ms + after_ms;
	if (w->fires_ms == 0 || w->fires_ms > w->due_ms) {
		ev_now_update(ev);
		start(ev, w, now_ms);
	}
}

void
watchdog_stop(struct ev_loop *ev, struct watchdog *w)
{
	ev_timer_stop(ev, &w->timer);
	w->due_ms = w->fires_ms = 0;
}
