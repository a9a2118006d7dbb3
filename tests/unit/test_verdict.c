/* SPDX-License-Identifier: ISC */
/* What a policy's program is asked, what its answers mean, what a message is
 * about and how it is refused. */
#include "cmd/mcp-proxy/verdict.h"

#include "cmd/mcp-proxy/judge.h"
#include "tests/unit/test.h"

#define CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"," \
	"\"params\":{\"name\":\"t\",\"arguments\":{\"a\":1}}}"
#define OTHER "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"," \
	"\"params\":{\"name\":\"t\",\"arguments\":{}}}"
#define DENIED "The policy of this server does not allow this."

static struct buf mem;
static struct policy_verdict v;
static struct error e;

static int
parse(const char *answer, const char *message)
{
	e.text[0] = '\0';
	return verdict_parse(bytes_cstr(answer), POLICY_REQUEST,
	    bytes_cstr(message), &mem, &v, &e);
}

static void
test_allow(void)
{
	ok(parse("true", CALL) == 0 && v.action == POLICY_ALLOW &&
	    v.rule.len == 0, "true");
	ok(parse("{\"allow\":true,\"rule\":\"r1\"}", CALL) == 0 &&
	    v.action == POLICY_ALLOW, "allow");
	eq_bytes(v.rule, bytes_cstr("r1"), "and its rule");
}

static void
test_deny(void)
{
	static const struct {
		const char *answer, *text, *rule;
	} rows[] = {
		{"false", DENIED, ""}, {"\"no\"", "no", ""},
		{"{\"deny\":true}", DENIED, ""},
		{"{\"deny\":\"not that\"}", "not that", ""},
		{"{\"deny\":\"not that\",\"rule\":\"r\"}", "not that", "r"},
		{"{\"rule\":\"r\",\"deny\":true}", DENIED, "r"},
		{"\"a\\u00e4\\n\"", "a\xc3\xa4\n", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!ok(parse(rows[i].answer, CALL) == 0 &&
		    v.action == POLICY_DENY, "a denial: %s", rows[i].answer))
			continue;
		eq_bytes(v.text, bytes_cstr(rows[i].text), "its text");
		eq_bytes(v.rule, bytes_cstr(rows[i].rule), "its rule");
	}
}

static void
test_unclear(void)
{
	static const char *const rows[] = {
		"", "null", "1", "[]", "[true]", "\"\"", "\"a\\u0000b\"", "{}",
		"true false", "{\"rule\":\"r\"}", "{\"allow\":false}",
		"{\"allow\":1}", "{\"deny\":false}", "{\"deny\":null}",
		"{\"deny\":true,\"allow\":true}", "{\"deny\":\"\"}",
		"{\"deny\":true,\"deny\":true}", "{\"deny\":true,\"x\":1}",
		"{\"deny\":true,\"rule\":1}", "{\"allow\":true,\"rule\":\"\"}",
		"{\"message\":1}", "{\"message\":{}}", "{\"message\":[]}",
		"{\"message\":" OTHER ",\"deny\":true}", "\"\\",
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(parse(rows[i], CALL) == -1 && e.text[0] != '\0',
		    "not clear: %s", rows[i]);
}

/* Texts at their limits; no character is cut in two. */
static void
test_lengths(void)
{
	struct buf b;
	size_t max = POLICY_TEXT_MAX;

	buf_init(&b, 1 << 16);
	buf_add_str(&b, "\"");
	for (size_t i = 0; i < max - 1; i++)
		buf_add_str(&b, "x");
	buf_add_str(&b, "\xc3\xa4\"");
	ok(verdict_parse(buf_bytes(&b), POLICY_REQUEST, bytes_cstr(CALL),
	    &mem, &v, &e) == 0 && v.text.len == max - 1,
	    "a text above its limit is cut before a character");
	buf_reset(&b);
}

static void
test_message(void)
{
	static const char big[] = "{\"jsonrpc\":\"2.0\",\"id\":"
	    "12345678901234567890,\"method\":\"ping\"}";
	static const char rounded[] = "{\"message\":{\"jsonrpc\":\"2.0\","
	    "\"id\":12345678901234567000,\"method\":\"ping\"},"
	    "\"rule\":\"r\"}";
	static const char *const bad[] = {
		/* Another id, method, name; no request any more. */
		"{\"message\":{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
		    "\"tools/call\",\"params\":{\"name\":\"t\"}}}",
		"{\"message\":{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":"
		    "\"tools/call\",\"params\":{\"name\":\"t\"}}}",
		"{\"message\":{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"tools/list\",\"params\":{\"name\":\"t\"}}}",
		"{\"message\":{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"tools/call\",\"params\":{\"name\":\"u\"}}}",
		"{\"message\":{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"tools/call\",\"params\":{}}}",
		"{\"message\":{\"jsonrpc\":\"2.0\",\"method\":"
		    "\"tools/call\",\"params\":{\"name\":\"t\"}}}",
		"{\"message\":{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}}",
		"{\"message\":{\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"t\"}}}",
	};

	ok(parse("{\"message\":" OTHER "}", CALL) == 0 &&
	    v.action == POLICY_REWRITE, "another message");
	eq_bytes(v.message, bytes_cstr(OTHER), "which it is");
	if (ok(parse(rounded, big) == 0 && v.action == POLICY_REWRITE,
	    "an id that jq has rounded"))
		eq_bytes(v.message, bytes_cstr(big), "is put back");
	eq_bytes(v.rule, bytes_cstr("r"), "with a rule");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(parse(bad[i], CALL) == -1, "not in its place: %s", bad[i]);
	ok(verdict_parse(bytes_cstr("{\"message\":" OTHER "}"), POLICY_LIST,
	    bytes_cstr(CALL), &mem, &v, &e) == -1,
	    "no other message for an entry of a list");
	ok(parse("{\"message\":{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{}}}",
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}") == 0,
	    "an answer may become an error");
}

static void
test_question(void)
{
	struct config_route route = {.name = (char *)(uintptr_t)"docs"};
	struct policy_question q = {.direction = POLICY_LIST, .route = &route,
		.host = bytes_cstr("a.b"), .method = bytes_cstr("tools/call"),
		.kind = POLICY_TOOL, .name = bytes_cstr("t\"\n"),
		.session = "", .message = bytes_cstr(CALL),
		.entry = bytes_cstr("{\"name\":1}")};
	struct buf b;
	size_t at;

	buf_init(&b, 4096);
	ok(verdict_ask(&b, &q, &at) == 0, "a question");
	eq_bytes(buf_bytes(&b), bytes_cstr("{\"direction\":\"list\",\"route\":"
	    "\"docs\",\"host\":\"a.b\",\"method\":\"tools/call\",\"name\":"
	    "\"t\\\"\\n\",\"session\":null,\"agent\":null,\"entry\":{\"name\":1},"
	    "\"message\":" CALL "}"), "which it is");
	eq_bytes(bytes_of(buf_bytes(&b).ptr + at, q.message.len), q.message,
	    "where its message is");
	buf_clear(&b);
	q = (struct policy_question){.direction = POLICY_ANSWER,
		.route = &route, .kind = POLICY_RESOURCE, .session = "ab",
		.agent = "a\"", .message = bytes_cstr("{}")};
	ok(verdict_ask(&b, &q, &at) == 0, "of an answer to nothing known");
	eq_bytes(buf_bytes(&b), bytes_cstr("{\"direction\":\"answer\","
	    "\"route\":\"docs\",\"host\":null,\"method\":null,\"uri\":null,"
	    "\"session\":\"ab\",\"agent\":\"a\\\"\",\"message\":{}}"), "which it is");
	b.max = buf_len(&b);
	ok(verdict_ask(&b, &q, &at) == -1, "no room");
	buf_reset(&b);
}

static int
look(const char *message, struct buf *text, struct policy_question *q)
{
	struct rpc m;

	buf_clear(text);
	if (rpc_parse(bytes_cstr(message), &m, &e) != 0 ||
	    rpc_look(&m, &e) != 0)
		return -2;
	return policy_look(&m, text, q, &e);
}

#define REQUEST(rest) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":" rest "}"

static void
test_look(void)
{
	static const struct {
		const char *message, *method, *name;
		enum policy_kind kind;
	} rows[] = {
		{CALL, "tools/call", "t", POLICY_TOOL},
		{REQUEST("\"tools\\/c\\u0061ll\",\"params\":{\"name\":\"\"}"),
		    "tools/call", "", POLICY_TOOL},
		{REQUEST("\"prompts/get\",\"params\":{\"name\":\"p\"}"),
		    "prompts/get", "p", POLICY_PROMPT},
		{REQUEST("\"resources/read\",\"params\":{\"uri\":\"u:1\","
		    "\"name\":\"n\"}"), "resources/read", "u:1",
		    POLICY_RESOURCE},
		{REQUEST("\"completion/complete\",\"params\":{\"ref\":"
		    "{\"type\":\"ref/prompt\",\"name\":\"p\"}}"),
		    "completion/complete", "p", POLICY_PROMPT},
		{REQUEST("\"completion/complete\",\"params\":{\"ref\":"
		    "{\"type\":\"ref/resource\",\"uri\":\"u\"}}"),
		    "completion/complete", "u", POLICY_RESOURCE},
		{REQUEST("\"x\",\"params\":{\"name\":\"n\"}"), "x", NULL,
		    POLICY_OTHER},
		{REQUEST("\"tools/call\""), "tools/call", NULL, POLICY_TOOL},
		{REQUEST("\"resources/read\",\"params\":{\"name\":\"x\"}"),
		    "resources/read", NULL, POLICY_RESOURCE},
		{REQUEST("\"\""), "", NULL, POLICY_OTHER},
	};
	static const char *const bad[] = {
		REQUEST("\"tools/call\",\"params\":{\"name\":1}"),
		REQUEST("\"resources/read\",\"params\":{\"uri\":null}"),
		REQUEST("\"completion/complete\",\"params\":{}"),
		REQUEST("\"completion/complete\",\"params\":{\"ref\":"
		    "{\"type\":\"ref/other\",\"name\":\"p\"}}"),
		REQUEST("\"completion/complete\",\"params\":{\"ref\":"
		    "{\"type\":\"ref/prompt\",\"name\":[]}}"),
	};
	struct policy_question q;
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		q = (struct policy_question){.session = ""};
		if (!ok(look(rows[i].message, &text, &q) == 0, "about: %s",
		    rows[i].message))
			continue;
		eq_int(q.kind, rows[i].kind, "its kind");
		eq_bytes(q.method, bytes_cstr(rows[i].method), "its method");
		ok((q.name.ptr == NULL) == (rows[i].name == NULL),
		    "whether it has a name");
		if (rows[i].name != NULL)
			eq_bytes(q.name, bytes_cstr(rows[i].name), "its name");
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(look(bad[i], &text, &q) == -1 &&
		    e.code == RPC_INVALID_PARAMS, "about nothing: %s", bad[i]);
	ok(look("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", &text,
	    &q) == 0 && q.method.ptr == NULL, "an answer has no method");
	buf_reset(&text);
}

static void
test_denial(void)
{
	struct buf b;

	buf_init(&b, 4096);
	ok(policy_write_denial(&b, bytes_cstr("\"i\""),
	    bytes_cstr("tools/call"), false, bytes_cstr("no\"")) == 0,
	    "a denied call");
	eq_bytes(buf_bytes(&b), bytes_cstr("{\"jsonrpc\":\"2.0\",\"id\":\"i\","
	    "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"no\\\"\"}],"
	    "\"isError\":true}}"), "is a result");
	buf_clear(&b);
	ok(policy_write_denial(&b, bytes_cstr("7"), bytes_cstr("tools/call"),
	    true, bytes_cstr("no")) == 0, "a denied call of 2026-07-28");
	eq_bytes(buf_bytes(&b), bytes_cstr("{\"jsonrpc\":\"2.0\",\"id\":7,"
	    "\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":"
	    "\"text\",\"text\":\"no\"}],\"isError\":true}}"), "is one, too");
	buf_clear(&b);
	ok(policy_write_denial(&b, bytes_cstr("7"), bytes_cstr("x"), false,
	    bytes_cstr("no")) == 0, "another denied request");
	eq_bytes(buf_bytes(&b), bytes_cstr("{\"jsonrpc\":\"2.0\",\"id\":7,"
	    "\"error\":{\"code\":403,\"message\":\"no\",\"data\":{\"code\":"
	    "\"denied\",\"blame\":\"policy\"}}}"), "is an error");
	buf_reset(&b);
}

/* What a judge says, whole and in part, and what none says. */
static void
test_words(void)
{
	static const uint8_t value[] = {0, 0, 0, 5, 'V', 't', 'r', 'u', 'e'};
	static const uint8_t ready[] = {0, 0, 0, 1, 'R'};
	static const uint8_t empty[] = {0, 0, 0, 0, 'R'};
	static const uint8_t word[] = {0, 0, 0, 1, 'X'};
	static const uint8_t longer[] = {1, 1, 0, 1, 'V'};
	enum judge_word w;
	struct bytes text;

	eq_int(judge_take(bytes_of(value, sizeof value), &w, &text), 9,
	    "a value");
	ok(w == JUDGE_VALUE, "its kind");
	eq_bytes(text, bytes_cstr("true"), "its text");
	for (size_t i = 0; i < sizeof value; i++)
		eq_int(judge_take(bytes_of(value, i), &w, &text), 0,
		    "%zu bytes of it", i);
	ok(judge_take(bytes_of(ready, 5), &w, &text) == 5 && text.len == 0,
	    "a word without text");
	eq_int(judge_take(bytes_of(empty, 5), &w, &text), -1, "no word");
	eq_int(judge_take(bytes_of(word, 5), &w, &text), -1, "no such word");
	eq_int(judge_take(bytes_of(longer, 5), &w, &text), -1,
	    "more than any says");
}

int
main(void)
{
	buf_init(&mem, 1 << 20);
	test_allow();
	test_deny();
	test_unclear();
	test_lengths();
	test_message();
	test_question();
	test_look();
	test_denial();
	test_words();
	buf_reset(&mem);
	return test_done();
}
