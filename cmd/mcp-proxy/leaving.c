/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/leaving.h"

#include <stdlib.h>

#include "common/clock.h"

struct leaving_stream {
	struct leaving_stream *next;
	struct chan *chan; /* NULL: gone */
	uint32_t id;
	int64_t due_ms;
};

static void
reset(struct chan *c, uint32_t id)
{
	struct chan_stream *s = chan_get(c, id);

	if (s != NULL)
		chan_reset(c, s, FRAME_TIMEOUT, BLAME_CLIENT,
		    "the connection was not closed");
}

static void
start_timer(struct leaving *l, int64_t after_ms)
{
	ev_now_update(l->ev);
	ev_timer_set(&l->timer, (double)after_ms / 1000, 0);
	ev_timer_start(l->ev, &l->timer);
}

static void
take_first(struct leaving *l)
{
	struct leaving_stream *s = l->first;

	l->first = s->next;
	if (l->first == NULL)
		l->last = NULL;
	if (s->chan != NULL)
		reset(s->chan, s->id);
	free(s);
}

static void
on_timer(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct leaving *l = t->data;
	int64_t now_ms = clock_ms();

	(void)ev;
	(void)revents;
	while (l->first != NULL && l->first->due_ms <= now_ms)
		take_first(l);
	if (l->first != NULL)
		start_timer(l, l->first->due_ms - now_ms);
}

void
leaving_init(struct leaving *l, struct ev_loop *ev)
{
	*l = (struct leaving){.ev = ev};
	ev_timer_init(&l->timer, on_timer, 0, 0);
	l->timer.data = l;
}

void
leaving_done(struct leaving *l)
{
	while (l->first != NULL)
		take_first(l);
	if (l->ev != NULL)
		ev_timer_stop(l->ev, &l->timer);
}

void
leaving_add(struct leaving *l, struct chan *c, uint32_t id)
{
	struct leaving_stream *s;

	if (chan_get(c, id) == NULL)
		return;
	s = malloc(sizeof *s);
	if (s == NULL) {
		reset(c, id);
		return;
	}
	*s = (struct leaving_stream){.chan = c, .id = id,
	    .due_ms = clock_ms() + LEAVING_MS};
	if (l->last != NULL)
		l->last->next = s;
	else
		l->first = s;
	l->last = s;
	if (!ev_is_active(&l->timer))
		start_timer(l, LEAVING_MS);
}

void
leaving_forget(struct leaving *l, const struct chan *c)
{
	for (struct leaving_stream *s = l->first; s != NULL; s = s->next) {
		if (s->chan == c)
			s->chan = NULL;
	}
}
