/* SPDX-License-Identifier: ISC */
/* The requests that a process has not answered. */
#include <stdlib.h>

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/hearing.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/str.h"

struct bytes
process_number(uint32_t number, char out[static BRIDGE_NUMBER_LEN])
{
	str_format(out, BRIDGE_NUMBER_LEN, "%u", number);
	return bytes_cstr(out);
}

uint32_t
process_next_number(struct process *p)
{
	do {
		p->last_number++;
	} while (p->last_number == 0 ||
	    idmap_get(&p->numbers, p->last_number) != NULL ||
	    idmap_get(&p->asks, p->last_number) != NULL);
	return p->last_number;
}

static struct call *
call_new(struct process *p, const struct rpc *m)
{
	size_t id_len = m->id.text.len, token_len = m->token.text.len;
	struct call *c = calloc(1, sizeof *c + id_len + token_len);

	if (c == NULL)
		return NULL;
	c->number = process_next_number(p);
	if (idmap_add(&p->numbers, c->number, c) != 0) {
		free(c);
		return NULL;
	}
	memcpy(c->text, m->id.text.ptr, id_len);
	if (token_len != 0)
		memcpy(c->text + id_len, m->token.text.ptr, token_len);
	c->id = bytes_of(c->text, id_len);
	c->token = bytes_of(c->text + id_len, token_len);
	c->process = p;
	c->prev = p->last_call;
	if (c->prev != NULL)
		c->prev->next = c;
	else
		p->calls = c;
	p->last_call = c;
	p->call_count++;
	return c;
}

/* Takes it from the visit that waits. */
static void
leave_visit(struct call *c)
{
	if (c->visit == NULL)
		return;
	if (c->visit_prev != NULL)
		c->visit_prev->visit_next = c->visit_next;
	else
		c->visit->calls = c->visit_next;
	if (c->visit_next != NULL)
		c->visit_next->visit_prev = c->visit_prev;
	c->visit = NULL;
}

static void
join_visit(struct call *c, struct visit *v)
{
	c->visit = v;
	c->visit_next = v->calls;
	if (c->visit_next != NULL)
		c->visit_next->visit_prev = c;
	v->calls = c;
}

void
process_detach(struct call *c)
{
	struct process *p = c->process;

	leave_visit(c);
	idmap_remove(&p->numbers, c->number);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		p->calls = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		p->last_call = c->prev;
	p->call_count--;
	p->used_ms = clock_ms();
	free(c->asked);
	c->asked = NULL;
}

void
process_forget(struct call *c)
{
	process_detach(c);
	free(c);
}

void
process_cancel(struct call *c)
{
	static const char format[] = "{\"jsonrpc\":\"2.0\",\"method\":"
	    "\"notifications/cancelled\",\"params\":{\"requestId\":%u}}";
	char text[sizeof format + BRIDGE_NUMBER_LEN];
	struct session *over = NULL;

	/* The handshake can not be taken back. */
	if (c->purpose == CALL_AGENT || c->purpose == CALL_LISTEN) {
		str_format(text, sizeof text, format, c->number);
		process_send(c->process, bytes_cstr(text));
	}
	if (c->purpose == CALL_INITIALIZE)
		over = c->session;
	process_forget(c);
	/* Nobody can know a session that was not agreed on. */
	if (over != NULL)
		session_free(over);
}

static int64_t
deadline_of(const struct process *p, enum call_purpose purpose)
{
	int64_t ms = p->bridge->route->stdio->request_ms;

	if (purpose == CALL_START && p->role == PROCESS_MODERN)
		ms = BRIDGE_PROBE_MS;
	if (purpose == CALL_LISTEN || ms == 0)
		return 0;
	return clock_ms() + ms;
}

struct call *
process_call(struct process *p, const struct rpc *m,
    enum call_purpose purpose, struct visit *v, struct failure *ret_why)
{
	struct message_edit edits[2];
	char digits[BRIDGE_NUMBER_LEN];
	const char *text = "out of memory";
	struct call *c = NULL;
	size_t count = 0;

	if (p->call_count >= BRIDGE_CALLS_MAX)
		text = "too many requests wait for it";
	else
		c = call_new(p, m);
	if (c == NULL)
		goto fail;
	c->purpose = purpose;
	c->deadline_ms = deadline_of(p, purpose);
	process_number(c->number, digits);
	edits[count++] = (struct message_edit){m->id.text, bytes_cstr(digits)};
	if (m->token.kind != JSONR_ABSENT)
		edits[count++] = (struct message_edit){m->token.text,
		    bytes_cstr(digits)};
	if (child_send(&p->child, m->text, edits, count) == 0) {
		if (v != NULL) {
			c->session = v->session;
			join_visit(c, v);
			if (v->hearing != NULL)
				c->asked = hearing_take(v->hearing, m->id);
		}
		return c;
	}
	process_forget(c);
	text = "it does not read its input";
fail:
	failure_set(ret_why, 503, FRAME_LIMIT, BLAME_UPSTREAM, "%s: %s",
	    p->bridge->route->origin, text);
	return NULL;
}

int
process_send(struct process *p, struct bytes text)
{
	p->used_ms = clock_ms();
	return child_send(&p->child, text, NULL, 0);
}

struct call *
process_find(struct process *p, const struct session *s, struct bytes id)
{
	for (struct call *c = p->calls; c != NULL; c = c->next) {
		if (c->session == s && c->purpose == CALL_AGENT &&
		    bytes_eq(c->id, id))
			return c;
	}
	return NULL;
}

void
process_adopt(struct process *p, const struct session *s, uint32_t stream,
    struct visit *v)
{
	struct visit *old = NULL;

	for (struct call *c = p->calls; c != NULL; c = c->next) {
		if (c->session != s || c->stream != stream)
			continue;
		if (c->visit != NULL) {
			old = c->visit;
			old->left--;
		}
		leave_visit(c);
		join_visit(c, v);
		v->left++;
		v->deadline_ms = c->deadline_ms;
	}
	if (old != NULL && old->left == 0)
		visit_end(old);
}

void
process_sweep(struct process *p, int64_t now_ms)
{
	struct call *next;

	for (struct call *c = p->calls; c != NULL; c = next) {
		next = c->next;
		if (c->deadline_ms == 0 || now_ms < c->deadline_ms)
			continue;
		if (c->purpose == CALL_START)
			child_kill(&p->child, "did not answer in time");
		else if (c->visit == NULL)
			process_cancel(c);
	}
}
