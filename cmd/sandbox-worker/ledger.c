/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/ledger.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"

enum { TABLE_MIN = 64 };

static const char crowded[] =
    "Error: too many tool calls wait for this worker";
static const char interrupted[] = "Error: interrupted before it ran";

void
ledger_init(struct ledger *l, int64_t max_idle_ms,
    bool (*owns)(const char *name))
{
	*l = (struct ledger){.max_idle_ms = max_idle_ms, .owns = owns};
	random_bytes(&l->seed, sizeof l->seed);
}

static void
drop_input(struct ledger *l, struct ledger_call *c)
{
	l->input_len -= buf_len(&c->input);
	buf_reset(&c->input);
}

static void
free_call(struct ledger *l, struct ledger_call *c)
{
	drop_input(l, c);
	buf_reset(&c->result);
	free(c->id);
	free(c->name);
	free(c->thread);
	free(c);
}

void
ledger_done(struct ledger *l)
{
	for (size_t i = 0; i < l->table_size; i++) {
		while (l->table[i] != NULL) {
			struct ledger_call *c = l->table[i];

			l->table[i] = c->chained;
			free_call(l, c);
		}
	}
	for (size_t i = 0; i < l->threads_count; i++)
		free(l->threads[i]);
	free(l->threads);
	free(l->table);
	free(l->pass);
	*l = (struct ledger){.max_idle_ms = 0};
}

/* FNV-1a from a start that nobody outside knows. */
static uint32_t
hash_of(const struct ledger *l, const char *id)
{
	uint32_t h = 2166136261u ^ l->seed;

	for (; *id != '\0'; id++)
		h = (h ^ (uint8_t)*id) * 16777619u;
	return h ^ h >> 15;
}

static int
grow_table(struct ledger *l)
{
	size_t size = l->table_size == 0 ? TABLE_MIN : l->table_size * 2;
	struct ledger_call **table = calloc(size, sizeof(*table));

	if (table == NULL)
		return -1;
	for (size_t i = 0; i < l->table_size; i++) {
		while (l->table[i] != NULL) {
			struct ledger_call *c = l->table[i];
			uint32_t at = hash_of(l, c->id) & (uint32_t)(size - 1);

			l->table[i] = c->chained;
			c->chained = table[at];
			table[at] = c;
		}
	}
	free(l->table);
	l->table = table;
	l->table_size = size;
	return 0;
}

static struct ledger_call *
find(const struct ledger *l, const char *id)
{
	struct ledger_call *c = l->table_size == 0 ? NULL
	    : l->table[hash_of(l, id) & (l->table_size - 1)];

	while (c != NULL && !str_eq(c->id, id))
		c = c->chained;
	return c;
}

/* Finds the call of this id or makes one that nothing is known of. */
static struct ledger_call *
find_or_add(struct ledger *l, const char *id, struct error *e)
{
	struct ledger_call *c = find(l, id);
	uint32_t at;

	if (c != NULL)
		return c;
	if (l->count >= LEDGER_CALLS_MAX) {
		error_set(e, "the session has more than %d tool calls",
		    LEDGER_CALLS_MAX);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->id = strdup(id)) == NULL ||
	    (l->count >= l->table_size && grow_table(l) != 0)) {
		if (c != NULL)
			free(c->id);
		free(c);
		error_set(e, "out of memory");
		return NULL;
	}
	at = hash_of(l, id) & (uint32_t)(l->table_size - 1);
	buf_init(&c->input, EVENT_MAX);
	buf_init(&c->result, SIZE_MAX / 2);
	c->chained = l->table[at];
	l->table[at] = c;
	l->count++;
	return c;
}

static bool
is_blocking(const struct ledger *l)
{
	return l->first != NULL || l->current != NULL || l->held != NULL;
}

/* Starts the clock's window anew. */
static void
arm(struct ledger *l, bool by_pass, int64_t now_ms)
{
	l->armed = true;
	l->armed_by_pass = by_pass;
	l->since_ms = now_ms;
}

static void
queue(struct ledger *l, struct ledger_call *c)
{
	c->state = CALL_QUEUED;
	c->next = NULL;
	if (l->last == NULL)
		l->first = c;
	else
		l->last->next = c;
	l->last = c;
}

static void
unlink_from(struct ledger_call **list, struct ledger_call *c)
{
	while (*list != NULL && *list != c)
		list = &(*list)->next;
	if (*list != NULL)
		*list = c->next;
	c->next = NULL;
}

static void
unqueue(struct ledger *l, struct ledger_call *c)
{
	unlink_from(&l->first, c);
	l->last = l->first;
	while (l->last != NULL && l->last->next != NULL)
		l->last = l->last->next;
}

/* Nothing is to be done for c any more. */
static void
close_call(struct ledger *l, struct ledger_call *c, int64_t now_ms)
{
	if (c->state == CALL_HELD)
		unlink_from(&l->held, c);
	else if (c->state == CALL_QUEUED)
		unqueue(l, c);
	if (l->current == c)
		l->current = NULL;
	c->state = CALL_DONE;
	drop_input(l, c);
	buf_reset(&c->result);
	if (!is_blocking(l))
		l->since_ms = now_ms;
}

static bool
is_thread_ended(const struct ledger *l, const char *thread)
{
	if (thread == NULL)
		return false;
	for (size_t i = 0; i < l->threads_count; i++) {
		if (str_eq(l->threads[i], thread))
			return true;
	}
	return false;
}

static int
end_thread(struct ledger *l, const char *thread, struct error *e)
{
	char **more;

	if (is_thread_ended(l, thread))
		return 0;
	if (l->threads_count >= LEDGER_THREADS_MAX)
		return error_set(e, "more than %d threads have ended",
		    LEDGER_THREADS_MAX);
	more = realloc(l->threads, (l->threads_count + 1) * sizeof(*more));
	if (more == NULL)
		return error_set(e, "out of memory");
	l->threads = more;
	more[l->threads_count] = strdup(thread);
	if (more[l->threads_count] == NULL)
		return error_set(e, "out of memory");
	l->threads_count++;
	return 0;
}

/* A held call of a thread that has ended will get no verdict. */
static void
release_threads(struct ledger *l, int64_t now_ms)
{
	struct ledger_call *next;

	for (struct ledger_call *c = l->held; c != NULL; c = next) {
		next = c->next;
		if (!is_thread_ended(l, c->thread))
			continue;
		if (l->stale)
			l->armed = false;
		close_call(l, c, now_ms);
	}
}

/* Whether a call that waits has been denied since it was allowed. */
static bool
is_denied(const struct ledger_call *c)
{
	return c->state == CALL_QUEUED && c->verdict == VERDICT_DENY &&
	    !c->has_result;
}

/* What a verdict, or the lack of one, means for a call that has not begun:
 * the table of permissions. */
static void
route(struct ledger *l, struct ledger_call *c, int64_t now_ms)
{
	bool was_held = c->state == CALL_HELD;

	if (c->answered || is_thread_ended(l, c->thread) ||
	    c->permission == PERMISSION_DENY || c->verdict == VERDICT_DENY) {
		c->answered = c->answered || !is_thread_ended(l, c->thread);
		close_call(l, c, now_ms);
		return;
	}
	if (c->verdict == VERDICT_NONE && c->permission == PERMISSION_ASK) {
		if (!was_held) {
			c->state = CALL_HELD;
			c->next = l->held;
			l->held = c;
		}
		return;
	}
	if (was_held)
		unlink_from(&l->held, c);
	if (l->owns(c->name)) {
		queue(l, c);
		return;
	}
	/* Its owner will answer, and then the session goes on. */
	if (c->verdict == VERDICT_ALLOW)
		l->armed = false;
	c->state = CALL_FOREIGN;
	drop_input(l, c);
	if (!is_blocking(l))
		l->since_ms = now_ms;
}

static int
take_input(struct ledger *l, struct ledger_call *c, const struct event *ev,
    struct error *e)
{
	if (ev->input.text.len > (size_t)LEDGER_INPUT_MAX - l->input_len) {
		c->refusal = crowded;
		return 0;
	}
	if (buf_add(&c->input, ev->input.text) != 0)
		return error_set(e, "out of memory");
	l->input_len += ev->input.text.len;
	return 0;
}

/* Fills in what an event says about a call that was not seen before. */
static int
fill_call(struct ledger *l, struct ledger_call *c, const struct event *ev,
    struct error *e)
{
	free(c->name);
	free(c->thread);
	c->thread = NULL;
	c->name = strdup(ev->name);
	if (ev->thread[0] != '\0')
		c->thread = strdup(ev->thread);
	if (c->name == NULL || (ev->thread[0] != '\0' && c->thread == NULL))
		return error_set(e, "out of memory");
	c->custom = ev->kind == EVENT_CUSTOM_USE;
	c->permission = ev->permission;
	c->refusal = NULL;
	drop_input(l, c);
	return l->owns(c->name) && !c->answered ? take_input(l, c, ev, e) : 0;
}

static int
remember_in_pass(struct ledger *l, struct ledger_call *c, struct error *e)
{
	if (l->pass_count == l->pass_size) {
		size_t size = l->pass_size == 0 ? TABLE_MIN
		    : l->pass_size * 2;
		struct ledger_call **more = realloc(l->pass,
		    size * sizeof(*more));

		if (more == NULL)
			return error_set(e, "out of memory");
		l->pass = more;
		l->pass_size = size;
	}
	l->pass[l->pass_count++] = c;
	return 0;
}

void
ledger_begin_pass(struct ledger *l)
{
	l->pass_count = 0;
	l->pass_idle = false;
	l->pass_ended = false;
	l->live_since = false;
}

static int
list_call(struct ledger *l, const struct event *ev, struct error *e)
{
	struct ledger_call *c = find_or_add(l, ev->id, e);

	if (c == NULL)
		return -1;
	if (c->answered)
		return 0;
	if (c->state == CALL_UNKNOWN) {
		if (fill_call(l, c, ev, e) != 0)
			return -1;
		c->state = CALL_LISTED;
		c->in_pass = true;
	}
	return remember_in_pass(l, c, e);
}

/* A result of whoever it was. */
static int
note_answer(struct ledger *l, const char *id, int64_t now_ms,
    struct error *e)
{
	struct ledger_call *c = find_or_add(l, id, e);

	if (c == NULL)
		return -1;
	c->answered = true;
	if (c->state == CALL_LISTED)
		drop_input(l, c);
	else if (c->state != CALL_UNKNOWN && c->state != CALL_RUNNING &&
	    c->state != CALL_POSTING)
		close_call(l, c, now_ms);
	return 0;
}

static bool
is_neutral(enum event_kind kind)
{
	return kind == EVENT_CONFIRMATION || kind == EVENT_THREAD_ENDED ||
	    kind == EVENT_PING || kind == EVENT_ERROR;
}

int
ledger_add_history(struct ledger *l, const struct event *ev,
    struct error *e)
{
	struct ledger_call *c;

	if (!is_neutral(ev->kind))
		l->pass_idle = ev->kind == EVENT_IDLE;
	if (ev->kind == EVENT_SESSION_ENDED)
		l->pass_ended = true;
	else if (ev->kind != EVENT_OTHER && !is_neutral(ev->kind))
		l->pass_ended = false;
	switch (ev->kind) {
	case EVENT_TOOL_USE:
	case EVENT_CUSTOM_USE:
		return list_call(l, ev, e);
	case EVENT_RESULT:
		return note_answer(l, ev->ref, l->since_ms, e);
	case EVENT_CONFIRMATION:
		c = find_or_add(l, ev->ref, e);
		if (c != NULL && !c->answered)
			c->verdict = ev->verdict;
		return c == NULL ? -1 : 0;
	case EVENT_THREAD_ENDED:
		return end_thread(l, ev->thread, e);
	case EVENT_OTHER:
	case EVENT_INTERRUPT:
	case EVENT_IDLE:
	case EVENT_WAITING:
	case EVENT_ACTIVE:
	case EVENT_SESSION_ENDED:
	case EVENT_PING:
	case EVENT_ERROR:
		break;
	}
	return 0;
}

/* The pages were not read to the end: what was only listed is not seen. */
static void
forget_pass(struct ledger *l)
{
	for (size_t i = 0; i < l->pass_count; i++) {
		struct ledger_call *c = l->pass[i];

		if (c->state == CALL_LISTED) {
			c->state = CALL_UNKNOWN;
			drop_input(l, c);
		}
	}
}

static void
route_listed(struct ledger *l, struct ledger_call *c, int64_t now_ms)
{
	if (c->state == CALL_LISTED || c->state == CALL_HELD) {
		route(l, c, now_ms);
	} else if (is_denied(c)) {
		close_call(l, c, now_ms);
	} else if (c->state == CALL_UNPOSTED && !c->answered &&
	    c->posts < LEDGER_POSTS_MAX) {
		queue(l, c);
	}
}

/* Whether a call stays open that this worker does not work on. */
static bool
has_foreign(const struct ledger *l)
{
	for (size_t i = 0; i < l->pass_count; i++) {
		if ((l->pass[i]->state == CALL_FOREIGN ||
		    l->pass[i]->state == CALL_UNPOSTED) &&
		    !is_thread_ended(l, l->pass[i]->thread))
			return true;
	}
	return false;
}

void
ledger_end_pass(struct ledger *l, bool whole, int64_t now_ms)
{
	struct ledger_call *next;

	if (!l->live_since || whole)
		l->stale = !whole;
	release_threads(l, now_ms);
	if (!whole) {
		forget_pass(l);
		return;
	}
	for (size_t i = 0; i < l->pass_count; i++)
		route_listed(l, l->pass[i], now_ms);
	for (struct ledger_call *c = l->held; c != NULL; c = next) {
		next = c->next;
		route(l, c, now_ms);
	}
	/* What the stream said since is later than the history. */
	if (!l->live_since) {
		l->armed = false;
		if (l->pass_idle && !has_foreign(l))
			arm(l, true, now_ms);
		l->ended = l->ended || l->pass_ended;
	}
	l->pass_count = 0;
}

static void
note_clock(struct ledger *l, const struct event *ev, int64_t now_ms)
{
	if (l->stale && ev->kind == EVENT_THREAD_ENDED)
		l->armed = false;
	if (is_neutral(ev->kind))
		return;
	l->stale = false;
	l->live_since = true;
	l->armed = false;
	if (ev->kind == EVENT_IDLE)
		arm(l, false, now_ms);
}

static int
add_call(struct ledger *l, const struct event *ev, int64_t now_ms,
    struct error *e)
{
	struct ledger_call *c = find_or_add(l, ev->id, e);

	if (c == NULL)
		return -1;
	if (c->state == CALL_UNKNOWN && fill_call(l, c, ev, e) != 0)
		return -1;
	if (c->state == CALL_UNKNOWN || c->state == CALL_LISTED) {
		c->in_pass = false;
		route(l, c, now_ms);
	}
	return 0;
}

static bool
is_hit(const struct ledger_call *c, const struct event *ev)
{
	return ev->thread[0] == '\0' ||
	    (c->thread != NULL && str_eq(c->thread, ev->thread));
}

/* What runs is killed, what waits will not run; both are answered. */
static void
interrupt(struct ledger *l, const struct event *ev)
{
	if (l->current != NULL && l->current->state == CALL_RUNNING &&
	    is_hit(l->current, ev))
		l->current->cancel = true;
	for (struct ledger_call *c = l->first; c != NULL; c = c->next) {
		if (is_hit(c, ev) && !c->has_result)
			c->refusal = interrupted;
	}
}

static int
add_verdict(struct ledger *l, const struct event *ev, int64_t now_ms,
    struct error *e)
{
	struct ledger_call *c = find_or_add(l, ev->ref, e);

	if (c == NULL)
		return -1;
	c->verdict = ev->verdict;
	if (c->state == CALL_HELD)
		route(l, c, now_ms);
	else if (is_denied(c))
		close_call(l, c, now_ms);
	return 0;
}

int
ledger_add_live(struct ledger *l, const struct event *ev, int64_t now_ms,
    struct error *e)
{
	note_clock(l, ev, now_ms);
	switch (ev->kind) {
	case EVENT_TOOL_USE:
	case EVENT_CUSTOM_USE:
		return add_call(l, ev, now_ms, e);
	case EVENT_RESULT:
		return note_answer(l, ev->ref, now_ms, e);
	case EVENT_CONFIRMATION:
		return add_verdict(l, ev, now_ms, e);
	case EVENT_THREAD_ENDED:
		if (end_thread(l, ev->thread, e) != 0)
			return -1;
		release_threads(l, now_ms);
		return 0;
	case EVENT_INTERRUPT:
		interrupt(l, ev);
		return 0;
	case EVENT_SESSION_ENDED:
		l->ended = true;
		return 0;
	case EVENT_OTHER:
	case EVENT_IDLE:
	case EVENT_WAITING:
	case EVENT_ACTIVE:
	case EVENT_PING:
	case EVENT_ERROR:
		break;
	}
	return 0;
}

int
ledger_refuse(struct ledger *l, const struct event *ev, const char *text,
    int64_t now_ms, struct error *e)
{
	struct ledger_call *c = find_or_add(l, ev->id, e);

	if (c == NULL)
		return -1;
	if (c->state != CALL_UNKNOWN || c->answered)
		return 0;
	if (add_call(l, ev, now_ms, e) != 0)
		return -1;
	c->refusal = text;
	return 0;
}

struct ledger_call *
ledger_take(struct ledger *l, int64_t now_ms)
{
	struct ledger_call *c;

	if (l->current != NULL)
		return NULL;
	while ((c = l->first) != NULL) {
		if (!c->answered && !is_thread_ended(l, c->thread))
			break;
		close_call(l, c, now_ms);
	}
	if (c == NULL)
		return NULL;
	unqueue(l, c);
	l->current = c;
	c->state = c->has_result ? CALL_POSTING : CALL_RUNNING;
	return c;
}

bool
ledger_set_result(struct ledger *l, bool is_error, struct bytes text,
    int64_t now_ms)
{
	struct ledger_call *c = l->current;

	drop_input(l, c);
	c->state = CALL_POSTING;
	c->is_error = is_error;
	c->cancel = false;
	buf_clear(&c->result);
	/* Without memory for it the call is answered with less. */
	if (buf_add(&c->result, text) != 0) {
		c->is_error = true;
		c->refusal = "Error: out of memory for the result";
	}
	c->has_result = true;
	if (!c->answered)
		return true;
	close_call(l, c, now_ms);
	return false;
}

void
ledger_set_posted(struct ledger *l, enum ledger_post outcome,
    int64_t now_ms)
{
	struct ledger_call *c = l->current;

	if (outcome == POST_ACCEPTED)
		c->answered = true;
	if (c->answered) {
		close_call(l, c, now_ms);
		return;
	}
	c->posts++;
	c->state = CALL_UNPOSTED;
	l->current = NULL;
	/* It is open still, so that the history did not end a turn. */
	if (c->in_pass && l->armed_by_pass)
		l->armed = false;
	if (!is_blocking(l))
		l->since_ms = now_ms;
}

int64_t
ledger_deadline_ms(const struct ledger *l)
{
	if (!l->armed || l->max_idle_ms <= 0 || is_blocking(l))
		return INT64_MAX;
	return l->since_ms + l->max_idle_ms;
}
