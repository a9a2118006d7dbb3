/* SPDX-License-Identifier: ISC */
/* What processes say, before the policy of their route: one line after the
 * other, so that what waits for a client, or is kept for one, is what was
 * judged.  Between two processes there is no order to keep. */
#include <stdlib.h>

#include "cmd/mcp-proxy/answer.h"
#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/downstream.h"
#include "cmd/mcp-proxy/visit.h"
#include "common/str.h"

/* Read from a process that has ended, before its end is known. */
enum { QUEUE_SLACK = (CHILD_END_READS + 1) * PROXY_READ_LEN };

#define REFUSED "the policy of the proxy does not allow it"

struct judging {
	struct process *process;
	struct answer answer;
	struct answer_context context;
	char host[SOCK_HOST_MAX];
	char session[AUDIT_DIGEST_CAP];
	char trace[DOWNSTREAM_TRACE_LEN + 1];
	char peer[SOCK_TEXT_MAX];
	char agent[ADMIT_NAME_CAP];
	struct hearing_call *asked; /* what is answered in the line */
	struct buf line;            /* that is judged */
	struct buf queue;           /* those that wait, each with its end */
	bool pending;               /* the verdict is not there */
	bool ended;                 /* the process; its lines are not */
};

/* The call that a number in a message means, or NULL. */
static struct call *
call_of(const struct process *p, struct jsonr number)
{
	uint32_t n;

	return message_number(number, &n) == 0 ? idmap_get(&p->numbers, n)
	    : NULL;
}

/* An answer takes its request along: the call may be forgotten while it is
 * judged. */
static const struct hearing_call *
find(void *user, struct jsonr id)
{
	struct judging *j = user;
	struct call *c = id.kind == JSONR_NUMBER ? call_of(j->process, id)
	    : NULL;
	struct hearing_call *asked = c == NULL ? NULL : c->asked;

	if (asked == NULL)
		return NULL;
	c->asked = NULL;
	asked->next = j->asked;
	j->asked = asked;
	return asked;
}

static void
free_asked(struct judging *j)
{
	while (j->asked != NULL) {
		struct hearing_call *asked = j->asked;

		j->asked = asked->next;
		free(asked);
	}
}

/* Nobody will answer what the process has asked. */
static void
refuse(void *user, const struct rpc *m)
{
	struct process *p = ((struct judging *)user)->process;
	struct buf *out = &p->child.proxy->out;

	buf_clear(out);
	if (message_write_error(out, m->id.text, POLICY_CODE, REFUSED,
	    NULL) == 0)
		process_send(p, buf_bytes(out));
}

/* ---- its life ---- */

int
process_judge_start(struct process *p)
{
	const struct config_route *r = p->bridge->route;
	size_t max = (size_t)r->stdio->message_max;
	struct judging *j = calloc(1, sizeof *j);

	p->judging = j;
	if (j == NULL)
		return -1;
	j->process = p;
	j->context = (struct answer_context){.proxy = p->bridge->proxy,
	    .route = r, .session = j->session,
	    .modern = p->role == PROCESS_MODERN, .find = find,
	    .refused = refuse, .user = j};
	answer_init(&j->answer, &j->context, (size_t)r->policy->message_max);
	buf_init(&j->line, max);
	buf_init(&j->queue, 2 * max + QUEUE_SLACK);
	return 0;
}

void
process_judge_stop(struct process *p)
{
	struct judging *j = p->judging;

	p->judging = NULL;
	if (j == NULL)
		return;
	answer_done(&j->answer);
	free_asked(j);
	buf_reset(&j->line);
	buf_reset(&j->queue);
	free(j);
}

/* ---- to whom it speaks ---- */

/* The call that a message is about, or NULL. */
static struct call *
find_call(const struct process *p, const struct rpc *m)
{
	if (m->kind == RPC_RESPONSE)
		return call_of(p, m->id);
	if (m->token.kind != JSONR_ABSENT)
		return call_of(p, m->token);
	return call_of(p, m->subscription);
}

static void
set_context(struct judging *j, const struct rpc *m)
{
	struct process *p = j->process;
	const struct call *c = m->kind == RPC_BATCH ? NULL : find_call(p, m);
	const struct session *s = c == NULL ? p->session : c->session;
	struct audit_who who = {.route = p->bridge->route->name};

	/* The route may have been changed since the last message. */
	j->context.route = p->bridge->route;
	j->session[0] = j->host[0] = j->agent[0] = '\0';
	if (s != NULL) {
		audit_digest(bytes_cstr(s->id), j->session);
		str_format(j->host, sizeof j->host, "%s", s->host);
		str_format(j->agent, sizeof j->agent, "%s", s->agent.name);
	}
	if (c != NULL && c->visit != NULL) {
		who = exchange_who(c->visit->exchange);
		/* Its own may be an older one, and gone with the agent. */
		who.route = p->bridge->route->name;
		str_format(j->trace, sizeof j->trace, "%s", who.trace);
		str_format(j->peer, sizeof j->peer, "%s", who.peer);
		who.trace = j->trace;
		who.peer = j->peer;
		if (who.agent != NULL)
			str_format(j->agent, sizeof j->agent, "%s", who.agent);
		if (c->visit->hearing != NULL)
			str_format(j->host, sizeof j->host, "%s",
			    c->visit->hearing->host);
	}
	who.agent = j->agent[0] == '\0' ? NULL : j->agent;
	j->context.who = who;
	j->context.host = bytes_cstr(j->host);
}

/* Whether it is said to us, or to nobody. */
static bool
is_ours(const struct process *p, struct bytes line, struct rpc *ret)
{
	const struct call *c;
	struct error e;

	if (message_parse(line, ret, &e) != 0)
		return true;
	if (ret->kind != RPC_RESPONSE)
		return rpc_is(ret, "ping");
	c = call_of(p, ret->id);
	return c == NULL || c->purpose == CALL_START;
}

/* ---- verdicts ---- */

static void
lose_answer(struct process *p, const struct rpc *m, const struct failure *why)
{
	struct call *c = m->kind == RPC_RESPONSE ? call_of(p, m->id) : NULL;

	if (c != NULL)
		process_lose(p, c, why);
}

/* It does not go on: who waits for it is told. */
static void
lose_line(struct judging *j, const struct failure *why)
{
	struct process *p = j->process;
	struct bytes line = buf_bytes(&j->line);
	struct jsonr_iter i;
	struct jsonr one;
	struct error e;
	struct rpc m;

	message_parse(line, &m, &e); /* is_ours has seen that it is one */
	child_log(&p->child, why->text, m.id.text); /* not what it says */
	if (m.kind != RPC_BATCH) {
		lose_answer(p, &m, why);
		return;
	}
	jsonr_iter_init(&i, (struct jsonr){JSONR_ARRAY, m.text});
	while (jsonr_next(&i, NULL, &one)) {
		if (message_take(one, &m, &e) == 0)
			lose_answer(p, &m, why);
	}
}

static void
use_verdict(struct judging *j)
{
	const struct answer *a = &j->answer;
	struct failure why = a->why;

	free_asked(j);
	if (a->end == ANSWER_PASS)
		process_take(j->process, a->pass);
	else if (a->end == ANSWER_FAIL)
		lose_line(j, &why);
}

static void on_judged(void *user);

/* Judges a line, which is copied. */
static void
judge(struct judging *j, struct bytes line)
{
	struct process *p = j->process;
	struct failure why;
	struct rpc m;

	if (is_ours(p, line, &m)) {
		process_take(p, line);
		return;
	}
	set_context(j, &m);
	buf_clear(&j->line);
	if (buf_add(&j->line, line) != 0) {
		child_kill(&p->child, "out of memory");
	} else if (line.len > (size_t)j->context.route->policy->message_max) {
		failure_set(&why, 502, FRAME_LIMIT, BLAME_UPSTREAM,
		    "%s: the answer is above message_size of the policy",
		    j->context.route->origin);
		lose_line(j, &why);
	} else if (answer_run(&j->answer, buf_bytes(&j->line), on_judged, j)) {
		use_verdict(j);
	} else {
		j->pending = true;
		child_pause(&p->child);
	}
}

/* Judges those that wait, until one needs time. */
static void
judge_queue(struct judging *j)
{
	while (!j->pending && buf_len(&j->queue) != 0) {
		struct bytes in = buf_bytes(&j->queue);
		const uint8_t *end = memchr(in.ptr, '\n', in.len);
		size_t len = (size_t)(end - in.ptr);

		judge(j, bytes_of(in.ptr, len));
		buf_drop(&j->queue, len + 1);
	}
}

static void
on_judged(void *user)
{
	struct judging *j = user;
	struct process *p = j->process;

	j->pending = false;
	use_verdict(j);
	judge_queue(j);
	if (j->pending)
		return;
	if (j->ended)
		process_ended(p);
	else
		process_resume(p);
}

void
process_judge(struct process *p, struct bytes line)
{
	struct judging *j = p->judging;

	if (!j->pending) {
		judge(j, line);
	} else if (buf_reserve(&j->queue, line.len + 1) == NULL ||
	    buf_add(&j->queue, line) != 0 ||
	    buf_add_str(&j->queue, "\n") != 0) {
		child_kill(&p->child, "out of memory");
	}
}

bool
process_judge_ending(struct process *p)
{
	p->judging->ended = true;
	return p->judging->pending;
}

void
process_resume(struct process *p)
{
	if (p->slow == NULL && (p->judging == NULL || !p->judging->pending))
		child_resume(&p->child);
}
