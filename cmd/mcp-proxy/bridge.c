/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/bridge.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/policy.h"
#include "cmd/mcp-proxy/service.h"
#include "cmd/mcp-proxy/visit.h"

/* ---- processes ---- */

static void
list_add(struct bridge *b, struct process *p)
{
	p->next = b->processes;
	if (p->next != NULL)
		p->next->prev = p;
	b->processes = p;
	b->proxy->process_count++;
}

static void
refuse_start(struct bridge *b, struct failure *ret_why)
{
	failure_set(ret_why, 503, FRAME_UNREACHABLE, BLAME_UPSTREAM,
	    "%s: failed %lld times in a row, again in %lld ms",
	    b->route->origin, (long long)b->failure_count,
	    (long long)(b->retry_ms - clock_ms()));
}

/* One that is not started. */
static struct process *
process_new(struct bridge *b, enum process_role role, size_t slot)
{
	struct process *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->bridge = b;
	p->role = role;
	p->slot = slot;
	if (b->route->policy == NULL || process_judge_start(p) == 0)
		return p;
	free(p);
	return NULL;
}

struct process *
bridge_start(struct bridge *b, enum process_role role, size_t slot,
    struct failure *ret_why)
{
	struct process *p;
	struct error e = {.text = "out of memory"};

	if (clock_ms() < b->retry_ms) {
		refuse_start(b, ret_why);
		return NULL;
	}
	p = process_new(b, role, slot);
	if (p == NULL || child_start(&p->child, b->proxy, b->route,
	    &process_events, &e) != 0) {
		bridge_failed(b, NULL);
		failure_set(ret_why, 502, FRAME_UNREACHABLE, BLAME_UPSTREAM,
		    "%s: %s", b->route->origin, e.text);
		if (p != NULL)
			process_judge_stop(p);
		free(p);
		return NULL;
	}
	p->ready = role == PROCESS_OWNED;
	p->started_ms = p->used_ms = clock_ms();
	buf_init(&p->greeting, (size_t)b->route->stdio->message_max);
	list_add(b, p);
	if (role == PROCESS_SHARED)
		b->shared[slot] = p;
	else if (role == PROCESS_MODERN)
		b->modern[slot] = p;
	if (!ev_is_active(&b->sweep))
		ev_timer_again(b->proxy->ev, &b->sweep);
	return p;
}

size_t
bridge_pick(const struct bridge *b, struct process *const slots[])
{
	size_t best = 0, least = SIZE_MAX;

	for (size_t i = 0; i < (size_t)b->route->stdio->pool; i++) {
		size_t load = slots[i] == NULL ? 0 : slots[i]->call_count;

		/* A process that runs is better than one to be started. */
		load = load * 2 + (slots[i] == NULL);
		if (load < least) {
			least = load;
			best = i;
		}
	}
	return best;
}

void
bridge_succeeded(struct bridge *b)
{
	b->failure_count = 0;
	b->retry_ms = 0;
	backoff_reset(&b->backoff);
}

/* p is NULL when it could not be started.  The first failure costs nothing:
 * it may be the last. */
void
bridge_failed(struct bridge *b, const struct process *p)
{
	int64_t now_ms = clock_ms();

	if (p != NULL && p->answer_count != 0 &&
	    (p->role == PROCESS_OWNED ||
	    now_ms - p->started_ms >= BRIDGE_SETTLE_MS)) {
		bridge_succeeded(b);
		return;
	}
	b->failure_count++;
	if (b->failure_count >= b->route->stdio->restarts_max)
		b->retry_ms = now_ms + BRIDGE_PAUSE_MS;
	else if (b->failure_count > 1)
		b->retry_ms = now_ms + backoff_next(&b->backoff);
}

/* ---- its end ---- */

static void
bridge_free(struct bridge *b)
{
	for (size_t i = 0; i < BRIDGE_BUCKETS; i++) {
		while (b->sessions[i] != NULL)
			session_free(b->sessions[i]);
	}
	ev_timer_stop(b->proxy->ev, &b->sweep);
	if (b->prev != NULL)
		b->prev->next = b->next;
	else
		b->proxy->bridges = b->next;
	if (b->next != NULL)
		b->next->prev = b->prev;
	service_drop(b->route);
	proxy_bury(b->proxy, &b->corpse);
}

/* Frees it once nothing is left to end, nor to be swept up. */
static void
end_if_unused(struct bridge *b)
{
	if (b->retired && b->processes == NULL && b->visit_count == 0 &&
	    !ev_is_active(&b->sweep))
		bridge_free(b);
}

void
bridge_enter(struct bridge *b)
{
	b->visit_count++;
}

void
bridge_leave(struct bridge *b)
{
	b->visit_count--;
	end_if_unused(b);
}

void
bridge_lost(struct bridge *b, struct process *p)
{
	if (b->shared[p->slot] == p)
		b->shared[p->slot] = NULL;
	if (b->modern[p->slot] == p)
		b->modern[p->slot] = NULL;
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		b->processes = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
}

/* ---- time ---- */

/* Whether nobody needs a process that no session owns. */
static bool
is_idle(const struct bridge *b, const struct process *p, int64_t now_ms)
{
	if (p->role == PROCESS_OWNED || p->call_count != 0 ||
	    (p->role != PROCESS_MODERN && b->session_count != 0))
		return false;
	return b->retired ? p->waiting == NULL
	    : now_ms - p->used_ms >= b->route->stdio->idle_ms;
}

static void
sweep(struct bridge *b)
{
	int64_t now_ms = clock_ms();
	struct process *next;

	bridge_enter(b);
	session_sweep(b, now_ms);
	for (struct process *p = b->processes; p != NULL; p = next) {
		next = p->next;
		process_sweep(p, now_ms);
		if (is_idle(b, p, now_ms))
			child_stop(&p->child, NULL);
	}
	if (stray_sweep(&b->proxy->strays) == 0 && b->processes == NULL &&
	    b->session_count == 0)
		ev_timer_stop(b->proxy->ev, &b->sweep);
	bridge_leave(b);
}

static void
on_sweep(struct ev_loop *ev, ev_timer *t, int revents)
{
	(void)ev;
	(void)revents;
	sweep(t->data);
}

/* ---- beginning ---- */

static bool
is_process(void *user, pid_t pid)
{
	const struct proxy *p = user;

	for (const struct bridge *b = p->bridges; b != NULL; b = b->next) {
		for (const struct process *q = b->processes; q != NULL;
		    q = q->next) {
			if (q->child.pid == pid)
				return true;
		}
	}
	return policy_has_process(p, pid);
}

static bool
is_running(void *user, uint64_t serial)
{
	const struct proxy *p = user;

	for (const struct bridge *b = p->bridges; b != NULL; b = b->next) {
		for (const struct process *q = b->processes; q != NULL;
		    q = q->next) {
			if (q->child.serial == serial)
				return true;
		}
	}
	return false;
}

struct bridge *
bridge_new(struct proxy *p, struct config_route *r)
{
	struct bridge *b = calloc(1, sizeof *b);

	if (b == NULL)
		return NULL;
	if (p->strays.mark[0] == '\0') {
		p->strays = (struct stray_rules){.is_process = is_process,
		    .is_running = is_running, .user = p};
		stray_init(&p->strays);
	}
	b->proxy = p;
	b->route = r;
	service_hold(r);
	b->backoff = (struct backoff){.min_ms = BRIDGE_BACKOFF_MIN_MS,
	    .max_ms = BRIDGE_BACKOFF_MAX_MS};
	ev_timer_init(&b->sweep, on_sweep, 0, BRIDGE_SWEEP_MS / 1000.0);
	b->sweep.data = b;
	b->next = p->bridges;
	if (b->next != NULL)
		b->next->prev = b;
	p->bridges = b;
	return b;
}

void
bridge_move(struct bridge *b, struct config_route *r)
{
	service_hold(r);
	for (struct process *p = b->processes; p != NULL; p = p->next)
		p->child.route = r;
	service_drop(b->route);
	b->route = r;
}

/* ---- ending ---- */

static void
drain(struct bridge *b)
{
	for (size_t i = 0; i < BRIDGE_BUCKETS; i++) {
		for (struct session *s = b->sessions[i]; s != NULL;
		    s = s->next) {
			if (s->listener != NULL)
				visit_end(s->listener);
		}
	}
	for (struct process *p = b->processes; p != NULL; p = p->next) {
		struct call *next;

		for (struct call *c = p->calls; c != NULL; c = next) {
			struct visit *v = c->visit;

			next = c->next;
			if (c->purpose != CALL_LISTEN || v == NULL)
				continue;
			process_cancel(c);
			visit_end(v);
		}
	}
}

void
bridge_retire(struct bridge *b)
{
	bridge_enter(b);
	b->retired = true;
	drain(b);
	if (!ev_is_active(&b->sweep))
		ev_timer_again(b->proxy->ev, &b->sweep);
	sweep(b);
	bridge_leave(b);
}

void
bridge_drain_all(struct proxy *p)
{
	struct bridge *next;

	for (struct bridge *b = p->bridges; b != NULL; b = next) {
		bridge_enter(b);
		drain(b);
		next = b->next;
		bridge_leave(b);
	}
}

void
bridge_stop_all(struct proxy *p, bool now)
{
	for (struct bridge *b = p->bridges; b != NULL; b = b->next) {
		for (struct process *q = b->processes; q != NULL;
		    q = q->next) {
			if (now)
				child_kill(&q->child, "shutting down");
			else
				child_stop(&q->child, NULL);
		}
	}
}

void
bridge_free_all(struct proxy *p)
{
	if (p->strays.mark[0] != '\0')
		stray_end_all(&p->strays);
	while (p->bridges != NULL)
		bridge_free(p->bridges);
}
