/* SPDX-License-Identifier: ISC */
/* What --mcp says is one line of JSON each. */
#include "cmd/sandbox-exec/mcp_text.h"

#include "tests/unit/test.h"

static struct jsonr
json(const char *text)
{
	struct jsonr v;
	struct error e;

	jsonr_parse(bytes_cstr(text), &v, &e);
	return v;
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
	test_answers();
	return test_done();
}
