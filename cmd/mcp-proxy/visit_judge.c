/* SPDX-License-Identifier: ISC */
/* A visit whose route has a policy: its messages are judged before a process or
 * a session learns of them. */
#include "cmd/mcp-proxy/exchange.h"
#include "cmd/mcp-proxy/hearing.h"
#include "cmd/mcp-proxy/visit.h"

int
visit_judge_head(struct visit *v, const struct http_head *h)
{
	struct audit_who who = exchange_who(v->exchange);

	v->hearing = hearing_new(exchange_proxy(v->exchange),
	    v->exchange->route, h, &who);
	return v->hearing == NULL ? -1 : 0;
}

/* Puts what the policy lets through in the place of the body. */
static int
replace_body(struct visit *v, struct bytes pass)
{
	if (pass.ptr == buf_bytes(&v->body).ptr)
		return 0;
	buf_clear(&v->body);
	return buf_add(&v->body, pass);
}

static void
on_heard(void *user)
{
	struct visit *v = user;
	struct hearing *h = v->hearing;

	switch (h->end) {
	case HEARING_OPEN:
		break;
	case HEARING_PASS:
		if (replace_body(v, h->pass) != 0)
			exchange_fail_internal(v->exchange);
		else
			visit_post(v);
		break;
	case HEARING_REPLY:
		visit_reply(v, h->status, buf_len(&h->reply) == 0 ? NULL
		    : "application/json", buf_bytes(&h->reply));
		break;
	case HEARING_FAIL:
		visit_fail(v, &h->why);
		break;
	}
}

void
visit_judge(struct visit *v)
{
	if (v->hearing->end == HEARING_OPEN)
		hearing_run(v->hearing, buf_bytes(&v->body), on_heard, v);
	else
		on_heard(v);
}
