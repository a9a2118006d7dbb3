/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-edge/meter.h"

#include "common/clock.h"

enum {
	CHUNK_MIN = 1 << 10,
	CHUNK_MAX = 64 << 10,
	CHUNKS_PER_S = 128, /* of a slow tunnel: it waits no longer for one */
	US_PER_S = 1000000,
};

static bool
is_waiting(const struct meter_wait *w)
{
	return w->next != NULL;
}

static bool
has_waiting(const struct meter *m)
{
	return m->queue.next != &m->queue;
}

/* Adds what has come since it was last looked at. */
static void
fill(struct meter *m)
{
	int64_t now = clock_us(), passed = now - m->filled_us, gained;

	m->filled_us = now;
	/* So long fills it from empty; beyond, the product may overflow. */
	if (passed > m->burst / m->rate * US_PER_S + US_PER_S) {
		m->tokens = m->burst;
		return;
	}
	gained = passed * m->rate + m->spare;
	m->tokens += gained / US_PER_S;
	m->spare = gained % US_PER_S;
	if (m->tokens > m->burst)
		m->tokens = m->burst;
}

/* Wakes when the next in the queue can have its chunk. */
static void
arm(struct meter *m)
{
	int64_t missing = (int64_t)m->chunk - m->tokens, ms = 0;

	if (m->rate != 0 && missing > 0)
		ms = missing * 1000 / m->rate + 1;
	ev_timer_stop(m->ev, &m->refill);
	ev_timer_set(&m->refill, (double)ms / 1000, 0);
	ev_timer_start(m->ev, &m->refill);
}

void
meter_leave(struct meter *m, struct meter_wait *w)
{
	if (!is_waiting(w))
		return;
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->next = w->prev = NULL;
	if (!has_waiting(m))
		ev_timer_stop(m->ev, &m->refill);
}

void
meter_queue(struct meter *m, struct meter_wait *w)
{
	if (is_waiting(w))
		return;
	w->next = &m->queue;
	w->prev = m->queue.prev;
	w->prev->next = w;
	m->queue.prev = w;
	if (!ev_is_active(&m->refill) && m->turn == NULL)
		arm(m);
}

/* Whoever can have neither all it wants nor a chunk waits, lest a flow in
 * small pieces keep the loop busy. */
size_t
meter_grant(struct meter *m, struct meter_wait *w, size_t want)
{
	size_t most = want;

	if (m->turn == w && most > m->turn_left)
		most = m->turn_left;
	if (m->turn == w && most == 0) {
		meter_queue(m, w);
		return 0;
	}
	fill(m);
	if (is_waiting(w) || (has_waiting(m) && m->turn != w) ||
	    m->tokens < (int64_t)(most < m->chunk ? most : m->chunk)) {
		meter_queue(m, w);
		return 0;
	}
	return (int64_t)most < m->tokens ? most : (size_t)m->tokens;
}

void
meter_take(struct meter *m, size_t n)
{
	m->tokens -= (int64_t)n;
	m->turn_left -= n < m->turn_left ? n : m->turn_left;
}

/* Lets those who wait go on, each once. */
static void
on_refill(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct meter *m = t->data;
	struct meter_wait end = {NULL, NULL};

	(void)ev;
	(void)revents;
	/* Whoever joins again does so behind this mark. */
	m->turn = &end;
	meter_queue(m, &end);
	while (m->queue.next != &end) {
		struct meter_wait *w = m->queue.next;

		if (m->rate != 0) {
			fill(m);
			if (m->tokens < (int64_t)m->chunk)
				break;
		}
		m->turn = w;
		m->turn_left = m->chunk;
		meter_leave(m, w);
		m->go(w);
	}
	meter_leave(m, &end);
	m->turn = NULL;
	m->turn_left = 0;
	if (has_waiting(m))
		arm(m);
}

static size_t
chunk_of(int64_t rate)
{
	int64_t chunk = rate / CHUNKS_PER_S;

	if (chunk < CHUNK_MIN)
		chunk = CHUNK_MIN;
	return (size_t)(chunk < CHUNK_MAX ? chunk : CHUNK_MAX);
}

void
meter_set(struct meter *m, struct ev_loop *ev, int64_t rate, int64_t burst,
    void (*go)(struct meter_wait *w))
{
	if (m->ev == NULL) {
		m->queue.next = m->queue.prev = &m->queue;
		ev_timer_init(&m->refill, on_refill, 0, 0);
		m->refill.data = m;
		m->ev = ev;
		m->go = go;
	}
	if (rate == m->rate && burst == m->burst)
		return;
	if (m->rate != 0)
		fill(m);
	else
		m->tokens = burst;
	m->rate = rate;
	m->burst = burst;
	m->chunk = chunk_of(rate);
	m->filled_us = clock_us();
	if (m->tokens > burst)
		m->tokens = burst;
	if (has_waiting(m))
		arm(m);
}
