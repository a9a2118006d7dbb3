/* SPDX-License-Identifier: ISC */
/* What lists of patterns allow, which URIs may be held against them, and which
 * messages all readers read the same. */
#include "cmd/mcp-proxy/rules.h"

#include "cmd/mcp-proxy/strict.h"
#include "tests/unit/test.h"

static void
test_match(void)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} rows[] = {
		{"", "", true}, {"", "a", false}, {"a", "a", true},
		{"a", "A", false}, {"a", "aa", false}, {"*", "", true},
		{"*", "anything/at*all", true}, {"get_*", "get_", true},
		{"get_*", "get_x", true}, {"get_*", "forget_x", false},
		{"*_x", "a_x_x", true}, {"*_x", "a_x_", false},
		{"a*b*c", "abc", true}, {"a*b*c", "axbxbxc", true},
		{"a*b*c", "acb", false}, {"**", "", true},
		{"a**b", "ab", true}, {"?", "a", false}, {"?", "?", true},
		{"[a]", "a", false}, {"*a", "aaaaaaaaaaaaaaaaaaab", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		eq_int(rules_match(rows[i].pattern, bytes_cstr(rows[i].name)),
		    rows[i].matches, "'%s' and '%s'", rows[i].pattern,
		    rows[i].name);
	ok(!rules_match("a", bytes_of("a\0b", 3)), "a NUL is a byte");
	ok(rules_match("a*b", bytes_of("a\0b", 3)), "which a star matches");
}

static bool
allow(const char *const *list, const char *name)
{
	char *copy[8] = {NULL};

	/* The list of a configuration is writable. */
	for (size_t i = 0; list[i] != NULL; i++)
		copy[i] = strdup(list[i]);
	bool r = rules_allow(copy, bytes_cstr(name));

	for (size_t i = 0; copy[i] != NULL; i++)
		free(copy[i]);
	return r;
}

static void
test_lists(void)
{
	static const char *const some[] = {"get_*", "!get_secret", "put", NULL};
	static const char *const first[] = {"!get_secret", "get_*", NULL};
	static const char *const but[] = {"!rm*", "!kill", NULL};
	static const char *const none[] = {NULL};

	ok(rules_allow(NULL, bytes_cstr("x")), "no list allows all");
	ok(!allow(none, "x"), "an empty list allows nothing");
	ok(allow(some, "get_a") && allow(some, "put"), "what matches");
	ok(!allow(some, "other"), "and nothing else");
	ok(!allow(some, "get_secret"), "but what is taken out again");
	ok(!allow(first, "get_secret") && allow(first, "get_a"),
	    "in any order");
	ok(allow(but, "x") && !allow(but, "rmdir") && !allow(but, "kill"),
	    "a list that only takes out allows the rest");
}

static void
test_uris(void)
{
	static const char *const plain[] = {
		"file:///srv/docs/a.txt", "file:///srv/docs/", "file:///",
		"https://example.com", "https://example.com/a?x=../%3D#y",
		"https://example.com/a?//x/#", "a:b?...",
		"memo:1", "screen://localhost/Display1", "a:b/c",
		"file:///a%20b", "file:///%C3%A4", "file:///a...b/..c",
		"file:///srv/{path}", "note://caf\xc3\xa9/x", "urn:isbn:1",
	};
	static const char *const other[] = {
		"", "docs", "/srv/docs", ":x", "file:///srv/../etc",
		"file:///srv/..", "file:///srv/.", "file:///./srv",
		"file:///srv//x", "file:////srv", "FILE:///srv",
		"https://Example.com/", "file:///s%72v", "file:///srv%2fx",
		"file:///srv%2Fx", "file:///%2E%2E/etc", "file:///a%c3",
		"file:///srv\\x", "file:///srv%5Cx", "file:///a b",
		"file:///a\tb", "file:///a\x7f", "file:///a%", "file:///a%2",
		"file:///a%zz", "file:///%00", "file:///a%0A", "file:..",
		"https://example.com/a?x=%2F", "file:///srv/a?/../../etc/passwd",
		"file:///srv/a#/../b", "file:///srv/a?x/..", "file:///srv/a?.",
		"file:///srv/a?x?..#y", "file:///srv/a#..",
	};

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		ok(rules_is_plain(bytes_cstr(plain[i])), "plain: %s", plain[i]);
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		ok(!rules_is_plain(bytes_cstr(other[i])), "not plain: '%s'",
		    other[i]);
	ok(!rules_is_plain(bytes_of("a:b\0c", 5)), "not plain: a NUL");
}

static void
test_goes_up(void)
{
	static const char *const up[] = {
		"/..", "/../a", "/a/..", "/a/../b?c", "/%2e%2E/", "/.%2e",
		"/a%2f..%2Fb", "/..\\a", "/%5c..%5C", "/..;x/a", "/..;", "..",
	};
	static const char *const stays[] = {
		"/", "", "*", "/.", "/...", "/..a", "/a..", "/a?/../", "/;../a",
		"/.;./", "/%2", "/%zz..", "/..%", "/a;/..b",
	};

	for (size_t i = 0; i < sizeof up / sizeof *up; i++)
		ok(rules_goes_up(bytes_cstr(up[i])), "up: %s", up[i]);
	for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
		ok(!rules_goes_up(bytes_cstr(stays[i])), "stays: '%s'",
		    stays[i]);
}

static int
check(const char *text)
{
	struct error e;
	struct jsonr v;

	if (jsonr_parse(bytes_cstr(text), &v, &e) != 0)
		return -2;
	return strict_check(v, &e);
}

static void
test_strict(void)
{
	static const char *const good[] = {
		"{}", "[]", "1", "\"x\"", "{\"a\":1,\"b\":{\"a\":1}}",
		"[{\"a\":1},{\"a\":1}]", "{\"a\":[{\"b\":1},{\"b\":2}]}",
		"{\"method\":1,\"params\":{\"arguments\":{\"Name\":1,\"METHOD\":3}}}",
		"{\"a\":\"\\\"b\\\":1,\",\"b\":1}", "{\"X\":1,\"x\":2}",
		"[{\"method\":\"m\",\"params\":{\"arguments\":{\"Id\":1}}}]",
		"{\"result\":{\"request_id\":1,\"Name\":2,\"\\u0000\":3}}",
		"{\"params\":{\"ID\":1,\"Error\":2,\"Type\":3}}",
		"{\"params\":{\"meta\":2,\"a\":{\"n\\u0000\":1}}}",
	};
	static const char *const bad[] = {
		"{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":1}",
		"{\"x\":{\"y\":{\"a\":1,\"b\":2,\"a\":3}}}",
		"[[{\"a\":1,\"a\":1}]]", "{\"\":1,\"\":1}",
		"{\"\\ud800\":1,\"\\ud801\":1}",
		"{\"Method\":\"m\"}", "{\"method\":\"m\",\"METHOD\":\"n\"}",
		"{\"param\xc5\xbf\":1}", "{\"params\":{\"Name\":1}}",
		"{\"params\":{\"name\":1,\"\\u006eAme\":1}}",
		"{\"ta\xc5\xbf\xe2\x84\xaaId\":1}",
		"[{\"Method\":\"m\"}]", "[{\"params\":{\"URI\":1}}]",
		"{\"a\":{\"b\":1,\"c\":{\"d\":1}},\"a\":2}",
		"{\"method\\u0000\":\"m\"}", "{\"params\":{\"name\\u0000x\":1}}",
		"{\"m\\ud800\":1}", "{\"params\":{\"request_id\":1}}",
		"{\"params\":{\"resource_Subscriptions\":1}}",
		"{\"par_am_s\":1}", "{\"\304\261d\":1}",
		"{\"params\":{\"ur\xc4\xb0\":1}}", "{\"params\":{\"_Meta\":1}}",
		"{\"params\":{},\"result\":{},\"i_d\":1}",
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		eq_int(check(good[i]), 0, "one meaning: %s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		eq_int(check(bad[i]), -1, "two meanings: %s", bad[i]);
}

/* What strict_get finds of x: 1, 0, -1; more: the number that it is. */
static int
get(const char *text)
{
	struct error e;
	struct jsonr v, x;
	int64_t n = 0;
	int r;

	if (jsonr_parse(bytes_cstr(text), &v, &e) != 0)
		return -2;
	r = strict_get(v, "taskId", &x, &e);
	return r == 1 && jsonr_int(x, 2, 9, &n) == 0 ? (int)n : r;
}

static void
test_get(void)
{
	eq_int(get("{\"taskId\":7}"), 7, "it is there");
	eq_int(get("{\"t\\u0061skId\":7,\"x\":1}"), 7, "with an escape");
	eq_int(get("{\"x\":1}"), 0, "it is not");
	eq_int(get("[1]"), 0, "no object");
	eq_int(get("{\"taskId\":7,\"taskId\":7}"), -1, "twice");
	eq_int(get("{\"taskId\":7,\"task_id\":7}"), -1, "with another like it");
	eq_int(get("{\"TASKID\":7}"), -1, "only another like it");
	eq_int(get("{\"taskId\":7,\"taskId\\u0000\":7}"), -1, "and a NUL");
	ok(strict_is_clear(bytes_cstr("a\xef\xbf\xbc")) &&
	    strict_is_clear(bytes_of(NULL, 0)), "clear");
	ok(!strict_is_clear(bytes_of("a\0", 2)) &&
	    !strict_is_clear(bytes_cstr("\xef\xbf\xbd")), "not clear");
}

/* Many names, and objects as deep as may be. */
static void
test_many(void)
{
	struct buf b;
	struct error e;
	struct jsonr v;

	buf_init(&b, 8 << 20);
	buf_add_str(&b, "{\"first\":0");
	for (int i = 0; i < 100000; i++)
		buf_format(&b, ",\"k%d\":0", i);
	buf_add_str(&b, "}");
	ok(jsonr_parse(buf_bytes(&b), &v, &e) == 0 && strict_check(v, &e) == 0,
	    "100000 names");
	b.tail--;
	buf_add_str(&b, ",\"k77\":0}");
	ok(jsonr_parse(buf_bytes(&b), &v, &e) == 0 &&
	    strict_check(v, &e) == -1, "one of them again");
	buf_clear(&b);
	for (int i = 0; i < JSONR_DEPTH_MAX; i++)
		buf_add_str(&b, "{\"a\":");
	buf_add_str(&b, "1");
	for (int i = 0; i < JSONR_DEPTH_MAX; i++)
		buf_add_str(&b, "}");
	ok(jsonr_parse(buf_bytes(&b), &v, &e) == 0 && strict_check(v, &e) == 0,
	    "the deepest object");
	buf_reset(&b);
}

int
main(void)
{
	test_match();
	test_lists();
	test_uris();
	test_goes_up();
	test_strict();
	test_get();
	test_many();
	return test_done();
}
