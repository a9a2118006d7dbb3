/* SPDX-License-Identifier: ISC */
/* Which calls run, in which order, and when a session is over: the rules of
 * the event stream, one by one. */
#include "cmd/sandbox-worker/ledger.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { IDLE_MS = 1000 };

static const char end_turn[] = "{\"type\":\"session.status_idle\","
    "\"stop_reason\":{\"type\":\"end_turn\"}}";
static const char waits[] = "{\"type\":\"session.status_idle\","
    "\"stop_reason\":{\"type\":\"requires_action\"}}";
static const char running[] = "{\"type\":\"session.status_running\"}";

static int64_t now;
static struct ledger ledger;
static char text[8][512];

static bool
owns(const char *name)
{
	return str_eq(name, "bash") || str_eq(name, "read");
}

static void
start(void)
{
	ledger_done(&ledger);
	ledger_init(&ledger, IDLE_MS, owns);
	now = 100;
}

static struct event
event_of(const char *json)
{
	struct event ev;
	struct error e;

	if (event_parse(bytes_cstr(json), &ev, &e) != 0)
		ok(false, "%s: %s", json, e.text);
	return ev;
}

static void
live(const char *json)
{
	struct event ev = event_of(json);
	struct error e;

	if (ledger_add_live(&ledger, &ev, now, &e) != 0)
		ok(false, "%s: %s", json, e.text);
}

static void
past(const char *json)
{
	struct event ev = event_of(json);
	struct error e;

	if (ledger_add_history(&ledger, &ev, &e) != 0)
		ok(false, "%s: %s", json, e.text);
}

/* The call of a tool; more is put behind its members. */
static const char *
call(int at, const char *id, const char *name, const char *more)
{
	str_format(text[at], sizeof text[at], "{\"type\":\"agent.tool_use\","
	    "\"id\":\"%s\",\"name\":\"%s\",\"input\":{\"n\":\"%s\"}%s}", id,
	    name, id, more);
	return text[at];
}

static const char *
result_of(int at, const char *id)
{
	str_format(text[at], sizeof text[at], "{\"type\":\"user.tool_result\","
	    "\"id\":\"r\",\"tool_use_id\":\"%s\"}", id);
	return text[at];
}

static const char *
verdict_on(int at, const char *id, const char *verdict)
{
	str_format(text[at], sizeof text[at],
	    "{\"type\":\"user.tool_confirmation\",\"tool_use_id\":\"%s\","
	    "\"result\":\"%s\"}", id, verdict);
	return text[at];
}

static const char *
thread_end(int at, const char *thread)
{
	str_format(text[at], sizeof text[at],
	    "{\"type\":\"session.thread_status_terminated\","
	    "\"session_thread_id\":\"%s\"}", thread);
	return text[at];
}

/* The next call is that one, or "" for none. */
static void
runs(const char *id, const char *title)
{
	struct ledger_call *c = ledger_take(&ledger, now);

	eq_str(c == NULL ? "" : c->id, id, "%s", title);
}

static void
answers(enum ledger_post outcome)
{
	ledger_set_result(&ledger, false, bytes_cstr("done"), now);
	ledger_set_posted(&ledger, outcome, now);
}

static void
whole(void)
{
	ledger_end_pass(&ledger, true, now);
}

static bool
is_armed(void)
{
	return ledger_deadline_ms(&ledger) != INT64_MAX;
}

static void
test_order(void)
{
	start();
	live(call(0, "a", "bash", ""));
	live(call(1, "b", "read", ""));
	runs("a", "calls run in the order of their arrival");
	ok(bytes_eq(buf_bytes(&ledger.current->input),
	    bytes_cstr("{\"n\":\"a\"}")), "the input is handed on as it came");
	runs("", "one at a time");
	ok(ledger_set_result(&ledger, false, bytes_cstr("x"), now),
	    "a result is to be posted");
	runs("", "the next one waits for the posting");
	ledger_set_posted(&ledger, POST_ACCEPTED, now);
	runs("b", "and then it runs");
	answers(POST_ACCEPTED);
	live(call(0, "a", "bash", ""));
	runs("", "an event that comes again runs nothing again");
}

static void
test_history(void)
{
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	past(call(1, "b", "bash", ""));
	past(result_of(2, "a"));
	runs("", "nothing runs before the history is read");
	whole();
	runs("b", "what has a result in the history does not run");
	answers(POST_ACCEPTED);
	live(call(0, "a", "bash", ""));
	live(call(1, "b", "bash", ""));
	runs("", "the stream repeats what the history had");
	start();
	live(result_of(0, "c"));
	live(call(1, "c", "bash", ""));
	runs("", "a result may come before its call");
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	ledger_end_pass(&ledger, false, now);
	runs("", "a history that breaks off runs nothing");
	live(call(0, "a", "bash", ""));
	runs("a", "but the stream may bring the call");
	answers(POST_ACCEPTED);
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	whole();
	runs("", "and the next history repeats it");
}

static void
test_late_history(void)
{
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	live(call(0, "a", "bash", ""));
	runs("a", "the stream goes first if the history takes long");
	whole();
	answers(POST_ACCEPTED);
	runs("", "then the history runs nothing again");
	start();
	ledger_begin_pass(&ledger);
	past(end_turn);
	live(running);
	whole();
	ok(!is_armed(), "the stream is later than the history");
}

/* The table of permissions: each with each verdict, the verdict before and
 * after the call. */
static void
test_permissions(void)
{
	static const struct {
		const char *permission, *verdict;
		bool runs, held;
	} rows[] = {
		{"", "", true, false},
		{",\"evaluated_permission\":\"allow\"", "", true, false},
		{",\"evaluated_permission\":\"ask\"", "", false, true},
		{",\"evaluated_permission\":\"new\"", "", false, true},
		{",\"evaluated_permission\":null", "", false, true},
		{",\"evaluated_permission\":7", "", false, true},
		{",\"evaluated_permission\":\"deny\"", "", false, false},
		{"", "allow", true, false},
		{",\"evaluated_permission\":\"ask\"", "allow", true, false},
		{",\"evaluated_permission\":\"new\"", "allow", true, false},
		{",\"evaluated_permission\":\"deny\"", "allow", false, false},
		{"", "deny", false, false},
		{",\"evaluated_permission\":\"ask\"", "deny", false, false},
		{",\"evaluated_permission\":\"ask\"", "maybe", false, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start();
		if (rows[i].verdict[0] != '\0')
			live(verdict_on(0, "a", rows[i].verdict));
		live(call(1, "a", "bash", rows[i].permission));
		runs(rows[i].runs ? "a" : "", "a verdict, then the call");
		ok((ledger.held != NULL) == rows[i].held, "row %zu: %s", i,
		    rows[i].held ? "held" : "not held");
		start();
		ledger_begin_pass(&ledger);
		past(call(1, "a", "bash", rows[i].permission));
		if (rows[i].verdict[0] != '\0')
			past(verdict_on(0, "a", rows[i].verdict));
		whole();
		runs(rows[i].runs ? "a" : "", "both in the history");
	}
}

static void
test_held(void)
{
	static const char ask[] = ",\"evaluated_permission\":\"ask\"";

	start();
	live(call(0, "a", "bash", ask));
	live(call(1, "b", "bash", ""));
	runs("b", "a held call lets others pass");
	answers(POST_ACCEPTED);
	live(end_turn);
	ok(!is_armed(), "a held call defers the idle clock");
	now = 5000;
	live(verdict_on(2, "a", "allow"));
	runs("a", "an allowed one runs");
	ok(!is_armed(), "and defers it still");
	now = 6000;
	answers(POST_ACCEPTED);
	eq_int(ledger_deadline_ms(&ledger), 6000 + IDLE_MS,
	    "then the full time begins");
	start();
	live(call(0, "a", "bash", ask));
	live(end_turn);
	now = 300;
	live(verdict_on(2, "a", "deny"));
	runs("", "a denied one does not run");
	eq_int(ledger_deadline_ms(&ledger), 300 + IDLE_MS,
	    "and the time begins");
	live(verdict_on(2, "a", "allow"));
	runs("", "a denial is final");
	start();
	live(call(0, "a", "bash", ask));
	live(result_of(1, "a"));
	live(verdict_on(2, "a", "allow"));
	runs("", "one that was answered by others does not run");
	start();
	live(call(0, "a", "bash", ask));
	ledger_begin_pass(&ledger);
	past(verdict_on(2, "a", "allow"));
	whole();
	runs("a", "the history has a verdict that the stream missed");
	start();
	live(call(0, "a", "bash", ""));
	live(call(1, "b", "bash", ask));
	live(verdict_on(2, "b", "allow"));
	runs("a", "while another runs");
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	past(call(1, "b", "bash", ask));
	past(verdict_on(2, "b", "allow"));
	past(verdict_on(2, "b", "deny"));
	whole();
	answers(POST_ACCEPTED);
	runs("", "a denial that the stream missed is one");
}

static void
test_foreign(void)
{
	static const char custom[] = "{\"type\":\"agent.custom_tool_use\","
	    "\"id\":\"c\",\"name\":\"bash\",\"input\":{}}";
	static const char mcp[] = "{\"type\":\"agent.mcp_tool_use\","
	    "\"id\":\"m\",\"name\":\"bash\",\"input\":{}}";

	start();
	live(call(0, "w", "web_search", ""));
	live(mcp);
	runs("", "the tools of others are left to them");
	live(custom);
	runs("c", "a custom tool with a name of ours runs");
	ok(ledger.current->custom, "and is answered as one");
	answers(POST_ACCEPTED);
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "w", "web_search", ""));
	past(end_turn);
	whole();
	ok(!is_armed(), "an open call of others keeps the clock still");
	ledger_begin_pass(&ledger);
	past(call(0, "w", "web_search", ""));
	past(result_of(1, "w"));
	past(end_turn);
	whole();
	ok(is_armed(), "until it is answered");
	start();
	live(call(0, "w", "web_search",
	    ",\"evaluated_permission\":\"ask\""));
	live(end_turn);
	live(verdict_on(1, "w", "allow"));
	runs("", "an allowed call of others is theirs");
	ok(!is_armed(), "and its answer will go on with the session");
}

static void
test_idle(void)
{
	static const char *const reasons[] = {
		"end_turn", "retries_exhausted", "budget_reached", "refusal",
		"something_new",
	};
	char idle[128];

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		start();
		str_format(idle, sizeof idle, "{\"type\":\"session.status_idle\","
		    "\"stop_reason\":{\"type\":\"%s\"}}", reasons[i]);
		live(idle);
		eq_int(ledger_deadline_ms(&ledger), now + IDLE_MS,
		    "%s ends a turn", reasons[i]);
	}
	live(waits);
	ok(!is_armed(), "requires_action does not");
	live(end_turn);
	live("{\"type\":\"span.model_request_end\"}");
	ok(!is_armed(), "any event stops the clock");
	live(end_turn);
	live(verdict_on(0, "x", "allow"));
	ok(is_armed(), "a confirmation does not");
	live(thread_end(0, "t"));
	ok(is_armed(), "nor does the end of a thread");
	ledger_begin_pass(&ledger);
	ledger_end_pass(&ledger, false, now);
	live(thread_end(0, "u"));
	ok(!is_armed(), "unless the history could not be read");
	live(end_turn);
	now = 400;
	live(end_turn);
	eq_int(ledger_deadline_ms(&ledger), 400 + IDLE_MS,
	    "a further end of a turn starts it anew");
	start();
	ledger.max_idle_ms = 0;
	live(end_turn);
	ok(!is_armed(), "0 switches it off");
}

static void
test_idle_of_history(void)
{
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	past(result_of(1, "a"));
	past(end_turn);
	past(verdict_on(0, "x", "allow"));
	whole();
	ok(is_armed(), "a history that ends a turn starts the clock");
	ledger_begin_pass(&ledger);
	past(end_turn);
	past(running);
	whole();
	ok(!is_armed(), "one that goes on stops it");
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	past(end_turn);
	whole();
	runs("a", "an open call runs first");
	ok(!is_armed(), "and the clock waits");
	answers(POST_REFUSED);
	ok(!is_armed(), "one that stays open keeps it still");
	start();
	live(call(0, "a", "bash", ""));
	runs("a", "a call of the stream");
	live(end_turn);
	answers(POST_REFUSED);
	ok(is_armed(), "does not, when its result is lost");
}

static void
test_threads(void)
{
	static const char of_t[] = ",\"session_thread_id\":\"t\"";
	static const char held_t[] = ",\"session_thread_id\":\"t\","
	    "\"evaluated_permission\":\"ask\"";

	start();
	live(call(0, "a", "bash", of_t));
	runs("a", "the call of a thread runs as any");
	live(thread_end(1, "t"));
	ok(ledger_set_result(&ledger, false, bytes_cstr("x"), now),
	    "and is answered if it had begun");
	ledger_set_posted(&ledger, POST_ACCEPTED, now);
	live(call(0, "b", "bash", of_t));
	runs("", "no call runs for a thread that has ended");
	start();
	live(call(0, "a", "bash", held_t));
	live(end_turn);
	live(thread_end(1, "t"));
	ok(ledger.held == NULL && is_armed(), "a held call goes with it");
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", of_t));
	past(call(1, "b", "bash", ",\"session_thread_id\":null"));
	past(thread_end(2, "t"));
	whole();
	runs("b", "the same in the history");
}

static void
test_interrupt(void)
{
	start();
	live(call(0, "a", "bash", ""));
	live(call(1, "b", "bash", ""));
	runs("a", "a call runs");
	live("{\"type\":\"user.interrupt\"}");
	ok(ledger.current->cancel, "an interrupt ends it");
	ledger_set_result(&ledger, true, bytes_cstr("interrupted"), now);
	ledger_set_posted(&ledger, POST_ACCEPTED, now);
	runs("b", "what waits is answered");
	ok(ledger.current->refusal != NULL, "but does not run");
	answers(POST_ACCEPTED);
	live(call(2, "c", "bash", ""));
	runs("c", "what comes later");
	ok(ledger.current->refusal == NULL && !ledger.current->cancel,
	    "runs");
	live("{\"type\":\"user.interrupt\",\"session_thread_id\":\"t\"}");
	ok(!ledger.current->cancel, "another thread's is not meant");
	start();
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	past("{\"type\":\"user.interrupt\"}");
	whole();
	runs("a", "an interrupt of the past asks for the call again");
	ok(ledger.current->refusal == NULL, "which runs");
}

static void
test_posting(void)
{
	start();
	live(call(0, "a", "bash", ""));
	runs("a", "a call runs");
	ledger_set_result(&ledger, true, bytes_cstr("kept"), now);
	ledger_set_posted(&ledger, POST_FAILED, now);
	runs("", "a result that is lost is not made again");
	live(call(0, "a", "bash", ""));
	runs("", "not when the stream repeats the call");
	for (int i = 1; i < LEDGER_POSTS_MAX; i++) {
		ledger_begin_pass(&ledger);
		past(call(0, "a", "bash", ""));
		whole();
		runs("a", "after a further history it is posted again");
		ok(ledger.current->state == CALL_POSTING &&
		    ledger.current->is_error &&
		    bytes_eq(buf_bytes(&ledger.current->result),
		    bytes_cstr("kept")), "as it was");
		ledger_set_posted(&ledger, POST_REFUSED, now);
	}
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	whole();
	runs("", "but not for ever");
	start();
	live(call(0, "a", "bash", ""));
	runs("a", "a call runs");
	ledger_set_result(&ledger, false, bytes_cstr("x"), now);
	ledger_set_posted(&ledger, POST_FAILED, now);
	ledger_begin_pass(&ledger);
	past(call(0, "a", "bash", ""));
	past(result_of(1, "a"));
	whole();
	runs("", "a result that did arrive is in the history");
	start();
	live(call(0, "a", "bash", ""));
	runs("a", "a call runs");
	live(result_of(1, "a"));
	ok(!ledger_set_result(&ledger, false, bytes_cstr("x"), now),
	    "what somebody else answered meanwhile is not posted");
	ok(ledger.current == NULL, "and is over");
}

static void
test_end(void)
{
	start();
	live("{\"type\":\"session.status_terminated\"}");
	ok(ledger.ended, "status_terminated ends it");
	start();
	live("{\"type\":\"session.deleted\"}");
	ok(ledger.ended, "deleted ends it");
	start();
	ledger_begin_pass(&ledger);
	past(running);
	past("{\"type\":\"session.status_terminated\"}");
	past("{\"type\":\"session.usage\"}");
	whole();
	ok(ledger.ended, "so it does at the end of the history");
	start();
	ledger_begin_pass(&ledger);
	past("{\"type\":\"session.status_terminated\"}");
	past(running);
	whole();
	ok(!ledger.ended, "but not if it went on");
}

static void
test_refusal(void)
{
	struct event ev = event_of(call(0, "a", "bash", ""));
	struct error e;

	start();
	eq_int(ledger_refuse(&ledger, &ev, "too large", now, &e), 0,
	    "a call that is too large");
	runs("a", "is answered");
	eq_str(ledger.current->refusal, "too large", "with why");
	answers(POST_ACCEPTED);
	ledger_refuse(&ledger, &ev, "too large", now, &e);
	runs("", "once");
}

/* More calls than the table begins with, all found again. */
static void
test_many(void)
{
	char id[16];
	int wrong = 0;

	start();
	ledger_begin_pass(&ledger);
	for (int i = 0; i < 5000; i++) {
		str_format(id, sizeof id, "id%d", i);
		past(call(0, id, "bash", ""));
		if (i != 4321)
			past(result_of(1, id));
	}
	whole();
	runs("id4321", "one open call among five thousand");
	eq_int(ledger.count, 5000, "each is there once");
	answers(POST_ACCEPTED);
	for (int i = 0; i < 5000; i++) {
		str_format(id, sizeof id, "id%d", i);
		live(call(0, id, "bash", ""));
		wrong += ledger_take(&ledger, now) != NULL ? 1 : 0;
	}
	eq_int(wrong, 0, "none runs again");
	eq_int(ledger.input_len, 0, "and no input is kept");
}

int
main(void)
{
	test_order();
	test_history();
	test_late_history();
	test_permissions();
	test_held();
	test_foreign();
	test_idle();
	test_idle_of_history();
	test_threads();
	test_interrupt();
	test_posting();
	test_end();
	test_refusal();
	test_many();
	ledger_done(&ledger);
	return test_done();
}
