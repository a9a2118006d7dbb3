/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/item.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/result.h"
#include "cmd/sandbox-worker/retry.h"
#include "common/clock.h"
#include "common/str.h"

enum {
	/* The sandbox ends a command in time itself, with what it has put out;
	 * this is for what does not end. */
	TOOL_GRACE_MS = 5000,
	POST_MIN_MS = 1000,
	POST_MAX_MS = 30000,
	POST_ANSWER_MAX = 16 << 20,
	SANDBOX_DEATHS_MAX = 3,
};

static const char *const tools[] = {
	"bash", "read", "write", "edit", "glob", "grep",
};

bool
item_owns_tool(const char *name)
{
	for (size_t n = 0; n < sizeof tools / sizeof tools[0]; n++) {
		if (str_eq(tools[n], name))
			return true;
	}
	return false;
}

/* ---- posting ---- */

static void
end_post(struct item *i, enum ledger_post outcome)
{
	struct ledger_call *c = i->ledger.current;

	ev_timer_stop(i->ev, &i->post_timer);
	if (outcome == POST_ACCEPTED)
		log_tool(DIAG_DEBUG, c->name, c->id, "the result is posted");
	ledger_set_posted(&i->ledger, outcome, clock_ms());
	i->ambiguous = false;
	item_progress(i);
	if (i->content_state == ITEM_CONTENT_READY)
		content_sync(i->content);
	item_kick(i);
}

static int64_t
window_ms(const struct item *i)
{
	if (i->phase == ITEM_PARTING)
		return ITEM_PART_MS;
	return i->lease.answered ? i->lease.ttl_ms : ITEM_POST_WINDOW_MS;
}

static void
post_failed(struct item *i, const char *why)
{
	const struct ledger_call *c = i->ledger.current;
	int64_t left = window_ms(i) - (clock_ms() - i->post_ms), ms;
	uint32_t random;

	report_event(&i->report, "post-retry");
	if (left <= 0) {
		log_tool(DIAG_ERROR, c->name, c->id, "the result was not "
		    "posted: %s", why);
		end_post(i, POST_FAILED);
		return;
	}
	random_bytes(&random, sizeof random);
	ms = retry_backoff_ms(POST_MIN_MS, POST_MAX_MS, i->post_failures++,
	    random);
	ms = ms < left ? ms : left;
	log_tool(DIAG_WARNING, c->name, c->id, "posting the result: %s, "
	    "tried again in %lld ms", why, (long long)ms);
	item_set_timer(i, &i->post_timer, ms);
}

/* A result that may have arrived before is refused because it is there: the
 * history tells. */
static void
post_refused(struct item *i, const char *why)
{
	const struct ledger_call *c = i->ledger.current;

	log_tool(DIAG_ERROR, c->name, c->id, "the result is refused: %s%s",
	    why, i->ambiguous ? ", but an earlier attempt may have arrived: "
	    "reading the history" : "");
	report_event(&i->report, "post-refused");
	if (!i->ambiguous) {
		end_post(i, POST_REFUSED);
		return;
	}
	end_post(i, POST_FAILED);
	if (i->phase == ITEM_ATTENDING && i->stream != NULL)
		item_list(i);
}

static void
post_done(void *user, struct api_response *r, const struct error *e)
{
	struct item *i = user;
	struct error why;

	i->post = NULL;
	i->ambiguous = i->ambiguous || r->ambiguous;
	if (api_is_success(r->status) || i->ledger.current->answered) {
		end_post(i, POST_ACCEPTED);
	} else if (e != NULL) {
		post_failed(i, e->text);
	} else {
		api_describe(r, &why);
		if (api_is_fatal(r->status))
			post_refused(i, why.text);
		else
			post_failed(i, why.text);
	}
}

static const struct api_events post_events = {.done = post_done};

static void
post(struct item *i)
{
	const struct ledger_call *c = i->ledger.current;
	char path[ITEM_PATH_MAX];
	struct api_request r = {
		.method = "POST", .path = path, .beta = API_BETA_AGENTS,
		.helper = API_HELPER_RUNNER, .max = POST_ANSWER_MAX,
		.to_fd = -1, .retries = API_RETRIES,
	};
	struct buf body;

	buf_init(&body, RESULT_BODY_MAX);
	if (result_write(&body, c->id, c->custom, c->is_error,
	    c->refusal == NULL ? buf_bytes(&c->result)
	    : bytes_cstr(c->refusal)) != 0) {
		buf_reset(&body);
		post_failed(i, "out of memory");
		return;
	}
	r.body = buf_bytes(&body);
	item_session_path(i, "/events", path);
	i->post = item_request(i, &r, &post_events);
	buf_reset(&body);
}

static void
begin_post(struct item *i)
{
	i->post_ms = clock_ms();
	i->post_failures = 0;
	i->ambiguous = false;
	post(i);
}

static void
post_due(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct item *i = w->data;

	(void)ev;
	(void)revents;
	post(i);
}

/* ---- running ---- */

static const char *
verdict_of(const struct ledger_call *c)
{
	if (c->refusal != NULL)
		return "refused";
	return c->verdict == VERDICT_ALLOW ? "confirmed" : "allow";
}

static void
tell_result(struct item *i, const struct sandbox_result *r,
    const struct audit_call *a)
{
	log_tool(DIAG_INFO, a->tool, a->id, "%s after %lld ms, %zu bytes",
	    r->timed_out ? "timed out" : r->is_error ? "failed" : "done",
	    (long long)a->duration_ms, a->bytes);
	report_begin(&i->report, "tool");
	jsonw_key(&i->report.w, "tool");
	jsonw_bytes(&i->report.w, bytes_cstr(a->tool));
	jsonw_key(&i->report.w, "is_error");
	jsonw_bool(&i->report.w, r->is_error);
	jsonw_key_int(&i->report.w, "duration_ms", a->duration_ms);
	report_end(&i->report);
}

/* The call that is under way has this result. */
static void
take_result(struct item *i, const struct sandbox_result *r)
{
	struct ledger_call *c = i->ledger.current;
	struct audit_call a = {
		.tool = c->name, .id = c->id, .input = buf_bytes(&c->input),
		.verdict = verdict_of(c), .is_error = r->is_error,
		.timed_out = r->timed_out, .exit = r->exit,
		.duration_ms = clock_ms() - i->tool_ms, .bytes = r->text.len,
	};

	ev_timer_stop(i->ev, &i->tool_timer);
	item_progress(i);
	if (audit_write(&i->audit, &a) != 0)
		log_tool(DIAG_ERROR, c->name, c->id,
		    "the audit file could not be written");
	tell_result(i, r, &a);
	if (ledger_set_result(&i->ledger, r->is_error, r->text, clock_ms()))
		begin_post(i);
	item_kick(i);
}

static void
take_error(struct item *i, const char *text)
{
	struct sandbox_result r = {
		.is_error = true, .exit = -1, .text = bytes_cstr(text)};

	take_result(i, &r);
}

void
item_cancel_call(struct item *i, const char *why)
{
	if (i->ledger.current == NULL ||
	    i->ledger.current->state != CALL_RUNNING)
		return;
	sandbox_cancel(i->sandbox);
	take_error(i, why);
}

void
item_drop_call(struct item *i)
{
	ev_timer_stop(i->ev, &i->tool_timer);
	ev_timer_stop(i->ev, &i->post_timer);
	api_cancel(i->post);
	i->post = NULL;
	if (i->sandbox != NULL)
		sandbox_cancel(i->sandbox);
}

static void
run_tool(struct item *i, struct ledger_call *c)
{
	struct bytes input = buf_bytes(&c->input);
	struct jsonr v;
	struct error e;

	if (input.len == 0)
		input = bytes_cstr("{}");
	i->tool_ms = clock_ms();
	log_tool(DIAG_INFO, c->name, c->id, "runs");
	if (c->refusal != NULL) {
		take_error(i, c->refusal);
	} else if (jsonr_parse_object(input, &v, &e) != 0) {
		take_error(i, "Error: the input is not an object");
	} else if (sandbox_call(i->sandbox, c->name, input, &e) != 0) {
		error_prefix(&e, "Error");
		take_error(i, e.text);
	} else {
		item_set_timer(i, &i->tool_timer, i->settings->tool_ms +
		    TOOL_GRACE_MS);
	}
}

void
item_next_call(struct item *i)
{
	struct ledger_call *c = i->ledger.current;

	if (c != NULL && c->state == CALL_RUNNING && c->cancel)
		item_cancel_call(i, "Error: interrupted by the user");
	c = ledger_take(&i->ledger, clock_ms());
	if (c == NULL)
		return;
	if (c->state == CALL_POSTING)
		begin_post(i);
	else
		run_tool(i, c);
}

static void
format_minutes(char *out, size_t cap, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 60)
		str_format(out, cap, "%llds", (long long)s);
	else
		str_format(out, cap, "%lldm%llds", (long long)(s / 60),
		    (long long)(s % 60));
}

static void
tool_overdue(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct item *i = w->data;
	char text[EVENT_NAME_MAX + 64], time[32];

	(void)ev;
	(void)revents;
	format_minutes(time, sizeof time, i->settings->tool_ms);
	str_format(text, sizeof text, "tool \"%s\" timed out after %s",
	    i->ledger.current->name, time);
	item_cancel_call(i, text);
}

void
item_init_call(struct item *i)
{
	ev_init(&i->post_timer, post_due);
	i->post_timer.data = i;
	ev_init(&i->tool_timer, tool_overdue);
	i->tool_timer.data = i;
}

/* ---- the sandbox ---- */

/* What the host does not give is no news to --require, but to whoever has not
 * asked for it. */
static void
say_degraded(struct bytes isolation)
{
	static const char *const names[] = {"feature", "reason",
		"consequence"};
	char text[3][256];
	struct jsonr v, list, one;
	struct jsonr_iter iter;
	struct error e;

	if (jsonr_parse_object(isolation, &v, &e) != 0 ||
	    jsonr_get(v, "degraded", &list, &e) != 1)
		return;
	jsonr_iter_init(&iter, list);
	while (jsonr_next(&iter, NULL, &one)) {
		for (size_t n = 0; n < 3; n++) {
			if (jsonr_get_str(one, names[n], text[n],
			    sizeof text[n], &e) != 1)
				text[n][0] = '\0';
		}
		log_line(DIAG_WARNING, "the sandbox: %s: %s: %s", text[0],
		    text[1], text[2]);
	}
}

static void
sandbox_ready(void *user, const char *workdir, struct bytes isolation)
{
	struct item *i = user;

	log_line(DIAG_INFO, "the sandbox is ready at %s", workdir);
	if (i->phase == ITEM_BUILDING)
		say_degraded(isolation);
	report_event(&i->report, "sandbox-ready");
	item_progress(i);
	if (i->phase == ITEM_BUILDING)
		i->phase = ITEM_ATTENDING;
	item_kick(i);
}

/* One that cannot be built at all ends the item; one that died is built anew
 * for the next call, but not for ever. */
static void
sandbox_failed(void *user, const struct error *e)
{
	struct item *i = user;

	report_event(&i->report, "sandbox-failed");
	if (i->phase <= ITEM_BUILDING ||
	    ++i->sandbox_deaths >= SANDBOX_DEATHS_MAX)
		item_fail(i, "the sandbox: %s", e->text);
	else
		log_line(DIAG_WARNING, "the sandbox: %s", e->text);
}

static void
sandbox_result(void *user, const struct sandbox_result *r)
{
	struct item *i = user;

	if (!r->is_error || r->exit != -1)
		i->sandbox_deaths = 0;
	if (i->ledger.current != NULL &&
	    i->ledger.current->state == CALL_RUNNING)
		take_result(i, r);
}

static void
sandbox_progress(void *user)
{
	item_progress(user);
}

static void
sandbox_gone(void *user)
{
	struct item *i = user;

	item_set_phase(i, ITEM_ENDED);
}

const struct sandbox_events item_sandbox_events = {
	.ready = sandbox_ready, .failed = sandbox_failed,
	.done = sandbox_result, .progress = sandbox_progress,
	.stopped = sandbox_gone,
};
