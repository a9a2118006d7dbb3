/* SPDX-License-Identifier: ISC */
/* JSON-RPC in lines: how they are cut, what a message may be, which ids are
 * the same. */
#include "cmd/sandbox-exec/rpc.h"

#include "cmd/sandbox-exec/mcp_text.h"
#include "common/str.h"
#include "tests/unit/test.h"

static void
test_cutting(void)
{
	static const char in[] = "one\ntwo\r\n\n\r\nlast";
	static const char *const want[] = {"one", "two", "", ""};

	for (size_t step = 1; step <= sizeof in; step++) {
		struct rpc_reader r;
		struct bytes line;
		size_t n = 0;
		bool right = true;

		rpc_reader_init(&r);
		for (size_t at = 0; at < sizeof in - 1; at += step) {
			size_t len = sizeof in - 1 - at;

			rpc_reader_add(&r, bytes_of(in + at, len < step ?
			    len : step));
			while (rpc_reader_next(&r, &line) == 1) {
				right = right && n < 4 && bytes_eq(line,
				    bytes_cstr(want[n]));
				n++;
			}
		}
		ok(right && n == 4, "lines are cut from %zu bytes each",
		    step);
		rpc_reader_done(&r);
	}
}

/* A line of len bytes, then one of two, added at once or in parts. */
static void
check_length(const uint8_t *mem, size_t len, size_t step, bool fits)
{
	struct rpc_reader r;
	struct bytes line;
	int first = 0;

	rpc_reader_init(&r);
	for (size_t at = 0; at < len && first == 0; at += step) {
		rpc_reader_add(&r, bytes_of(mem, len - at < step ? len - at :
		    step));
		first = rpc_reader_next(&r, &line);
	}
	rpc_reader_add(&r, bytes_cstr("\nok\n"));
	if (first == 0)
		first = rpc_reader_next(&r, &line);
	eq_int(first, fits ? 1 : -1, "a line of %zu bytes", len);
	eq_int(rpc_reader_next(&r, &line), 1, "the next one comes");
	ok(bytes_eq(line, bytes_cstr("ok")), "whole");
	eq_int(rpc_reader_next(&r, &line), 0, "and no other");
	rpc_reader_done(&r);
}

static void
test_limit(void)
{
	uint8_t *mem = calloc(1, RPC_LINE_MAX + 2);

	for (size_t step = 1 << 20; step <= RPC_LINE_MAX + 2; step *= 17) {
		check_length(mem, RPC_LINE_MAX - 1, step, true);
		check_length(mem, RPC_LINE_MAX, step, true);
		check_length(mem, RPC_LINE_MAX + 1, step, false);
	}
	free(mem);
}

static void
test_messages(void)
{
	static const struct {
		const char *line;
		int code; /* or the kind */
		const char *method;
	} cases[] = {
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
		    RPC_REQUEST, "ping"},
		{"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"a/b\","
		    "\"params\":{}}", RPC_REQUEST, "a/b"},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"n\"}", RPC_NOTIFICATION,
		    "n"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}", RPC_RESPONSE,
		    ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", RPC_RESPONSE,
		    ""},
		{"{", RPC_PARSE_ERROR, ""}, {"", RPC_PARSE_ERROR, ""},
		{"[]", RPC_INVALID_REQUEST, ""},
		{"1", RPC_INVALID_REQUEST, ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"n\"}",
		    RPC_INVALID_REQUEST, ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"n\"}",
		    RPC_INVALID_REQUEST, ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":1}", RPC_INVALID_REQUEST, ""},
		{"{\"id\":1,\"method\":\"n\"}", RPC_INVALID_REQUEST, ""},
		{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"n\"}",
		    RPC_INVALID_REQUEST, ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"n\","
		    "\"params\":null}", RPC_INVALID_REQUEST, ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"method\":\"n\"}",
		    RPC_INVALID_REQUEST, ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct test_guard g;
		struct bytes line = test_guard_new(&g,
		    bytes_cstr(cases[i].line));
		struct rpc m;
		struct error e;
		int r = rpc_parse(line, &m, &e);

		eq_int(r == 0 ? (int)m.kind : e.code, cases[i].code, "%s",
		    cases[i].line);
		eq_str(m.method, cases[i].method, "its method");
		for (size_t n = 0; n < line.len; n++) {
			if (rpc_parse(bytes_of(line.ptr, n), &m, &e) == 0)
				ok(false, "%zu bytes of it are no message", n);
		}
		test_guard_free(&g);
	}
}

static struct jsonr
json(const char *text)
{
	struct jsonr v;
	struct error e;

	jsonr_parse(bytes_cstr(text), &v, &e);
	return v;
}

static void
test_ids(void)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"1", "1", true}, {"1", "1.0", true}, {"10", "1e1", true},
		{"1", "2", false}, {"1", "\"1\"", false},
		{"\"a\"", "\"\\u0061\"", true}, {"\"a\"", "\"b\"", false},
		{"\"\"", "\"\"", true}, {"1.5", "1.5", true},
		{"1.5", "1.50", false}, {"\"/\"", "\"\\/\"", true},
		{"9223372036854775807", "9223372036854775806", false},
		{"12345678901234567890", "12345678901234567890", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		eq_int(rpc_id_eq(json(cases[i].a), json(cases[i].b)),
		    cases[i].same, "%s and %s", cases[i].a, cases[i].b);
		eq_int(rpc_id_eq(json(cases[i].b), json(cases[i].a)),
		    cases[i].same, "the other way round");
	}
	ok(!rpc_is_id(json("null")) && !rpc_is_id(json("true")) &&
	    !rpc_is_id(json("{}")), "others are no ids");
}

static void
test_answers(void)
{
	struct call_result r = {.is_error = true,
		.text = bytes_of("a\n\"\xff\0\x1f", 6)};
	struct jsonr none = {JSONR_ABSENT, {NULL, 0}};
	struct buf out;

	buf_init(&out, 1 << 16);
	mcp_add_result(&out, bytes_cstr("\"\\u0061\""), MCP_LEGACY, &r);
	ok(bytes_eq(buf_bytes(&out), bytes_cstr("{\"jsonrpc\":\"2.0\","
	    "\"id\":\"\\u0061\",\"result\":{\"content\":[{\"type\":\"text\","
	    "\"text\":\"a\\n\\\"\xef\xbf\xbd\\u0000\\u001f\"}],"
	    "\"isError\":true}}\n")), "a result is one line");
	buf_clear(&out);
	mcp_add_error(&out, bytes_of(NULL, 0), RPC_UNSUPPORTED_VERSION, "no",
	    json("\"x\""));
	ok(bytes_eq(buf_bytes(&out), bytes_cstr("{\"jsonrpc\":\"2.0\","
	    "\"id\":null,\"error\":{\"code\":-32022,\"message\":\"no\","
	    "\"data\":{\"supported\":[\"2026-07-28\",\"2025-11-25\","
	    "\"2025-06-18\"],\"requested\":\"x\"}}}\n")),
	    "so is an error");
	buf_clear(&out);
	mcp_add_progress(&out, bytes_cstr("7"), 500, bytes_of("x", 0));
	ok(bytes_eq(buf_bytes(&out), bytes_cstr("{\"jsonrpc\":\"2.0\","
	    "\"method\":\"notifications/progress\",\"params\":{"
	    "\"progressToken\":7,\"progress\":500}}\n")), "and progress");
	buf_reset(&out);
	buf_init(&out, 100);
	ok(mcp_add_tools(&out, bytes_cstr("1"), MCP_MODERN) != 0 &&
	    mcp_add_error(&out, bytes_cstr("1"), RPC_PARSE_ERROR, "", none) !=
	    0, "what does not fit is told");
	buf_reset(&out);
	eq_str(mcp_negotiate("2025-06-18"), "2025-06-18", "a known revision");
	eq_str(mcp_negotiate("2024-11-05"), "2025-11-25", "another one");
}

int
main(void)
{
	test_cutting();
	test_limit();
	test_messages();
	test_ids();
	test_answers();
	return test_done();
}
