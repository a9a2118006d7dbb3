/* SPDX-License-Identifier: ISC */
#include "common/quiet.h"

#include <assert.h>

static const struct pacer_shape source_shape = {
	QUIET_SOURCE_BURST, QUIET_EVERY_MS,
};
static const struct pacer_shape shape = {QUIET_BURST, QUIET_EVERY_MS};

static void
say(struct quiet *q, unsigned kind)
{
	uint64_t n = q->left_out[kind];

	q->left_out[kind] = 0;
	if (n != 0)
		q->say(kind, n);
}

static void
say_all(struct quiet *q)
{
	for (unsigned kind = 0; kind < QUIET_KINDS_MAX; kind++)
		say(q, kind);
}

static void
on_summary(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev;
	(void)revents;
	say_all(w->data);
}

void
quiet_init(struct quiet *q, struct ev_loop *ev,
    void (*on_say)(unsigned kind, uint64_t left_out))
{
	memset(q->full_ms, 0, sizeof q->full_ms);
	memset(q->left_out, 0, sizeof q->left_out);
	pacer_init(&q->sources, &source_shape);
	q->ev = ev;
	q->say = on_say;
	ev_timer_init(&q->summary, on_summary, 0, 0);
	q->summary.data = q;
}

void
quiet_done(struct quiet *q)
{
	ev_timer_stop(q->ev, &q->summary);
	say_all(q);
}

bool
quiet_allows(struct quiet *q, unsigned kind, uint64_t source, int64_t now_ms)
{
	assert(kind < QUIET_KINDS_MAX);
	if ((source == 0 || pacer_take(&q->sources, source, kind, now_ms)) &&
	    pacer_take_one(&q->full_ms[kind], &shape, now_ms)) {
		say(q, kind);
		return true;
	}
	q->left_out[kind]++;
	if (!ev_is_active(&q->summary)) {
		ev_timer_set(&q->summary, QUIET_EVERY_MS / 1000.0, 0);
		ev_timer_start(q->ev, &q->summary);
	}
	return false;
}
