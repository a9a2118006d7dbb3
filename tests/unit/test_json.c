/* SPDX-License-Identifier: ISC */
/* The JSON reader's bounds and the writer's text, each with the other. */
#include "common/json.h"
#include "common/jsonw.h"
#include "tests/unit/test.h"

static void
test_parse(void)
{
	static const char *const good[] = {"{}", " [1] \n", "\"x\"", "0",
	    "true", "null", "{\"a\":{\"b\":[1,2]}}", "\"[[[[\\\"[[\""};
	static const char *const bad[] = {"", " ", "{", "{}{}", "{} x", "[1,]",
	    "{\"a\":}", "\"x", "tru", "{} {}", "]", "{\"a\" 1}", "\x01"};
	struct error e;
	jv v;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		e.text[0] = '\0';
		if (ok(json_parse(bytes_cstr(good[i]), &v, &e) == 0,
		    "'%s' %s", good[i], e.text))
			jv_free(v);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		e.text[0] = '\0';
		ok(json_parse(bytes_cstr(bad[i]), &v, &e) == -1 &&
		    e.text[0] != '\0', "bad %zu is refused: %s", i, e.text);
	}
	eq_int(json_parse_object(bytes_cstr("[]"), &v, &e), -1,
	    "an array is no object");
	eq_str(e.text, "JSON: not an object", "it says so");
}

static void
test_depth(void)
{
	char in[2 * JSON_DEPTH_MAX + 3];
	struct error e;
	jv v;

	for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1;
	    depth++) {
		memset(in, '[', depth);
		memset(in + depth, ']', depth);
		if (depth <= JSON_DEPTH_MAX) {
			eq_int(json_parse(bytes_of(in, 2 * depth), &v, &e), 0,
			    "nested %zu deep", depth);
			jv_free(v);
		} else {
			eq_int(json_parse(bytes_of(in, 2 * depth), &v, &e),
			    -1, "nested %zu deep is refused", depth);
		}
	}
}

static void
test_get(void)
{
	struct error e;
	char out[6];
	int64_t n = 5;
	jv v;

	json_parse(bytes_cstr("{\"s\":\"12345\",\"l\":\"123456\",\"z\":"
	    "\"a\\u0000b\",\"n\":7,\"f\":1.5,\"h\":1e300,\"x\":null,"
	    "\"m\":9223372036854775807,\"i\":-9223372036854775808}"), &v, &e);
	eq_int(json_get_str(v, "s", out, sizeof out, &e), 1, "a string");
	eq_str(out, "12345", "that just fits");
	eq_int(json_get_str(v, "l", out, sizeof out, &e), -1, "one too long");
	eq_int(json_get_str(v, "z", out, sizeof out, &e), -1, "a NUL inside");
	eq_int(json_get_str(v, "n", out, sizeof out, &e), -1, "no string");
	eq_str(e.text, "n: not a string", "says which");
	eq_int(json_get_str(v, "none", out, sizeof out, &e), 0, "absent");
	eq_str(out, "", "is empty");
	eq_int(json_get_str(v, "x", out, sizeof out, &e), 0, "null is absent");
	eq_int(json_get_int(v, "none", 0, 9, &n, &e), 0, "no number");
	eq_int(n, 5, "leaves the default");
	eq_int(json_get_int(v, "n", 0, 7, &n, &e), 1, "a number");
	eq_int(n, 7, "at its max");
	eq_int(json_get_int(v, "n", 8, 9, &n, &e), -1, "below min");
	eq_int(json_get_int(v, "n", 0, 6, &n, &e), -1, "above max");
	eq_int(json_get_int(v, "f", 0, 9, &n, &e), -1, "a fraction");
	eq_int(json_get_int(v, "s", 0, 9, &n, &e), -1, "a string");
	eq_int(json_get_int(v, "h", 0, INT64_MAX, &n, &e), -1, "1e300");
	eq_int(json_get_int(v, "m", 0, INT64_MAX, &n, &e), -1,
	    "2^63, which a double makes of the largest number");
	eq_int(json_get_int(v, "i", INT64_MIN, 0, &n, &e), 1, "the smallest");
	eq_int(n, INT64_MIN, "is exact");
	jv_free(v);
}

static void
test_write(void)
{
	struct jsonw w;
	struct buf b;

	buf_init(&b, 4096);
	jsonw_init(&w, &b);
	jsonw_open(&w, '{');
	jsonw_key_given(&w, "none", NULL);
	jsonw_key_given(&w, "empty", "");
	jsonw_key_str(&w, "s", "a\"\\\n\x01");
	jsonw_key_given(&w, "g", "\xff");
	jsonw_key_int(&w, "n", INT64_MIN);
	jsonw_key(&w, "a");
	jsonw_open(&w, '[');
	jsonw_null(&w);
	jsonw_bool(&w, true);
	jsonw_bool(&w, false);
	jsonw_str(&w, "ends in {");
	jsonw_str(&w, ":");
	jsonw_open(&w, '{');
	jsonw_close(&w, '}');
	jsonw_close(&w, ']');
	jsonw_close(&w, '}');
	ok(jsonw_ok(&w), "all fitted");
	eq_bytes(buf_bytes(&b), bytes_cstr("{\"s\":\"a\\\"\\\\\\n\\u0001\","
	    "\"g\":\"\xef\xbf\xbd\",\"n\":-9223372036854775808,\"a\":[null,true,false,"
	    "\"ends in {\",\":\",{}]}"), "commas where they belong");
	buf_clear(&b);
	jsonw_bytes(&w, bytes_of("a\xff\xc3\xbc\xed\xa0\x80\xf0\x9f", 9));
	eq_bytes(buf_bytes(&b), bytes_cstr("\"a\xef\xbf\xbd\xc3\xbc\xef\xbf"
	    "\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""),
	    "what is no UTF-8 is replaced");
	buf_clear(&b);
	jsonw_str(&w, "\xc2\x80\xc2\x9b" "2J\xc2\x9f\xc2\xa0\xc2");
	eq_bytes(buf_bytes(&b), bytes_cstr("\"\\u0080\\u009b2J\\u009f\xc2\xa0"
	    "\xef\xbf\xbd\""), "what a terminal would obey is escaped");
	buf_clear(&b);
	jsonw_open(&w, '{');
	jsonw_key_name(&w, "p", bytes_cstr("\xc3\xbc"));
	jsonw_key_name(&w, "q", bytes_cstr("\xfc\"b"));
	jsonw_close(&w, '}');
	eq_bytes(buf_bytes(&b), bytes_cstr("{\"p\":\"\xc3\xbc\",\"q\":"
	    "\"\xef\xbf\xbd\\\"b\",\"q_hex\":\"fc2262\"}"),
	    "and kept as hex where it is a name");
	buf_reset(&b);
}

/* Random bytes as a string: a reader gets the same text. */
static void
test_round_trip(void)
{
	int bad = 0;

	for (int round = 0; round < 3000; round++) {
		uint8_t in[64];
		size_t len = test_below(sizeof in);
		struct jsonw w;
		struct error e;
		struct buf b;
		jv v;

		for (size_t i = 0; i < len; i++)
			in[i] = (uint8_t)test_below(128);
		buf_init(&b, 4096);
		jsonw_init(&w, &b);
		jsonw_open(&w, '[');
		jsonw_bytes(&w, bytes_of(in, len));
		jsonw_close(&w, ']');
		if (json_parse(buf_bytes(&b), &v, &e) == 0) {
			jv s = jv_array_get(v, 0);

			bad += !bytes_eq(bytes_of(in, len),
			    bytes_of(jv_string_value(s),
			    (size_t)jv_string_length_bytes(jv_copy(s))));
			jv_free(s);
		} else {
			bad++;
		}
		buf_reset(&b);
	}
	eq_int(bad, 0, "what is written is read back");
}

static void
test_full(void)
{
	struct jsonw w;
	struct buf b;

	buf_init(&b, 10);
	jsonw_init(&w, &b);
	jsonw_str(&w, "12345678");
	ok(jsonw_ok(&w), "a buffer that is just full");
	jsonw_str(&w, "x");
	jsonw_null(&w);
	ok(!jsonw_ok(&w), "and then too full");
	eq_bytes(buf_bytes(&b), bytes_cstr("\"12345678\""), "stays as it was");
	buf_reset(&b);
}

int
main(void)
{
	test_parse();
	test_depth();
	test_get();
	test_write();
	test_round_trip();
	test_full();
	return test_done();
}
