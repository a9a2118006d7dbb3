/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/message.h"
#include "tests/unit/test.h"

static struct rpc m;
static struct error e;

static int
parse(const char *text)
{
	return message_parse(bytes_cstr(text), &m, &e);
}

static void
test_write(void)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\r\n\"params\":{"
	    "\"_meta\":{\"progressToken\":\"to\\nken\"}},\"id\":\"a\","
	    "\"method\":\"x\"}";
	struct message_edit edits[2];
	struct buf out;

	eq_int(parse(text), 0, "a message in two lines");
	edits[0] = (struct message_edit){m.id.text, bytes_cstr("12")};
	edits[1] = (struct message_edit){m.token.text, bytes_cstr("3")};
	buf_init(&out, sizeof text);
	eq_int(message_write(&out, m.text, edits, 2), 0, "is written again");
	eq_bytes(buf_bytes(&out), bytes_cstr("{\"jsonrpc\":\"2.0\",  "
	    "\"params\":{\"_meta\":{\"progressToken\":3}},\"id\":12,"
	    "\"method\":\"x\"}"), "in one, with the edits in any order");
	buf_reset(&out);
	buf_init(&out, 40);
	eq_int(message_write(&out, m.text, edits, 2), -1, "no room");
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
			eq_int(message_number(v, &number), -1, "none: %s",
			    rows[i].text);
		else
			ok(message_number(v, &number) == 0 &&
			    number == rows[i].number, "a number: %s",
			    rows[i].text);
	}
}

static void
test_revisions(void)
{
	ok(message_is_legacy(bytes_cstr("2025-03-26")), "2025-03-26 has sessions");
	ok(!message_is_legacy(bytes_cstr("2026-07-28")), "2026-07-28 has none");
	ok(!message_is_legacy(bytes_cstr("2025-03-27")), "no such revision");
	ok(message_is_modern(bytes_cstr("2026-07-28")), "2026-07-28 is modern");
	ok(message_is_modern(bytes_cstr("2027-01-01")), "so are later ones");
	ok(!message_is_modern(bytes_cstr("2026-07-27")), "not the day before");
	ok(!message_is_modern(bytes_cstr("3")), "not what is no date");
	ok(!message_is_modern(bytes_cstr("9999999999")), "nor other digits");
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
		r = message_decode_header(bytes_cstr(rows[i].value), &out);
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
	eq_int(message_write_error(&out, bytes_cstr("\"a\""), -32601, "no \"x\"",
	    "{\"b\":1}"), 0, "an error is written");
	eq_bytes(buf_bytes(&out), bytes_cstr("{\"jsonrpc\":\"2.0\",\"id\":"
	    "\"a\",\"error\":{\"code\":-32601,\"message\":\"no \\\"x\\\"\","
	    "\"data\":{\"b\":1}}}"), "as JSON");
	ok(message_parse(buf_bytes(&out), &m, &e) == 0 &&
	    message_error_code(&m) == -32601, "and its code is read again");
	buf_reset(&out);
}

static void
test_event_ids(void)
{
	static const char *const wrong[] = {
		"", "p", "p1", "1-1", "x1-1", "p-1", "p1-", "p4294967296-1",
		"p1-1 ", "p1-1-1", "p+1-1", "g1-18446744073709551616",
	};
	struct message_event_id id;
	struct buf out;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		eq_int(message_parse_event_id(bytes_cstr(wrong[i]), &id), -1,
		    "no id of an event: '%s'", wrong[i]);
	ok(message_parse_event_id(bytes_cstr("g7-18446744073709551615"), &id) ==
	    0 && id.kind == 'g' && id.stream == 7 && id.number == UINT64_MAX,
	    "one of a stream that GET opened");
	buf_init(&out, 64);
	eq_int(message_write_event_id(&out, &id), 0, "is written");
	eq_bytes(buf_bytes(&out), bytes_cstr("g7-18446744073709551615"),
	    "as it was read");
	buf_reset(&out);
}

static void
test_parse(void)
{
	static const char *const wrong[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\","
		    "\"params\":{\"_meta\":{\"progressToken\":[]}}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\","
		    "\"params\":{\"name\":\"a\",\"na\\u006de\":\"b\"}}",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		e.code = 0;
		eq_int(parse(wrong[i]), -1, "refused: %s", wrong[i]);
		eq_int(e.code, -32600, "its code");
		ok(m.id.kind == JSONR_NUMBER, "with the id to answer with");
	}
}

int
main(void)
{
	test_parse();
	test_write();
	test_number();
	test_revisions();
	test_headers();
	test_errors();
	test_event_ids();
	return test_done();
}
