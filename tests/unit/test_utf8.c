/* SPDX-License-Identifier: ISC */
/* UTF-8: every form that is valid, and each kind that is not. */
#include "common/utf8.h"

#include "tests/unit/test.h"

static void
test_lengths(void)
{
	static const struct { const char *s; size_t len; } cases[] = {
		{"a", 1}, {"\x7f", 1}, {"\xc2\x80", 2}, {"\xdf\xbf", 2},
		{"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xef\xbf\xbf", 3},
		{"\xf0\x90\x80\x80", 4}, {"\xf4\x8f\xbf\xbf", 4},
		{"\x80", 0}, {"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 0},
		{"\xed\xa0\x80", 0}, {"\xf0\x8f\xbf\xbf", 0},
		{"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0},
		{"\xc2\x41", 0}, {"\xe1\x80\x41", 0}, {"\xff", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes in = bytes_cstr(cases[i].s);
		struct test_guard g;

		eq_int(utf8_len(in.ptr, in.len), cases[i].len, "case %zu", i);
		in = test_guard_new(&g, bytes_of(in.ptr, in.len - 1));
		ok(in.len == 0 || in.ptr[0] < 0x80 ||
		    utf8_len(in.ptr, in.len) == 0, "case %zu cut", i);
		test_guard_free(&g);
	}
}

/* How a browser's decoder takes broken bytes apart, and what it makes of good
 * ones. */
static void
test_taking(void)
{
	static const struct {
		const char *s;
		size_t len;
		uint32_t c;
	} cases[] = {
		{"a", 1, 'a'}, {"\xc3\xa9", 2, 0xe9},
		{"\xe2\x82\xac", 3, 0x20ac},
		{"\xf0\x9f\x98\x80", 4, 0x1f600},
		{"\xff" "a", 1, UTF8_INVALID}, {"\xc3" "a", 1, UTF8_INVALID},
		{"\xe2\x82" "a", 2, UTF8_INVALID}, {"\xe2\x82", 2, UTF8_INVALID},
		{"\xf0\x9f\x98", 3, UTF8_INVALID},
		{"\xed\xa0\x80", 1, UTF8_INVALID},
		{"\xf0\x80\x80\x80", 1, UTF8_INVALID},
		{"\x80", 1, UTF8_INVALID},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct test_guard g;
		struct bytes in = test_guard_new(&g, bytes_cstr(cases[i].s));
		uint8_t back[4];
		uint32_t c;

		eq_int(utf8_next(in, &c), cases[i].len, "case %zu", i);
		eq_int(c, cases[i].c, "its character");
		ok(c == UTF8_INVALID || (utf8_put(back, c) == in.len &&
		    memcmp(back, in.ptr, in.len) == 0), "and back");
		test_guard_free(&g);
	}
	eq_int(utf8_units(bytes_cstr("a\xc3\xa9\xf0\x9f\x98\x80\xff")), 5,
	    "UTF-16 units");
}

int
main(void)
{
	test_lengths();
	test_taking();
	ok(utf8_is_valid(bytes_of("", 0)), "nothing is valid");
	ok(utf8_is_valid(bytes_of("a\0b", 3)), "NUL is a character");
	ok(utf8_is_valid(bytes_cstr("caf\xc3\xa9")), "two bytes");
	ok(!utf8_is_valid(bytes_cstr("caf\xe9")), "Latin-1 is not valid");
	ok(!utf8_is_valid(bytes_cstr("caf\xc3")), "nor is half a character");
	ok(utf8_is_control(0) && utf8_is_control('\n') &&
	    utf8_is_control(0x7f) && utf8_is_control(0x9f), "controls");
	ok(utf8_is_control(0x202e) && utf8_is_control(0x2067) &&
	    utf8_is_control(0xfeff) && utf8_is_control(0xe0041) &&
	    utf8_is_control(UTF8_INVALID), "what is not seen");
	ok(!utf8_is_control(' ') && !utf8_is_control('~') &&
	    !utf8_is_control(0xa0) && !utf8_is_control(0x10ffff), "no others");
	return test_done();
}
