/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/clock.h"
#include "common/diag.h"

static struct session **
bucket_of(struct bridge *b, const char *id)
{
	unsigned hash = 0;

	/* The ids are random, so two of their digits are hash enough. */
	for (int i = 0; i < 2; i++)
		hash = hash << 4 | (unsigned)(id[i] <= '9' ? id[i] - '0'
		    : id[i] - 'a' + 10);
	return &b->sessions[hash % BRIDGE_BUCKETS];
}

size_t
session_slot(const struct bridge *b)
{
	size_t counts[CONFIG_POOL_MAX] = {0}, best = 0;

	for (size_t i = 0; i < BRIDGE_BUCKETS; i++) {
		for (const struct session *s = b->sessions[i]; s != NULL;
		    s = s->next)
			counts[s->slot]++;
	}
	for (size_t i = 1; i < (size_t)b->route->stdio->pool; i++) {
		if (counts[i] < counts[best])
			best = i;
	}
	return best;
}

struct session *
session_new(struct bridge *b)
{
	struct session *s, **bucket;

	if (b->session_count >= (size_t)b->route->stdio->sessions_max)
		return NULL;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	random_hex(s->id, BRIDGE_SESSION_LEN);
	s->bridge = b;
	s->used_ms = clock_ms();
	buf_init(&s->queue, BRIDGE_QUEUE_MAX);
	bucket = bucket_of(b, s->id);
	s->next = *bucket;
	if (s->next != NULL)
		s->next->prev = s;
	*bucket = s;
	b->session_count++;
	if (!ev_is_active(&b->sweep))
		ev_timer_again(b->proxy->ev, &b->sweep);
	return s;
}

static void
drop_event(struct session *s)
{
	struct event *e = s->events;

	s->events = e->next;
	if (s->events == NULL)
		s->last_event = NULL;
	s->event_len -= e->len;
	free(e);
}

/* Lets no call point to it any more. */
static void
leave_calls(struct session *s)
{
	for (struct process *p = s->bridge->processes; p != NULL;
	    p = p->next) {
		struct call *next;

		for (struct call *c = p->calls; c != NULL; c = next) {
			next = c->next;
			if (c->session != s)
				continue;
			c->session = NULL;
			if (c->visit == NULL)
				process_cancel(c);
		}
	}
}

void
session_join(struct session *s, struct visit *v)
{
	v->session = s;
	v->session_prev = NULL;
	v->session_next = s->visits;
	if (v->session_next != NULL)
		v->session_next->session_prev = v;
	s->visits = v;
}

void
session_leave(struct visit *v)
{
	struct session *s = v->session;

	if (s == NULL)
		return;
	if (s->listener == v)
		s->listener = NULL;
	if (s->owned != NULL && s->owned->slow == v) {
		s->owned->slow = NULL;
		process_resume(s->owned);
	}
	if (v->session_prev != NULL)
		v->session_prev->session_next = v->session_next;
	else
		s->visits = v->session_next;
	if (v->session_next != NULL)
		v->session_next->session_prev = v->session_prev;
	v->session_next = v->session_prev = NULL;
	v->session = NULL;
	s->used_ms = clock_ms();
}

void
session_free(struct session *s)
{
	struct bridge *b = s->bridge;
	struct visit *listener = s->listener;

	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		*bucket_of(b, s->id) = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	b->session_count--;
	leave_calls(s);
	while (s->visits != NULL)
		session_leave(s->visits);
	if (s->owned != NULL) {
		s->owned->session = NULL;
		child_stop(&s->owned->child, NULL);
	}
	if (listener != NULL)
		visit_end(listener);
	while (s->events != NULL)
		drop_event(s);
	buf_reset(&s->queue);
	free(s);
}

/* Takes the same time wherever two ids differ. */
static bool
is_equal(const char *a, const char *b)
{
	unsigned differ = 0;

	for (size_t i = 0; i < BRIDGE_SESSION_LEN; i++)
		differ |= (unsigned)(a[i] ^ b[i]);
	return differ == 0;
}

struct session *
session_find(struct bridge *b, const char *id)
{
	if (strspn(id, "0123456789abcdef") != BRIDGE_SESSION_LEN)
		return NULL;
	for (struct session *s = *bucket_of(b, id); s != NULL; s = s->next) {
		/* Until a client knows the version it has no session. */
		if (is_equal(s->id, id) && s->version[0] != '\0')
			return s;
	}
	return NULL;
}

/* The stream on which a message that names no request goes: that of the only
 * request, which it is then about; else the one that is meant for such; else
 * any. */
static struct visit *
choose_stream(const struct session *s)
{
	struct visit *found = NULL;
	size_t count = 0;

	for (const struct call *c = s->owned == NULL ? NULL : s->owned->calls;
	    c != NULL; c = c->next) {
		if (c->visit != NULL && visit_is_open(c->visit)) {
			found = c->visit;
			count++;
		}
	}
	return count == 1 || s->listener == NULL ? found : s->listener;
}

int
session_deliver(struct session *s, struct bytes text,
    struct message_edit *edits, size_t count)
{
	struct visit *v = choose_stream(s);

	if (v != NULL)
		return visit_event(v, text, edits, count);
	/* Room for the edits and for the line's end, so that no part of
	 * a message stays when it does not fit. */
	if (buf_reserve(&s->queue, text.len + MESSAGE_EDITS_MAX * RPC_ID_MAX +
	    1) == NULL || message_write(&s->queue, text, edits, count) != 0)
		return -1;
	return buf_add_str(&s->queue, "\n");
}

/* ---- events ---- */

/* Keeps an event, and fewer of the older ones if need be. */
static void
keep_event(struct session *s, const struct message_event_id *id,
    struct bytes text)
{
	struct event *e = text.len > BRIDGE_LOG_MAX ? NULL
	    : malloc(sizeof *e + text.len);

	if (e == NULL)
		return;
	e->next = NULL;
	e->id = *id;
	e->len = text.len;
	memcpy(e->text, text.ptr, text.len);
	if (s->last_event != NULL)
		s->last_event->next = e;
	else
		s->events = e;
	s->last_event = e;
	s->event_len += e->len;
	while (s->events != NULL && s->event_len > BRIDGE_LOG_MAX)
		drop_event(s);
}

int
session_add_event(struct session *s, char kind, uint32_t stream,
    struct buf *out, struct bytes text, struct message_edit *edits,
    size_t count)
{
	struct message_event_id id = {kind, stream, s->last_event_number + 1};
	size_t before = buf_len(out);

	/* Room for all of it first, so that no half of it stays. */
	if (buf_reserve(out, text.len + MESSAGE_EDITS_MAX * RPC_ID_MAX +
	    BRIDGE_EVENT_SLACK) == NULL || buf_add_str(out, "id: ") != 0 ||
	    message_write_event_id(out, &id) != 0 ||
	    buf_add_str(out, "\ndata: ") != 0 ||
	    message_write(out, text, edits, count) != 0 ||
	    buf_add_str(out, "\n\n") != 0)
		return -1;
	s->last_event_number++;
	keep_event(s, &id, bytes_after(buf_bytes(out), before));
	return 0;
}

void
session_keep(struct call *c, struct bytes text, struct message_edit *edits,
    size_t count)
{
	struct buf *out = &c->process->child.proxy->out;

	if (c->session == NULL || c->stream == 0)
		return;
	buf_clear(out);
	session_add_event(c->session, 'p', c->stream, out, text, edits,
	    count);
}

int
session_replay(const struct session *s, const struct message_event_id *after,
    struct buf *out)
{
	for (const struct event *e = s->events; e != NULL; e = e->next) {
		if (e->id.stream == after->stream &&
		    e->id.number > after->number &&
		    buf_add(out, bytes_of(e->text, e->len)) != 0)
			return -1;
	}
	return 0;
}

void
session_flush(struct session *s)
{
	/* The listener may go with an event; the rest waits for the next. */
	while (buf_len(&s->queue) != 0 && s->listener != NULL) {
		struct bytes in = buf_bytes(&s->queue);
		const uint8_t *end = memchr(in.ptr, '\n', in.len);
		size_t len = (size_t)(end - in.ptr);

		visit_event(s->listener, bytes_of(in.ptr, len), NULL, 0);
		buf_drop(&s->queue, len + 1);
	}
	if (buf_len(&s->queue) == 0)
		buf_reset(&s->queue);
}

static bool
is_idle(const struct session *s, int64_t now_ms)
{
	if (s->visits != NULL)
		return false;
	if (s->bridge->retired)
		return true;
	if (now_ms - s->used_ms < s->bridge->route->stdio->idle_ms)
		return false;
	return s->owned == NULL || s->owned->call_count == 0;
}

void
session_sweep(struct bridge *b, int64_t now_ms)
{
	for (size_t i = 0; i < BRIDGE_BUCKETS; i++) {
		struct session *next;

		for (struct session *s = b->sessions[i]; s != NULL; s = next) {
			next = s->next;
			if (!is_idle(s, now_ms))
				continue;
			diag_info("%s: a session ended: %s", b->route->origin,
			    b->retired ? "its route was changed"
			    : "nobody used it");
			session_free(s);
		}
	}
}
