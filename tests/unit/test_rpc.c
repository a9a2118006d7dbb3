/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/rpc.h"
#include "tests/unit/test.h"

static struct rpc m;
static struct error e;

static int
parse(const char *text)
{
	return rpc_parse(bytes_cstr(text), &m, &e);
}

static void
test_kinds(void)
{
	static const struct {
		const char *text;
		int kind; /* -1: e.code is code */
		int code;
	} rows[] = {
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
		    RPC_REQUEST, 0},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"x\"}", RPC_NOTIFICATION,
		    0},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}",
		    RPC_RESPONSE, 0},
		{"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}",
		    RPC_RESPONSE, 0},
		{" [1] ", RPC_BATCH, 0},
		{"", -1, -32700},
		{"{\"jsonrpc\":\"2.0\"", -1, -32700},
		{"true", -1, -32600},
		{"{\"id\":1,\"method\":\"ping\"}", -1, -32600},
		{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", -1,
		    -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1}", -1, -32600},
		{"{\"jsonrpc\":\"2.0\",\"result\":1}", -1, -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":1}",
		    -1, -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"x\"}", -1,
		    -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", -1, -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\","
		    "\"params\":{\"_meta\":{\"progressToken\":[]}}}", -1,
		    -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\","
		    "\"params\":{\"name\":\"a\",\"na\\u006de\":\"b\"}}", -1,
		    -32600},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		e.code = 0;
		if (rows[i].kind == -1) {
			ok(parse(rows[i].text) == -1, "refused: %s",
			    rows[i].text);
			eq_int(e.code, rows[i].code, "its code");
		} else {
			ok(parse(rows[i].text) == 0, "taken: %s",
			    rows[i].text);
			eq_int(m.kind, rows[i].kind, "its kind");
		}
	}
}

static void
test_limits(void)
{
	for (size_t len = RPC_ID_MAX - 1; len <= RPC_ID_MAX + 1; len++) {
		char text[RPC_ID_MAX + 100], id[RPC_ID_MAX + 2];

		memset(id, '1', len);
		id[len] = '\0';
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%s,"
		    "\"method\":\"x\"}", id);
		eq_int(parse(text), len <= RPC_ID_MAX ? 0 : -1,
		    "an id of %zu bytes", len);
		ok(m.id.text.len == (len <= RPC_ID_MAX ? len : 0),
		    "what is refused is not answered with");
	}
}

static void
test_write(void)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\r\n\"params\":{"
	    "\"_meta\":{\"progressToken\":\"to\\nken\"}},\"id\":\"a\","
	    "\"method\":\"x\"}";
	struct rpc_edit edits[2];
	struct buf out;

	eq_int(parse(text), 0, "a message in two lines");
	edits[0] = (struct rpc_edit){m.id.text, bytes_cstr("12")};
	edits[1] = (struct rpc_edit){m.token.text, bytes_cstr("3")};
	buf_init(&out, sizeof text);
	eq_int(rpc_write(&out, m.text, edits, 2), 0, "is written again");
	eq_bytes(buf_bytes(&out), bytes_cstr("{\"jsonrpc\":\"2.0\",  "
	    "\"params\":{\"_meta\":{\"progressToken\":3}},\"id\":12,"
	    "\"method\":\"x\"}"), "in one, with the edits in any order");
	buf_reset(&out);
	buf_init(&out, 40);
	eq_int(rpc_write(&out, m.text, edits, 2), -1, "no room");
	eq_int(errno, ENOBUFS, "is told");
	eq_int(buf_len(&out), 0, "and nothing is left of it");
	buf_reset(&out);
}

static void
test_number(void)
{
	static const struct {
		const char *text;
		enum jsonr_kind kind;
		int64_t number; /* -1: none */
	} rows[] = {
		{"1", JSONR_NUMBER, 1}, {"4294967295", JSONR_NUMBER,
		    4294967295}, {"4294967296", JSONR_NUMBER, -1},
		{"0", JSONR_NUMBER, -1}, {"01", JSONR_STRING, -1},
		{"1.0", JSONR_NUMBER, -1}, {"-1", JSONR_NUMBER, -1},
		{"1e1", JSONR_NUMBER, -1}, {"\"12\"", JSONR_STRING, 12},
		{"\"\"", JSONR_STRING, -1}, {"null", JSONR_NULL, -1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct jsonr v = {rows[i].kind, bytes_cstr(rows[i].text)};
		uint32_t number = 0;

		if (rows[i].number == -1)
			eq_int(rpc_number(v, &number), -1, "none: %s",
			    rows[i].text);
		else
			ok(rpc_number(v, &number) == 0 &&
			    number == rows[i].number, "a number: %s",
			    rows[i].text);
	}
}

static void
test_revisions(void)
{
	ok(rpc_is_legacy(bytes_cstr("2025-03-26")), "2025-03-26 has sessions");
	ok(!rpc_is_legacy(bytes_cstr("2026-07-28")), "2026-07-28 has none");
	ok(!rpc_is_legacy(bytes_cstr("2025-03-27")), "no such revision");
	ok(rpc_is_modern(bytes_cstr("2026-07-28")), "2026-07-28 is modern");
	ok(rpc_is_modern(bytes_cstr("2027-01-01")), "so are later ones");
	ok(!rpc_is_modern(bytes_cstr("2026-07-27")), "not the day before");
	ok(!rpc_is_modern(bytes_cstr("3")), "not what is no date");
	ok(!rpc_is_modern(bytes_cstr("9999999999")), "nor other digits");
}

static void
test_headers(void)
{
	static const struct {
		const char *value, *text; /* NULL: refused */
	} rows[] = {
		{"echo", "echo"}, {"", ""}, {"=?base64?ZWNobw==?=", "echo"},
		{"=?base64?ZWNob28=?=", "echoo"}, {"=?base64?YWJj?=", "abc"},
		{"=?base64?" "?=", ""}, {"=?base64?ZWNobw?=", NULL},
		{"=?base64?ZWN*bw==?=", NULL}, {"=?base64?====?=", NULL},
		{"=?BASE64?YWJj?=", "=?BASE64?YWJj?="},
		{"=?base64?YWJj", "=?base64?YWJj"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out;
		int r;

		buf_init(&out, 64);
		r = rpc_decode_header(bytes_cstr(rows[i].value), &out);
		if (rows[i].text == NULL)
			eq_int(r, -1, "refused: %s", rows[i].value);
		else
			ok(r == 0 && bytes_eq(buf_bytes(&out),
			    bytes_cstr(rows[i].text)), "decoded: %s",
			    rows[i].value);
		buf_reset(&out);
	}
}

static void
test_errors(void)
{
	struct buf out;

	buf_init(&out, 256);
	eq_int(rpc_write_error(&out, bytes_cstr("\"a\""), -32601, "no \"x\"",
	    "{\"b\":1}"), 0, "an error is written");
	eq_bytes(buf_bytes(&out), bytes_cstr("{\"jsonrpc\":\"2.0\",\"id\":"
	    "\"a\",\"error\":{\"code\":-32601,\"message\":\"no \\\"x\\\"\","
	    "\"data\":{\"b\":1}}}"), "as JSON");
	ok(rpc_parse(buf_bytes(&out), &m, &e) == 0 &&
	    rpc_error_code(&m) == -32601, "and its code is read again");
	buf_reset(&out);
}

static void
test_event_ids(void)
{
	static const char *const wrong[] = {
		"", "p", "p1", "1-1", "x1-1", "p-1", "p1-", "p4294967296-1",
		"p1-1 ", "p1-1-1", "p+1-1", "g1-18446744073709551616",
	};
	struct rpc_event_id id;
	struct buf out;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		eq_int(rpc_parse_event_id(bytes_cstr(wrong[i]), &id), -1,
		    "no id of an event: '%s'", wrong[i]);
	ok(rpc_parse_event_id(bytes_cstr("g7-18446744073709551615"), &id) ==
	    0 && id.kind == 'g' && id.stream == 7 && id.number == UINT64_MAX,
	    "one of a stream that GET opened");
	buf_init(&out, 64);
	eq_int(rpc_write_event_id(&out, &id), 0, "is written");
	eq_bytes(buf_bytes(&out), bytes_cstr("g7-18446744073709551615"),
	    "as it was read");
	buf_reset(&out);
}

int
main(void)
{
	test_event_ids();
	test_kinds();
	test_limits();
	test_write();
	test_number();
	test_revisions();
	test_headers();
	test_errors();
	return test_done();
}
