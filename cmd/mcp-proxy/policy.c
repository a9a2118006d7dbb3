/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/policy.h"

#include <stdlib.h>

#include "cmd/mcp-proxy/evaluator.h"
#include "cmd/mcp-proxy/rules.h"
#include "cmd/mcp-proxy/service.h"
#include "cmd/mcp-proxy/strict.h"
#include "cmd/mcp-proxy/verdict.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/io.h"
#include "common/str.h"

enum {
	TEXT_LEN = 320,
	NAME_SHOWN_LEN = 200,
	VERDICT_MAX = JUDGE_ANSWER_MAX + POLICY_TEXT_MAX + POLICY_RULE_MAX +
	    RPC_ID_MAX,
};

#define FAULT_RULE "program-failed"
#define FAULT_TEXT "The policy of this server could not be applied, so this " \
	"was denied."

struct program {
	struct program *next;
	size_t refs;
	char *file;
	struct evaluator *evaluator;
};

struct policy {
	struct program *programs;
	struct quiet quiet;          /* faults, by kind */
	char text[TEXT_LEN];         /* of the last verdict of a list */
};

struct policy_asked {
	struct proxy *proxy;
	const struct config_route *route;
	enum policy_direction direction;
	size_t message_at, message_len; /* in the question */
	policy_done *done;              /* NULL: nobody waits */
	void *user;
};

/* ---- lists ---- */

static void
deny(struct policy *o, struct policy_verdict *ret, const char *rule,
    const char *what, struct bytes name)
{
	char quoted[NAME_SHOWN_LEN];

	str_format(o->text, sizeof o->text, "The policy of this server does "
	    "not allow the %s %s.", what,
	    diag_quote(quoted, sizeof quoted, name));
	ret->action = POLICY_DENY;
	ret->rule = bytes_cstr(rule);
	ret->text = bytes_cstr(o->text);
}

/* What every client has to say, and what asks for nothing. */
static bool
is_always_allowed(struct bytes method)
{
	struct bytes quiet = bytes_cstr("notifications/");

	return bytes_eq(method, bytes_cstr("initialize")) ||
	    bytes_eq(method, bytes_cstr("server/discover")) ||
	    bytes_eq(method, bytes_cstr("ping")) ||
	    (method.len > quiet.len &&
	    bytes_eq(bytes_of(method.ptr, quiet.len), quiet));
}

/* What has no name is on no list. */
static bool
is_allowed(char *const *list, struct bytes name)
{
	return list == NULL || (name.ptr != NULL && rules_allow(list, name));
}

static bool
is_resource_allowed(const struct config_policy *c, struct bytes uri)
{
	return c->resources == NULL ||
	    (rules_is_plain(uri) && rules_allow(c->resources, uri));
}

/* Finds a resource that subscriptions/listen asks for and that is not allowed,
 * and appends it to ret_uri.  Returns 1, 0 if there is none, -1 if its params
 * can not be understood. */
static int
find_denied_subscription(const struct config_policy *c,
    struct bytes message, struct buf *ret_uri)
{
	struct jsonr v, params, wanted, uris, one;
	struct jsonr_iter i;
	struct error e;

	if (jsonr_parse_object(message, &v, &e) != 0 ||
	    strict_get(v, "params", &params, &e) < 0 ||
	    strict_get(params, "notifications", &wanted, &e) < 0 ||
	    strict_get(wanted, "resourceSubscriptions", &uris, &e) < 0)
		return -1;
	if (uris.kind == JSONR_ABSENT || uris.kind == JSONR_NULL)
		return 0;
	if (uris.kind != JSONR_ARRAY)
		return -1;
	jsonr_iter_init(&i, uris);
	while (jsonr_next(&i, NULL, &one)) {
		buf_clear(ret_uri);
		if (one.kind != JSONR_STRING ||
		    jsonr_add_str(one, ret_uri) != 0 ||
		    !strict_is_clear(buf_bytes(ret_uri)))
			return -1;
		if (!is_resource_allowed(c, buf_bytes(ret_uri)))
			return 1;
	}
	return 0;
}

static bool
judge_subscriptions(struct policy *o, const struct policy_question *q,
    struct policy_verdict *ret)
{
	struct buf uri;
	int r;

	if (q->route->policy->resources == NULL ||
	    q->direction != POLICY_REQUEST || q->method.ptr == NULL ||
	    !bytes_eq(q->method, bytes_cstr("subscriptions/listen")))
		return true;
	buf_init(&uri, q->message.len + 8);
	r = find_denied_subscription(q->route->policy, q->message, &uri);
	if (r != 0)
		deny(o, ret, "resources", "resource", buf_bytes(&uri));
	buf_reset(&uri);
	return r == 0;
}

/* Whether the lists allow it; if not, fills *ret. */
static bool
judge_by_lists(struct policy *o, const struct policy_question *q,
    struct policy_verdict *ret)
{
	const struct config_policy *c = q->route->policy;

	if (q->direction != POLICY_ANSWER && q->method.ptr != NULL &&
	    !is_always_allowed(q->method) &&
	    !rules_allow(c->methods, q->method)) {
		deny(o, ret, "methods", "method", q->method);
		return false;
	}
	if (q->kind == POLICY_TOOL && !is_allowed(c->tools, q->name)) {
		deny(o, ret, "tools", "tool", q->name);
		return false;
	}
	if (q->kind == POLICY_PROMPT && !is_allowed(c->prompts, q->name)) {
		deny(o, ret, "prompts", "prompt", q->name);
		return false;
	}
	if (q->kind == POLICY_RESOURCE && !is_resource_allowed(c, q->name)) {
		deny(o, ret, "resources", "resource", q->name);
		return false;
	}
	return judge_subscriptions(o, q, ret);
}

/* ---- programs ---- */

/* Denies because of what the program did, which its operator should know: the
 * agent is told nothing of it. */
static void
deny_fault(struct proxy *p, const struct config_route *route,
    const struct error *e, struct policy_verdict *ret)
{
	*ret = (struct policy_verdict){.action = POLICY_DENY,
	    .rule = bytes_cstr(FAULT_RULE), .text = bytes_cstr(FAULT_TEXT)};
	if (quiet_allows(&p->policy->quiet, (unsigned)e->code, 0, clock_ms()))
		diag_warning("policy: route=%s: %s: %s; denied", route->name,
		    route->policy->program, e->text);
}

static void
on_answer(void *user, struct bytes question, struct bytes answer,
    const struct error *e)
{
	struct policy_asked *a = user;
	struct policy_verdict v;
	struct error fault = {.code = EVALUATOR_PROGRAM};
	struct buf mem;

	buf_init(&mem, VERDICT_MAX);
	if (a->done != NULL && e == NULL && verdict_parse(answer, a->direction,
	    bytes_of(question.ptr + a->message_at, a->message_len), &mem, &v,
	    &fault) != 0) {
		fault.code = EVALUATOR_PROGRAM;
		e = &fault;
	}
	if (a->done != NULL && e != NULL)
		deny_fault(a->proxy, a->route, e, &v);
	if (a->done != NULL) {
		a->proxy->counts.denials += v.action == POLICY_DENY;
		a->done(a->user, &v);
	}
	buf_reset(&mem);
	service_drop(a->route);
	free(a);
}

/* Returns 0, or -1 with a text and an evaluator_fault in e->code. */
static int
ask(struct proxy *p, struct evaluator *v, const struct policy_question *q,
    struct policy_asked *a, struct error *e)
{
	struct buf text;

	*a = (struct policy_asked){.proxy = p, .route = q->route,
	    .direction = q->direction, .message_len = q->message.len};
	buf_init(&text, JUDGE_QUESTION_MAX);
	if (verdict_ask(&text, q, &a->message_at) != 0) {
		buf_reset(&text);
		e->code = EVALUATOR_BUSY;
		return error_set(e, "a question that is too long");
	}
	return evaluator_ask(v, &text, on_answer, a, e);
}

int
policy_judge(struct proxy *p, const struct policy_question *q,
    struct policy_verdict *ret, policy_done *done, void *user,
    struct policy_asked **ret_asked)
{
	struct program *program = q->route->service->program;
	struct error e = {.code = EVALUATOR_BUSY, .text = "out of memory"};
	struct policy_asked *a;

	*ret = (struct policy_verdict){.action = POLICY_ALLOW};
	if (!judge_by_lists(p->policy, q, ret)) {
		p->counts.denials++;
		return 1;
	}
	if (program == NULL)
		return 1;
	a = malloc(sizeof *a);
	if (a == NULL || ask(p, program->evaluator, q, a, &e) != 0) {
		free(a);
		deny_fault(p, q->route, &e, ret);
		p->counts.denials++;
		return 1;
	}
	service_hold(a->route);
	a->done = done;
	a->user = user;
	*ret_asked = a;
	return 0;
}

void
policy_forget(struct policy_asked *a)
{
	/* The answer comes for a question that was sent. */
	if (a != NULL)
		a->done = NULL;
}

/* ---- its life ---- */

static void
say_left_out(unsigned kind, uint64_t n)
{
	(void)kind;
	diag_warning("policy: left_out=%llu", (unsigned long long)n);
}

static void
on_settled(void *user)
{
	struct proxy *p = user;

	if (p->prepared != NULL)
		p->prepared(p);
}

static void
note_program(void *user, const char *file)
{
	struct proxy *p = user;

	audit_note(&p->audit, "reload", "program", file);
}

static const struct evaluator_events program_events = {
	.settled = on_settled, .loaded = note_program,
};

static void
program_free(struct program *g)
{
	evaluator_free(g->evaluator);
	free(g->file);
	free(g);
}

static struct program *
program_new(struct proxy *p, const char *file, struct error *e)
{
	struct program *g = calloc(1, sizeof *g);

	if (g == NULL || (g->file = strdup(file)) == NULL) {
		error_set(e, "out of memory");
		free(g);
		return NULL;
	}
	if (p->config == NULL || io_check_again(file, e) == 0)
		g->evaluator = evaluator_new(p->ev, g->file, &program_events,
		    p, e);
	if (g->evaluator == NULL) {
		program_free(g);
		return NULL;
	}
	g->next = p->policy->programs;
	p->policy->programs = g;
	return g;
}

struct program *
policy_hold_program(struct proxy *p, const char *file, struct error *e)
{
	struct program *g = p->policy->programs;

	while (g != NULL && !str_eq(g->file, file))
		g = g->next;
	if (g == NULL)
		g = program_new(p, file, e);
	if (g != NULL)
		g->refs++;
	return g;
}

int
policy_state(const struct proxy *p, struct error *e)
{
	int all = 1;

	for (struct program *g = p->policy->programs; g != NULL && all != -1;
	    g = g->next) {
		int one = evaluator_state(g->evaluator, e);

		all = one < all ? one : all;
	}
	return all;
}

int
policy_wait(struct proxy *p, struct error *e)
{
	for (struct program *g = p->policy->programs; g != NULL; g = g->next) {
		if (evaluator_wait(g->evaluator, e) != 0)
			return -1;
	}
	return 0;
}

void
policy_drop_program(struct proxy *p, struct program *g)
{
	struct program **at = &p->policy->programs;

	if (g == NULL || --g->refs != 0)
		return;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	program_free(g);
}

int
policy_start(struct proxy *p, struct error *e)
{
	p->policy = calloc(1, sizeof *p->policy);
	if (p->policy == NULL)
		return error_set(e, "out of memory");
	quiet_init(&p->policy->quiet, p->ev, say_left_out);
	return 0;
}

void
policy_end_all(struct proxy *p)
{
	if (p->policy == NULL)
		return;
	for (struct program *g = p->policy->programs; g != NULL;
	    g = g->next) {
		evaluator_free(g->evaluator);
		g->evaluator = NULL;
	}
}

void
policy_stop(struct proxy *p)
{
	if (p->policy == NULL)
		return;
	quiet_done(&p->policy->quiet);
	free(p->policy);
	p->policy = NULL;
}

bool
policy_has_process(const struct proxy *p, pid_t pid)
{
	if (p->policy == NULL)
		return false;
	for (struct program *g = p->policy->programs; g != NULL; g = g->next) {
		if (evaluator_has(g->evaluator, pid))
			return true;
	}
	return false;
}
