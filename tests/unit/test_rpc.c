/* SPDX-License-Identifier: ISC */
/* What a message may be, and which ids are the same. */
#include "common/rpc.h"

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
		{"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"a/b\","
		    "\"params\":{}}", RPC_REQUEST, 0},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}",
		    RPC_RESPONSE, 0},
		{"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"n\"}", -1,
		    -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"n\"}", -1,
		    -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"n\","
		    "\"params\":null}", -1, -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,"
		    "\"method\":\"n\"}", -1, -32600},
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
test_prefixes(void)
{
	struct test_guard g;
	struct bytes text = test_guard_new(&g, bytes_cstr("{\"jsonrpc\":"
	    "\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{}}"));

	for (size_t n = 0; n < text.len; n++) {
		eq_int(rpc_parse(bytes_of(text.ptr, n), &m, &e), -1,
		    "%zu bytes are no message", n);
		eq_int(e.code, RPC_PARSE_ERROR, "its code");
	}
	eq_int(rpc_parse(text, &m, &e), 0, "all are");
	ok(rpc_is(&m, "a") && !rpc_is(&m, "b"), "its method");
	test_guard_free(&g);
}

/* What is refused is answered with its id, if that is one and the only
 * one. */
static void
test_ids_of_errors(void)
{
	static const struct {
		const char *text, *id;
	} rows[] = {
		{"{\"id\":1,\"method\":\"n\"}", "1"},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"method\":\"n\","
		    "\"id\":\"x\"}", "\"x\""},
		{"{\"id\":1,\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"n\"}",
		    ""},
		{"{\"id\":[],\"method\":\"n\"}", ""},
		{"{\"id\":null,\"jsonrpc\":\"2.0\",\"method\":\"n\"}", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		eq_int(parse(rows[i].text), -1, "refused: %s", rows[i].text);
		ok(bytes_eq(m.id.text, bytes_cstr(rows[i].id)), "its id");
	}
}

static void
test_look(void)
{
	static const char *const wrong[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\","
		    "\"params\":{\"_meta\":{\"progressToken\":[]}}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\","
		    "\"params\":{\"name\":\"a\",\"na\\u006de\":\"b\"}}",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		e.code = 0;
		eq_int(parse(wrong[i]) == 0 ?
		    rpc_look(&m, &e) : 0, -1, "refused: %s", wrong[i]);
		eq_int(e.code, -32600, "its code");
		ok(m.id.kind == JSONR_NUMBER, "with the id to answer with");
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

static struct jsonr
json(const char *text)
{
	struct jsonr v;
	struct error ignored;

	jsonr_parse(bytes_cstr(text), &v, &ignored);
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

int
main(void)
{
	test_kinds();
	test_prefixes();
	test_ids_of_errors();
	test_look();
	test_limits();
	test_ids();
	return test_done();
}
