/* SPDX-License-Identifier: ISC */
/* What a shared process has said of itself, as a new session is told it, before
 * the policy of the route. */
#include <stdlib.h>

#include "cmd/mcp-proxy/answer.h"
#include "cmd/mcp-proxy/exchange.h"
#include "cmd/mcp-proxy/visit.h"

enum { SLACK = 64 << 10 };

struct welcome {
	struct answer answer;
	struct answer_context context;
	struct buf text;
};

void
visit_welcome_free(struct visit *v)
{
	struct welcome *w = v->welcome;

	v->welcome = NULL;
	if (w == NULL)
		return;
	answer_done(&w->answer);
	buf_reset(&w->text);
	free(w);
}

/* There is a session only if the agent is told of it. */
static void
on_judged(void *user)
{
	struct visit *v = user;
	struct answer *a = &v->welcome->answer;
	struct session *s = v->session;
	struct failure why = a->why;

	if (a->end == ANSWER_FAIL || s == NULL) {
		if (s == NULL)
			failure_set(&why, 503, FRAME_DRAINING, BLAME_PROXY,
			    "the session has ended");
		visit_fail(v, &why);
		return;
	}
	if (a->verdict == AUDIT_DENY) {
		session_leave(v);
		session_free(s);
	} else {
		v->new_session = s->id;
	}
	visit_reply(v, 200, "application/json", a->pass);
}

void
visit_welcome(struct visit *v, struct session *s, struct bytes text)
{
	struct welcome *w;
	size_t max = v->body.max + SLACK;

	if (v->hearing == NULL) {
		v->new_session = s->id;
		visit_reply(v, 200, "application/json", text);
		return;
	}
	session_join(s, v);
	w = v->welcome = calloc(1, sizeof *w);
	if (w == NULL) {
		exchange_fail_internal(v->exchange);
		return;
	}
	answer_hear(&w->context, v->hearing);
	answer_init(&w->answer, &w->context, max);
	buf_init(&w->text, text.len + 1);
	if (buf_add(&w->text, text) != 0)
		exchange_fail_internal(v->exchange);
	else if (answer_run(&w->answer, buf_bytes(&w->text), on_judged, v))
		on_judged(v);
	else
		visit_watch(v);
}
