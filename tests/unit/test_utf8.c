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

int
main(void)
{
	test_lengths();
	ok(utf8_is_valid(bytes_of("", 0)), "nothing is valid");
	ok(utf8_is_valid(bytes_of("a\0b", 3)), "NUL is a character");
	ok(utf8_is_valid(bytes_cstr("caf\xc3\xa9")), "two bytes");
	ok(!utf8_is_valid(bytes_cstr("caf\xe9")), "Latin-1 is not valid");
	ok(!utf8_is_valid(bytes_cstr("caf\xc3")), "nor is half a character");
	return test_done();
}
