/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/calls.h"

#include <stdlib.h>

#include "common/clock.h"

enum { TOO_MANY_REQUESTS = 429, SERVER_ERROR = 500 };

struct slot {
	struct calls *calls;
	struct api_job *job;   /* NULL: free */
	struct calls_subject about;
	long refused;          /* status of the last attempt but one, or 0 */
};

struct calls {
	struct api *api;
	struct ev_loop *ev;
	const struct calls_work *work;
	struct slot slots[CALLS_MAX];
	size_t running, window;
	bool dry;              /* next has nothing left */
	const char *cut;       /* why no call begins anymore, or NULL */
	ev_timer hold;         /* while it runs no call begins */
	ev_timer deadline;
	ev_io stop;
};

/* ---- how many ---- */

static size_t
count_max(const struct calls *c)
{
	return c->window < c->work->at_once ? c->window : c->work->at_once;
}

static void
begin_more(struct calls *c)
{
	while (!c->dry && c->cut == NULL && !ev_is_active(&c->hold) &&
	    c->running < count_max(c))
		c->dry = !c->work->next(c, c->work->user);
}

/* Many may be refused at the same time: that counts once. */
static void
slow_down(struct calls *c, int64_t delay_ms)
{
	double delay = (double)delay_ms / 1000.0;

	if (!ev_is_active(&c->hold))
		c->window = (c->window + 1) / 2;
	else if (ev_timer_remaining(c->ev, &c->hold) >= delay)
		return;
	ev_timer_stop(c->ev, &c->hold);
	ev_timer_set(&c->hold, delay, 0);
	ev_timer_start(c->ev, &c->hold);
}

static void
on_hold_over(struct ev_loop *ev, ev_timer *w, int events)
{
	(void)ev;
	(void)events;
	begin_more(w->data);
}

/* ---- one call ---- */

static void
end_call(struct slot *s, struct api_response *r, const struct error *e)
{
	struct calls *c = s->calls;
	struct calls_subject about = s->about;

	s->job = NULL;
	c->running--;
	c->work->done(c, c->work->user, &about, r, e);
}

static void
on_done(void *user, struct api_response *r, const struct error *e)
{
	struct slot *s = user;
	struct calls *c = s->calls;

	if (e == NULL && api_is_success(r->status) && c->window < CALLS_MAX)
		c->window++;
	end_call(s, r, e);
	begin_more(c);
}

static void
on_retry(void *user, const struct api_response *r, int64_t delay_ms)
{
	struct slot *s = user;

	s->refused = r->status;
	if (r->status == TOO_MANY_REQUESTS || r->status >= SERVER_ERROR)
		slow_down(s->calls, delay_ms);
}

static const struct api_events events = {.done = on_done, .retry = on_retry};

static struct slot *
find_slot(struct calls *c)
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (c->slots[i].job == NULL)
			return &c->slots[i];
	return NULL;
}

/* What is left for an attempt. */
static int64_t
left_ms(const struct calls *c)
{
	int64_t left;

	if (c->work->deadline_ms == CALLS_NO_DEADLINE)
		return CALLS_CALL_MS;
	left = c->work->deadline_ms - clock_ms();
	return left > CALLS_CALL_MS ? CALLS_CALL_MS : left > 0 ? left : 1;
}

int
calls_start(struct calls *c, const struct api_request *given,
    const struct calls_subject *about, struct error *e)
{
	struct slot *s = find_slot(c);
	struct api_request r = *given;

	if (c->cut != NULL || s == NULL)
		return error_set(e, "%s", c->cut != NULL ? c->cut
		    : "too many calls");
	r.to_fd = -1;
	r.timeout_ms = left_ms(c);
	*s = (struct slot){.calls = c, .about = *about};
	s->job = api_start(c->api, &r, &events, s, e);
	if (s->job == NULL)
		return -1;
	c->running++;
	return 0;
}

/* ---- the end ---- */

static void
cut_off(struct calls *c, const char *why)
{
	struct api_response r;
	struct error e;

	c->cut = why;
	for (size_t i = 0; i < CALLS_MAX; i++) {
		struct slot *s = &c->slots[i];

		if (s->job == NULL)
			continue;
		api_cancel(s->job);
		r = (struct api_response){.ambiguous = true};
		buf_init(&r.body, 0);
		if (s->refused != 0)
			error_set(&e, "%s; the last answer was %ld", why,
			    s->refused);
		else
			error_set(&e, "%s", why);
		end_call(s, &r, &e);
	}
}

static void
on_deadline(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev;
	(void)revents;
	cut_off(w->data, "out of time");
}

static void
on_stop(struct ev_loop *ev, ev_io *w, int revents)
{
	(void)revents;
	ev_io_stop(ev, w);
	cut_off(w->data, "told to stop");
}

/* ---- all of them ---- */

static void
watch(struct calls *c)
{
	int64_t ms = c->work->deadline_ms - clock_ms();

	ev_now_update(c->ev);
	if (c->work->deadline_ms != CALLS_NO_DEADLINE) {
		if (ms <= 0)
			c->cut = "out of time";
		ev_timer_set(&c->deadline, (double)ms / 1000.0, 0);
		ev_timer_start(c->ev, &c->deadline);
	}
	if (c->work->stop_fd != -1) {
		ev_io_set(&c->stop, c->work->stop_fd, EV_READ);
		ev_io_start(c->ev, &c->stop);
	}
}

int
calls_run(struct calls *c, const struct calls_work *w)
{
	c->work = w;
	c->dry = false;
	c->cut = NULL;
	watch(c);
	begin_more(c);
	while (c->running > 0 || (!c->dry && c->cut == NULL))
		ev_run(c->ev, EVRUN_ONCE);
	ev_timer_stop(c->ev, &c->deadline);
	ev_io_stop(c->ev, &c->stop);
	return c->cut == NULL ? 0 : -1;
}

struct calls *
calls_new(struct api *a, struct error *e)
{
	struct calls *c = calloc(1, sizeof *c);

	if (c == NULL || (c->ev = ev_loop_new(EVFLAG_AUTO)) == NULL) {
		free(c);
		error_set(e, "no event loop");
		return NULL;
	}
	c->api = a;
	c->window = CALLS_FIRST;
	ev_init(&c->hold, on_hold_over);
	ev_init(&c->deadline, on_deadline);
	ev_init(&c->stop, on_stop);
	c->hold.data = c->deadline.data = c->stop.data = c;
	if (api_attach(a, c->ev, e) != 0) {
		ev_loop_destroy(c->ev);
		free(c);
		return NULL;
	}
	return c;
}

void
calls_free(struct calls *c)
{
	if (c == NULL)
		return;
	api_detach(c->api);
	ev_timer_stop(c->ev, &c->hold);
	ev_loop_destroy(c->ev);
	free(c);
}
