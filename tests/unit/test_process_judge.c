/* SPDX-License-Identifier: ISC */
/* What a process says, line by line before its policy: what is not judged,
 * what waits, and who is told of what does not go on. */
#include <stdlib.h>

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/exchange.h"
#include "cmd/mcp-proxy/hearing.h"
#include "common/str.h"
#include "tests/fake_policy.h"
#include "tests/unit/test.h"

enum { LINE_MAX_LEN = 4096, POLICY_MAX = 200, TAKEN_LEN = 8192 };

#define ANSWER(id, result) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define DENIED(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{" \
	"\"content\":[{\"type\":\"text\",\"text\":\"no\"}],\"isError\":true}}"
#define CHANGED "{\"jsonrpc\":\"2.0\"," \
	"\"method\":\"notifications/tools/list_changed\"}"
#define UPDATED(uri) "{\"jsonrpc\":\"2.0\",\"method\":" \
	"\"notifications/resources/updated\",\"params\":{\"uri\":\"" uri "\"}}"

static struct proxy *proxy;
static char name[] = "docs", origin[] = "stdio:docs";
static struct config_policy rules = {.message_max = POLICY_MAX},
    wide = {.message_max = LINE_MAX_LEN};
static struct config_stdio command = {.message_max = LINE_MAX_LEN};
static struct config_route route = {.name = name, .origin = origin,
	.policy = &rules, .stdio = &command};
static struct config_route other = {.name = name, .origin = origin,
	.policy = &wide, .stdio = &command};
static struct bridge bridge;
static struct session session = {.id = "secret", .host = "docs.example"};
static struct process process;
static char taken[TAKEN_LEN], sent[TAKEN_LEN];
static size_t lost, logged, ended, pauses, resumes;
static struct failure lost_why;

/* ---- what it calls ---- */

void
process_take(struct process *p, struct bytes text)
{
	size_t n = strlen(taken);

	ok(p == &process, "its process");
	str_format(taken + n, sizeof taken - n, "%.*s\n", (int)text.len,
	    (const char *)text.ptr);
}

static void
drop_call(struct call *c)
{
	idmap_remove(&process.numbers, c->number);
	free(c->asked);
	free(c);
}

void
process_lose(struct process *p, struct call *c, const struct failure *why)
{
	(void)p;
	lost++;
	lost_why = *why;
	drop_call(c);
}

int
process_send(struct process *p, struct bytes text)
{
	(void)p;
	return str_format(sent, sizeof sent, "%.*s", (int)text.len,
	    (const char *)text.ptr);
}

void
process_ended(struct process *p)
{
	(void)p;
	ended++;
}

void
child_log(struct child *c, const char *what, struct bytes line)
{
	(void)c;
	(void)what;
	(void)line;
	logged++;
}

void
child_kill(struct child *c, const char *how)
{
	(void)c;
	ok(false, "killed: %s", how);
}

void
child_pause(struct child *c)
{
	(void)c;
	pauses++;
}

void
child_resume(struct child *c)
{
	(void)c;
	resumes++;
}

struct audit_who
exchange_who(const struct exchange *x)
{
	(void)x;
	ok(false, "nobody waits here");
	return (struct audit_who){.route = name};
}

/* ---- a process and its calls ---- */

/* It was asked for a tool of this name; NULL: we asked it something. */
static struct call *
add_call(uint32_t number, const char *tool)
{
	struct call *c = calloc(1, sizeof *c);
	struct hearing_call *asked = calloc(1, sizeof *asked);

	if (c == NULL || asked == NULL)
		exit(1);
	c->number = number;
	c->process = &process;
	c->session = &session;
	c->purpose = tool == NULL ? CALL_START : CALL_AGENT;
	c->asked = asked;
	asked->id = bytes_cstr("9");
	asked->method = bytes_cstr("tools/call");
	asked->kind = POLICY_TOOL;
	asked->name = bytes_cstr(tool == NULL ? "" : tool);
	idmap_add(&process.numbers, number, c);
	return c;
}

static void
begin(void)
{
	process = (struct process){.bridge = &bridge, .session = &session};
	process.child.proxy = proxy;
	bridge = (struct bridge){.proxy = proxy, .route = &route};
	taken[0] = sent[0] = '\0';
	lost = logged = ended = pauses = resumes = fake_count = 0;
	eq_int(process_judge_start(&process), 0, "it starts");
}

static void
finish(void)
{
	process_judge_stop(&process);
	process_judge_stop(&process);
	for (size_t i = 0; i < process.numbers.size; i++) {
		if (process.numbers.entries[i].id != 0)
			drop_call(process.numbers.entries[i].value);
	}
	idmap_done(&process.numbers);
}

static void
say(const char *line)
{
	process_judge(&process, bytes_cstr(line));
}

static void
takes(const char *want)
{
	eq_str(taken, want, "what goes on");
	taken[0] = '\0';
}

/* ---- */

static void
test_ours(void)
{
	static const char ping[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";

	begin();
	add_call(7, NULL);
	say("no message");
	takes("no message\n");
	say(ping);
	takes("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
	say(ANSWER("7", "{}"));
	takes(ANSWER("7", "{}") "\n");
	say(ANSWER("8", "{}"));
	takes(ANSWER("8", "{}") "\n");
	eq_int(fake_count, 0, "nobody judges what is said to us");
	finish();
}

static void
test_answers(void)
{
	struct call *c;

	begin();
	c = add_call(1, "a");
	add_call(2, "x");
	add_call(3, "w");
	say(ANSWER("1", "{\"a\": 1}"));
	takes(ANSWER("1", "{\"a\": 1}") "\n");
	ok(c->asked == NULL, "what was asked is used up");
	say(ANSWER("2", "{\"a\":1}"));
	takes(DENIED("2") "\n");
	say(ANSWER("3", "{\"a\":\"old\"}"));
	takes(ANSWER("3", "{\"a\":\"new\"}") "\n");
	say("[" ANSWER("2", "{}") "," CHANGED "]");
	takes("[" ANSWER("2", "{}") "," CHANGED "]\n");
	eq_int(pauses, 0, "it never waits");
	finish();
}

static void
test_own_words(void)
{
	begin();
	say(UPDATED("a"));
	takes(UPDATED("a") "\n");
	say(UPDATED("x"));
	takes("");
	say("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"tools/call\","
	    "\"params\":{\"name\":\"x\"}}");
	takes("");
	ok(strstr(sent, "\"id\":\"q\",\"error\":{\"code\":403,") != NULL,
	    "its denied request is answered: %s", sent);
	eq_int(logged, 0, "no fault of its own");
	finish();
}

static void
test_waiting(void)
{
	begin();
	add_call(1, "la");
	add_call(2, "lx");
	say(ANSWER("1", "{}"));
	say(CHANGED);
	say(ANSWER("2", "{}"));
	say("no message");
	takes("");
	eq_int(pauses, 1, "it is not read meanwhile");
	ok(fake_answer(), "the first verdict");
	takes(ANSWER("1", "{}") "\n" CHANGED "\n");
	eq_int(resumes, 0, "another verdict is due");
	ok(fake_answer(), "the second verdict");
	takes(DENIED("2") "\nno message\n");
	eq_int(resumes, 1, "it is read again");
	process.slow = (struct visit *)&process;
	process_resume(&process);
	eq_int(resumes, 1, "not while an agent is slow");
	finish();
}

static void
test_end(void)
{
	begin();
	ok(!process_judge_ending(&process), "nothing waits");
	finish();
	begin();
	add_call(1, "l");
	say(ANSWER("1", "{}"));
	say(CHANGED);
	ok(process_judge_ending(&process), "its words are not all judged");
	eq_int(ended, 0, "so its end is not there");
	ok(fake_answer(), "the verdict");
	takes(ANSWER("1", "{}") "\n" CHANGED "\n");
	eq_int(ended, 1, "it is now");
	eq_int(resumes, 0, "there is nothing to read");
	finish();
	begin();
	add_call(1, "l");
	say(ANSWER("1", "{}"));
	say(CHANGED);
	finish();
	ok(fake_answer(), "a verdict that nobody waits for");
	takes("");
}

static void
test_lost(void)
{
	char line[LINE_MAX_LEN];

	begin();
	add_call(1, "a");
	say(ANSWER("1", "{\"a\":1,\"a\":2}"));
	takes("");
	eq_int(lost, 1, "who asked is told");
	eq_int(lost_why.status, 502, "as of a bad response");
	add_call(2, "a");
	add_call(3, "a");
	say("[" ANSWER("2", "{}") "," CHANGED ","
	    ANSWER("3", "{\"a\":1,\"a\":2}") "]");
	takes("");
	eq_int(lost, 3, "as are all that a batch answers");
	for (int extra = -1; extra <= 1; extra++) {
		add_call(4, "a");
		str_format(line, sizeof line, ANSWER("4", "{\"a\":\"%*d\"}"),
		    POLICY_MAX + extra -
		    (int)strlen(ANSWER("4", "{\"a\":\"\"}")), 0);
		say(line);
		eq_int(lost, extra == 1 ? 4 : 3, "message_size %+d", extra);
		if (extra != 1)
			drop_call(idmap_get(&process.numbers, 4));
	}
	eq_int(logged, 3, "each is logged");
	taken[0] = '\0';
	bridge.route = &other;
	add_call(4, "a");
	say(line);
	eq_int(lost, 4, "the route's new policy has its own message_size");
	eq_int(strlen(taken), strlen(line) + 1, "it goes on");
	finish();
}

int
main(void)
{
	proxy = calloc(1, sizeof *proxy);
	if (proxy == NULL)
		return 1;
	buf_init(&proxy->out, PROXY_OUT_MAX);
	test_ours();
	test_answers();
	test_own_words();
	test_waiting();
	test_end();
	test_lost();
	buf_reset(&proxy->out);
	buf_reset(&fake_message);
	free(proxy);
	return test_done();
}
