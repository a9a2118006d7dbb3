/* SPDX-License-Identifier: ISC */
/* Regular expressions: what matches, what is refused, and that nothing takes
 * long. */
#include "cmd/sandbox-exec/regex.h"

#include <time.h>

#include "tests/unit/test.h"

static const struct {
	const char *pattern, *line;
	bool match;
} cases[] = {
	{"", "", true}, {"", "x", true}, {"a", "bab", true}, {"a", "b", false},
	{"abc", "xxabcxx", true}, {"abc", "xxabxcx", false},
	{"^a", "ab", true}, {"^a", "ba", false}, {"a$", "ba", true},
	{"a$", "ab", false}, {"^$", "", true}, {"^$", "x", false},
	{"\\Aab\\z", "ab", true}, {"a|b", "b", true}, {"a|", "x", true},
	{"^(a|bc|d)$", "bc", true}, {"^(a|bc|d)$", "b", false},
	{"^(?:a|b)+$", "abba", true}, {"^(?:a|b)+$", "abca", false},
	{"(?<name>a)b", "ab", true}, {"(?P<name>a)b", "ab", true},
	{"^a*$", "", true}, {"^a+$", "", false}, {"^a?b$", "b", true},
	{"^a{3}$", "aaa", true}, {"^a{3}$", "aaaa", false},
	{"^a{2,}$", "aaaa", true}, {"^a{2,}$", "a", false},
	{"^a{1,3}$", "aaa", true}, {"^a{1,3}$", "aaaa", false},
	{"^a{0}b$", "b", true}, {"a.*?b", "axxb", true}, {"a+?b", "aab", true},
	{"^.$", "\xc3\xa9", true}, {"^.$", "\xf0\x9f\x98\x80", true},
	{"^..$", "\xf0\x9f\x98\x80", false}, {"^.$", "\xff", true},
	{"^.$", "\xe2\x82", true}, {"^\xc3\xa9$", "\xc3\xa9", true},
	{".", "\r", false}, {"(?s).", "\r", true},
	{"\\d+", "a1", true}, {"\\d", "a", false}, {"\\D", "1", false},
	{"^\\w+$", "aZ_9", true}, {"^\\w$", "\xc3\xa9", false},
	{"\\W", "a_", false}, {"\\s", "a\tb", true}, {"\\s", "\xc2\xa0", true},
	{"\\S", " \t", false}, {"\\bfoo\\b", "a foo b", true},
	{"\\bfoo\\b", "afoo", false}, {"\\bfoo\\b", "foo", true},
	{"\\Boo", "foo", true}, {"\\Boo", "oo", false}, {"\\b", "", false},
	{"\\B", "", true}, {"\\b", "-", false}, {"x*\\b", "-", false},
	{"[abc]", "xbx", true}, {"[^abc]", "abc", false},
	{"[^abc]", "abcd", true}, {"[a-c]", "b", true}, {"[a-c]", "d", false},
	{"[\\w.-]+@", "a.b-c@", true}, {"[\\d]", "x5", true},
	{"[^\\s]", " \t", false}, {"[]", "x", false}, {"[^]", "x", true},
	{"[a-]", "-", true}, {"[-a]", "-", true}, {"[a-\\d]", "-", true},
	{"[\\]]", "]", true}, {"[.]", "x", false}, {"[\\b]", "\b", true},
	{"[[:alpha:]]+", "12a", true}, {"^[[:space:][:digit:]]+$", "1 2",
	true}, {"[^[:alpha:]]", "ab", false}, {"[[:x]", ":", true},
	{"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
	{"[\xf0\x9f\x98\x80]", "\xf0\x9f\x98\x80", true},
	{"a\\.b", "axb", false}, {"a\\.b", "a.b", true}, {"\\/", "/", true},
	{"\\-\\_\\<", "-_<", true}, {"\\t", "\t", true}, {"\\x41", "A", true},
	{"\\x{1F600}", "\xf0\x9f\x98\x80", true}, {"\\u00e9", "\xc3\xa9",
	true}, {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", true},
	{"\\u{e9}", "\xc3\xa9", true}, {"\\xg", "xg", true},
	{"\\cA", "\x01", true}, {"{", "{", true}, {"a{", "a{", true},
	{"a{,2}", "a{,2}", true}, {"x{a}", "x{a}", true}, {"}]", "}]", true},
	{"(?i)abc", "xABc", true}, {"(?i:a)b", "Ab", true},
	{"(?i:a)b", "AB", false}, {"(a(?i)b)c", "aBc", true},
	{"(a(?i)b)c", "aBC", false}, {"(?i)[a-c]", "B", true},
	{"(?i)[^a]", "A", false}, {"(?i)\xc3\xa9", "\xc3\x89", true},
	{"(?i)(?-i)a", "A", false}, {"(?im)^a", "A", true},
	{"()*a", "a", true}, {"(a*)*b", "aab", true}, {"(a|b)*c|d", "d",
	true}, {"(^a|b$)", "xb", true}, {"a^b", "ab", false},
	{"(^|x)b", "b", true}, {"(a|\\b)c", "-c", true},
	{"foo(?:bar)?baz", "foobaz", true}, {"^(([^:]+):)+$", "a:b:", true},
	{"import\\s+\\{?\\s*(\\w+)", "import  { x", true},
	{"function\\s*\\(", "function (", true}, {"$", "x", true},
	{"a$|^b", "bc", true}, {"\\0", "x", false},
};

static const struct {
	const char *pattern, *text;
} refused[] = {
	{"(", "unterminated group"}, {")", "unmatched ')'"},
	{"a)b", "unmatched ')'"}, {"(a", "unterminated group"},
	{"[", "unterminated character class"},
	{"[a", "unterminated character class"},
	{"[b-a]", "range out of order in a character class"},
	{"*", "nothing to repeat"}, {"a**", "nothing to repeat"},
	{"+a", "nothing to repeat"}, {"(?:?)", "nothing to repeat"},
	{"{2}", "nothing to repeat"}, {"a{2}{3}", "nothing to repeat"},
	{"^*", "nothing to repeat"}, {"\\b+", "nothing to repeat"},
	{"a{3,2}", "numbers out of order in a quantifier"},
	{"a{10001}", "repeated too often"},
	{"a{99999999999999999999}", "repeated too often"},
	{"\\", "\\ at the end of the pattern"},
	{"(a)\\1", "back-references are not supported"},
	{"\\k<a>", "back-references are not supported"},
	{"(?=a)", "look-around is not supported"},
	{"(?!a)", "look-around is not supported"},
	{"(?<=a)", "look-around is not supported"},
	{"(?<!a)", "look-around is not supported"},
	{"(?x)", "invalid group"}, {"(?", "invalid group"},
	{"(?<>a)", "invalid group name"}, {"(?<a", "invalid group name"},
	{"\\p{L}", "\\p{...} is not supported"},
	{"(a{255}){255}", "the pattern is too large"},
	{"(((){10000}){10000}){10000}", "the pattern is too large"},
	{"((((a{99}){99}){99}){99}){99}", "the pattern is too large"},
};

static void
test_cases(void)
{
	struct error e;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct regex *r = regex_new(bytes_cstr(cases[i].pattern), &e);
		struct test_guard g;
		struct bytes line = test_guard_new(&g,
		    bytes_cstr(cases[i].line)), literal;

		if (ok(r != NULL, "/%s/ is one", cases[i].pattern)) {
			eq_int(regex_match(r, line), cases[i].match,
			    "/%s/ on %zu", cases[i].pattern, i);
			literal = regex_literal(r);
			ok(!cases[i].match || literal.len == 0 ||
			    memmem(line.ptr, line.len, literal.ptr,
			    literal.len) != NULL, "it has its literal");
		}
		regex_free(r);
		test_guard_free(&g);
	}
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct regex *r = regex_new(bytes_cstr(refused[i].pattern),
		    &e);

		if (ok(r == NULL, "/%s/ is refused", refused[i].pattern))
			eq_str(e.text, refused[i].text, "with this text");
		regex_free(r);
	}
}

static void
test_literals(void)
{
	static const struct {
		const char *pattern, *literal;
	} literals[] = {
		{"abc", "abc"}, {"ab.cdfe?", "cdf"}, {"ab[xy]cdf", "cdf"},
		{"(?i)abc", ""}, {"abc|def", ""}, {"^abc$", "abc"},
		{"a\xc3\xa9+bc", "bc"}, {"\\bword\\b", "word"},
		{"fn\\s+main", "main"}, {"a{2}bcd", "bcd"},
	};
	struct error e;

	for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
		struct regex *r = regex_new(bytes_cstr(literals[i].pattern),
		    &e);

		ok(r != NULL && bytes_eq(regex_literal(r),
		    bytes_cstr(literals[i].literal)), "/%s/ needs '%s'",
		    literals[i].pattern, literals[i].literal);
		regex_free(r);
	}
}

/* At the limit, and one above. */
static void
test_limits(void)
{
	char *pattern = malloc(REGEX_PATTERN_MAX + 2);
	struct error e;
	struct regex *r;

	memset(pattern, '(', REGEX_NEST_MAX + 1);
	memset(pattern + REGEX_NEST_MAX + 1, ')', REGEX_NEST_MAX + 1);
	r = regex_new(bytes_of(pattern + 1, 2 * REGEX_NEST_MAX), &e);
	ok(r != NULL, "%d groups in each other are taken", REGEX_NEST_MAX);
	regex_free(r);
	r = regex_new(bytes_of(pattern, 2 * REGEX_NEST_MAX + 2), &e);
	ok(r == NULL, "one more is not");
	eq_str(e.text, "too many groups in each other", "with this text");
	memset(pattern, 'a', REGEX_PATTERN_MAX + 1);
	r = regex_new(bytes_of(pattern, REGEX_PROGRAM_MAX - 2), &e);
	ok(r != NULL, "a program of the largest size is taken");
	regex_free(r);
	r = regex_new(bytes_of(pattern, REGEX_PROGRAM_MAX), &e);
	ok(r == NULL, "a larger one is not");
	eq_str(e.text, "the pattern is too large", "with this text");
	r = regex_new(bytes_of(pattern, REGEX_PATTERN_MAX + 1), &e);
	ok(r == NULL, "nor a pattern that is too long");
	eq_str(e.text, "longer than 65536 bytes", "with this text");
	free(pattern);
}

/* What takes others for ever. */
static void
test_time(void)
{
	static const char *const patterns[] = {
		"^(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}", "(.*.*.*)x",
		"([a-z]+)*[0-9]",
		"(a|b)*a(a|b){12}c", "^(([a-z])+.)+[A-Z]([a-z])+$",
		"[ab]{0,900}c{0,900}[ab]{0,900}d",
	};
	char line[2001];
	struct error e;

	for (size_t i = 0; i < sizeof line; i++)
		line[i] = test_below(2) == 0 ? 'a' : 'b';
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		struct regex *r = regex_new(bytes_cstr(patterns[i]), &e);
		clock_t start = clock();

		if (r == NULL)
			continue;
		for (int j = 0; j < 10; j++)
			regex_match(r, bytes_of(line, 2000));
		start = clock() - start;
		ok(start < 4 * CLOCKS_PER_SEC, "/%s/ takes %d ms",
		    patterns[i], (int)(start * 1000 / CLOCKS_PER_SEC));
		regex_free(r);
	}
}

/* Rows of states that do not all fit. */
static void
test_forgetting(void)
{
	struct error e;
	struct regex *r = regex_new(bytes_cstr("(a|b)*a(a|b){200}c$"), &e);
	char line[20001];
	bool right = true;

	for (int i = 0; i < 20000; i++)
		line[i] = test_below(2) == 0 ? 'a' : 'b';
	line[20000] = 'c';
	for (int i = 0; i < 3 && r != NULL; i++) {
		bool want = line[20000 - 201] == 'a';

		right = right && regex_match(r, bytes_of(line, 20001)) == want;
		line[20000 - 201] = want ? 'b' : 'a';
	}
	ok(r != NULL && right, "states are forgotten and found again");
	regex_free(r);
}

int
main(void)
{
	test_cases();
	test_literals();
	test_limits();
	test_time();
	test_forgetting();
	return test_done();
}
