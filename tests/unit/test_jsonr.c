/* SPDX-License-Identifier: ISC */
/* The JSON cursor: what it takes and refuses, at each prefix, and what it
 * finds inside. */
#include "common/jsonr.h"
#include "tests/unit/test.h"

static const char *const good[] = {"{}", " [1] \n", "\"x\"", "0", "-0",
    "true", "false", "null", "{\"a\":{\"b\":[1,2]}}", "\"[[[[\\\"[[\"",
    "[[],{},[{}]]", "-1.5e+10", "1E-2", "\"\\u00e9\\ud83d\\ude00\\/\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"",
    "{ \"a\" : 1 , \"b\" : [ ] }", "\"\\ud800\"", "\"\x7f\""};
static const char *const bad[] = {"", " ", "{", "{}{}", "{} x", "[1,]", "[,1]",
    "{\"a\":}", "{\"a\"}", "{a:1}", "{\"a\":1,}", "{,}", "\"x", "tru", "truee",
    "]", "}", "{\"a\" 1}", "\x01", "01", "1.", ".5", "+1", "-", "1e", "1e+",
    "NaN", "nan", "Infinity", "\"\\x\"", "\"\\u12g4\"", "\"\\u123\"",
    "\"a\nb\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
    "\"\xe2\x82\"", "\"\xff\"", "[1}", "{\"a\":1]", "[1 2]", "\xef\xbb\xbf{}",
    "'a'", "[1]]", "/**/1"};

static void
test_parse(void)
{
	struct error e;
	struct jsonr v;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		e.text[0] = '\0';
		eq_int(jsonr_parse(bytes_cstr(good[i]), &v, &e), 0,
		    "good %zu is taken: %s", i, e.text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e.text[0] = '\0';
		ok(jsonr_parse(bytes_cstr(bad[i]), &v, &e) == -1 &&
		    e.text[0] != '\0', "bad %zu is refused: %s", i, e.text);
	}
	jsonr_parse(bytes_cstr(" [1] \n"), &v, &e);
	eq_bytes(v.text, bytes_cstr("[1]"), "a value has no space around");
	eq_int(v.kind, JSONR_ARRAY, "and knows its kind");
	eq_int(jsonr_parse(bytes_of("0\0", 2), &v, &e), -1, "NUL is no space");
	eq_int(jsonr_parse_object(bytes_cstr("[]"), &v, &e), -1,
	    "an array is no object");
	eq_str(e.text, "no object", "it says so");
}

/* No strict prefix of a value that has an end of its own is a value. */
static void
test_prefixes(void)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		size_t len = strlen(good[i]);
		bool all = true;
		struct error e;
		struct jsonr v;

		if (good[i][0] != '{' && good[i][0] != '[' &&
		    good[i][0] != '"')
			continue;
		for (size_t n = 0; n < len; n++) {
			uint8_t *copy = malloc(n + 1);

			memcpy(copy, good[i], n);
			all = all && jsonr_parse(bytes_of(copy, n), &v,
			    &e) == -1;
			free(copy);
		}
		ok(all, "no prefix of good %zu is taken", i);
	}
}

static void
test_depth(void)
{
	char in[2 * JSONR_DEPTH_MAX + 3];
	struct error e;
	struct jsonr v;

	for (size_t depth = JSONR_DEPTH_MAX - 1; depth <= JSONR_DEPTH_MAX + 1;
	    depth++) {
		memset(in, '[', depth);
		memset(in + depth, ']', depth);
		eq_int(jsonr_parse(bytes_of(in, 2 * depth), &v, &e),
		    depth <= JSONR_DEPTH_MAX ? 0 : -1, "nested %zu deep",
		    depth);
	}
}

static void
test_iterate(void)
{
	struct jsonr v, key, value;
	struct jsonr_iter i;
	struct error e;

	jsonr_parse(bytes_cstr("{ \"a\" : [1, {\"x\":2}] ,\"b\":\"]\"}"), &v,
	    &e);
	jsonr_iter_init(&i, v);
	ok(jsonr_next(&i, &key, &value), "a first member");
	ok(jsonr_eq_str(key, "a"), "with its key");
	eq_bytes(value.text, bytes_cstr("[1, {\"x\":2}]"), "and its value");
	ok(jsonr_next(&i, NULL, &value), "a second");
	eq_bytes(value.text, bytes_cstr("\"]\""), "as it lies");
	ok(!jsonr_next(&i, &key, &value), "no third");
	jsonr_parse(bytes_cstr("[1, [] ]"), &v, &e);
	jsonr_iter_init(&i, v);
	ok(jsonr_next(&i, &key, &value), "a first element");
	eq_int(key.kind, JSONR_ABSENT, "has no key");
	ok(jsonr_next(&i, &key, &value), "an empty one");
	eq_int(value.kind, JSONR_ARRAY, "of its kind");
	ok(!jsonr_next(&i, &key, &value), "and the end");
	jsonr_iter_init(&i, value);
	ok(!jsonr_next(&i, &key, &value), "nothing in an empty array");
}

static void
test_strings(void)
{
	struct jsonr v;
	struct error e;
	struct buf b;

	buf_init(&b, 64);
	jsonr_parse(bytes_cstr("\"\\u00e9\\ud83d\\ude00\\/\\n\\ud800x\\udc00"
	    "\\u0000\""), &v, &e);
	eq_int(jsonr_add_str(v, &b), 0, "escapes");
	eq_bytes(buf_bytes(&b), bytes_of("\xc3\xa9\xf0\x9f\x98\x80/\n"
	    "\xef\xbf\xbdx\xef\xbf\xbd\0", 16), "become UTF-8, half a pair "
	    "U+FFFD");
	buf_reset(&b);
	buf_init(&b, 3);
	jsonr_parse(bytes_cstr("\"abcd\""), &v, &e);
	eq_int(jsonr_add_str(v, &b), -1, "a string too large for its buffer");
	eq_int(errno, ENOBUFS, "says so");
	buf_reset(&b);
	jsonr_parse(bytes_cstr("\"\\u006dethod\""), &v, &e);
	ok(jsonr_eq_str(v, "method"), "escapes do not hide a name");
	ok(!jsonr_eq_str(v, "metho"), "a prefix is not equal");
	ok(!jsonr_eq_str(v, "methods"), "nor is a longer one");
	jsonr_parse(bytes_cstr("\"\""), &v, &e);
	ok(jsonr_eq_str(v, ""), "the empty string");
}

static void
test_numbers(void)
{
	static const struct {
		const char *text;
		int64_t value;
	} whole[] = {
		{"0", 0}, {"-0", 0}, {"7", 7}, {"-12", -12}, {"1e5", 100000},
		{"1.50e2", 150}, {"2.0", 2}, {"120e-1", 12}, {"0e999", 0},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
	};
	static const char *const none[] = {"1.5", "1.05", "1e-1", "1e19",
	    "1e999999999", "9223372036854775808", "-9223372036854775809", "\"1\"", "null"};
	struct error e;
	struct jsonr v;
	int64_t n;

	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
		n = 77;
		jsonr_parse(bytes_cstr(whole[i].text), &v, &e);
		eq_int(jsonr_int(v, INT64_MIN, INT64_MAX, &n), 0, "%s is whole",
		    whole[i].text);
		eq_int(n, whole[i].value, "and read as it is");
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		n = 77;
		jsonr_parse(bytes_cstr(none[i]), &v, &e);
		eq_int(jsonr_int(v, INT64_MIN, INT64_MAX, &n), -1, "%s is not",
		    none[i]);
		eq_int(n, 77, "and nothing is written");
	}
}

static void
test_trunc(void)
{
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {{"1.5", 1}, {"-1.5", -1}, {"-0.5", 0}, {"0.999", 0},
	    {"15e-1", 1}, {"1e-500", 0}, {"2", 2}, {"1.25e1", 12},
	    {"9223372036854775807.9", INT64_MAX}};
	static const char *const none[] = {"9223372036854775808.5", "1e400",
	    "1e19", "\"1\"", "null", "-11", "-10e0"};
	struct jsonr v;
	struct error e;
	int64_t n;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		n = 77;
		jsonr_parse(bytes_cstr(rows[i].text), &v, &e);
		eq_int(jsonr_trunc(v, -9, INT64_MAX, &n), 0, "%s is a number",
		    rows[i].text);
		eq_int(n, rows[i].value, "of which the whole part is read");
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		n = 77;
		jsonr_parse(bytes_cstr(none[i]), &v, &e);
		eq_int(jsonr_trunc(v, -9, INT64_MAX, &n), -1,
		    "%s is none in the range", none[i]);
		eq_int(n, 77, "and nothing is written");
	}
}

static void
test_get(void)
{
	char out[6];
	int64_t n = 5;
	bool flag = true;
	struct jsonr v, m;
	struct error e;

	jsonr_parse(bytes_cstr("{\"s\":\"12345\",\"l\":\"123456\",\"z\":"
	    "\"a\\u0000b\",\"n\":7,\"x\":null,\"b\":false,\"d\":1,"
	    "\"\\u0064\":2}"), &v, &e);
	eq_int(jsonr_get(v, "n", &m, &e), 1, "a member");
	eq_bytes(m.text, bytes_cstr("7"), "is found");
	eq_int(jsonr_get(v, "none", &m, &e), 0, "another is not");
	eq_int(m.kind, JSONR_ABSENT, "and is no value");
	eq_int(jsonr_get(v, "d", &m, &e), -1, "one that is given twice");
	eq_str(e.text, "d: given twice", "is an error, however it is spelt");
	eq_int(jsonr_get(m, "d", &m, &e), 0, "nothing is in what is no object");
	eq_int(jsonr_get_str(v, "s", out, sizeof out, &e), 1, "a string");
	eq_str(out, "12345", "that just fits");
	eq_int(jsonr_get_str(v, "l", out, sizeof out, &e), -1, "one too long");
	eq_str(e.text, "l: too long", "says so");
	eq_str(out, "", "and is not there");
	eq_int(jsonr_get_str(v, "z", out, sizeof out, &e), -1, "a NUL inside");
	eq_str(e.text, "z: a NUL inside", "says so");
	eq_int(jsonr_get_str(v, "n", out, sizeof out, &e), -1, "no string");
	eq_str(e.text, "n: no string", "says which");
	eq_int(jsonr_get_str(v, "x", out, sizeof out, &e), 0, "null is absent");
	eq_int(jsonr_get_int(v, "none", 0, 9, &n, &e), 0, "no number");
	eq_int(n, 5, "leaves the default");
	eq_int(jsonr_get_int(v, "n", 0, 7, &n, &e), 1, "a number");
	eq_int(n, 7, "at its max");
	eq_int(jsonr_get_int(v, "n", 8, 9, &n, &e), -1, "below min");
	eq_str(e.text, "n: not a whole number from 8 to 9", "says the range");
	eq_int(jsonr_get_bool(v, "b", &flag, &e), 1, "a truth value");
	eq_int(flag, false, "which is false");
	eq_int(jsonr_get_bool(v, "n", &flag, &e), -1, "a number is none");
	eq_int(jsonr_get_bool(v, "x", &flag, &e), 0, "null is absent too");
}

int
main(void)
{
	test_parse();
	test_prefixes();
	test_depth();
	test_iterate();
	test_strings();
	test_numbers();
	test_trunc();
	test_get();
	return test_done();
}
