/* SPDX-License-Identifier: ISC */
/* Output as text: control sequences, bytes that are no UTF-8, and the part
 * that is kept, however the bytes are cut. */
#include "cmd/sandbox-exec/tailtext.h"
#include "tests/unit/test.h"

#define BAD "\xef\xbf\xbd"

/* What becomes of in when it comes in pieces of so many bytes. */
static struct bytes
pass(struct tailtext *t, struct bytes in, size_t piece)
{
	tailtext_clear(t);
	while (in.len != 0) {
		size_t n = piece < in.len ? piece : in.len;

		tailtext_add(t, bytes_of(in.ptr, n));
		in = bytes_after(in, n);
	}
	return tailtext_finish(t);
}

static void
check_text(struct tailtext *t)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"", ""},
		{"a\n\n\n", "a"},
		{"\n\na", "\n\na"},
		{"a\r\n", "a\r"},
		{"a\033[31mb\033[0mc", "abc"},
		{"\033[1;2;3H\033[?25l\033[2 q|", "|"},
		{"\033[4@x\033[~y", "xy"},
		{"\033]0;title\a", "\033]0;title\a"},
		{"\033", "\033"},
		{"\033[", "\033["},
		{"\033[12", "\033[12"},
		{"\033[1\nx", "\033[1\nx"},
		{"\033\033[1mx", "\033x"},
		{"\033[\033[1mx", "\033[x"},
		{"\033[\303\251", "\033[\303\251"},
		{"\303\251\342\202\254\360\237\230\200",
		    "\303\251\342\202\254\360\237\230\200"},
		{"a\377b", "a" BAD "b"},
		{"\300\257", BAD BAD},
		{"\342\202", BAD},
		{"\342\202x", BAD "x"},
		{"\342\202\303\251", BAD "\303\251"},
		{"\355\240\200", BAD BAD BAD},
		{"\364\220\200\200", BAD BAD BAD BAD},
		{"\360\237\230", BAD},
		{"\303\033[1m\251", BAD BAD},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes in = bytes_cstr(cases[i].in);

		for (size_t piece = 1; piece <= 5; piece++)
			eq_bytes(pass(t, in, piece),
			    bytes_cstr(cases[i].want), "text %zu in pieces "
			    "of %zu", i, piece);
	}
	eq_bytes(pass(t, bytes_of("a\0b", 3), 1), bytes_of("a\0b", 3),
	    "a NUL stays");
}

static void
check_long_csi(struct tailtext *t)
{
	char in[TAILTEXT_CSI_MAX + 3] = "\033[";

	for (size_t n = TAILTEXT_CSI_MAX - 1; n <= TAILTEXT_CSI_MAX + 1; n++) {
		memset(in + 2, '1', n - 2);
		in[n] = 'm';
		eq_int(pass(t, bytes_of(in, n + 1), 7).len,
		    n <= TAILTEXT_CSI_MAX ? 0 : n + 1,
		    "a sequence of %zu bytes before its last", n);
	}
}

/* count times the character c, and then some. */
static void
check_kept(struct tailtext *t, const char *c, size_t count, const char *end,
    size_t want_chars, bool truncated)
{
	struct bytes got, one = bytes_cstr(c);

	tailtext_clear(t);
	for (size_t i = 0; i < count; i++)
		tailtext_add(t, one);
	tailtext_add(t, bytes_cstr(end));
	got = tailtext_finish(t);
	eq_int(got.len, want_chars * one.len + strlen(end),
	    "of %zu characters of %zu bytes and '%s' %zu are kept", count,
	    one.len, end, want_chars);
	eq_int(t->truncated, truncated, "and it says %s", truncated ?
	    "that some are missing" : "nothing");
	ok(got.len < one.len || memcmp(got.ptr, c, one.len) == 0,
	    "it begins with a whole character");
}

static void
check_limit(struct tailtext *t)
{
	const size_t n = TAILTEXT_UNITS;

	check_kept(t, "x", n - 1, "", n - 1, false);
	check_kept(t, "x", n, "", n, false);
	check_kept(t, "x", n + 1, "", n, true);
	check_kept(t, "x", 5 * n, "end", n - 3, true);
	check_kept(t, "\342\202\254", n, "", n, false);
	check_kept(t, "\342\202\254", 3 * n, "e", n - 1, true);
	check_kept(t, "\360\237\230\200", n / 2, "", n / 2, false);
	check_kept(t, "\360\237\230\200", n / 2, "e", n / 2 - 1, true);
	check_kept(t, "\360\237\230\200", 2 * n, "", n / 2, true);
	check_kept(t, "\377", 0, "", 0, false);
}

static void
check_repair(void)
{
	struct buf out;

	buf_init(&out, 16);
	ok(tailtext_repair(bytes_cstr("a\377\303\251\303"), &out) == 0,
	    "bad bytes are repaired");
	eq_bytes(buf_bytes(&out), bytes_cstr("a" BAD "\303\251" BAD),
	    "each on its own");
	buf_clear(&out);
	eq_int(tailtext_repair(bytes_cstr("\377\377\377\377\377\377"), &out),
	    -1, "as far as there is room");
	buf_reset(&out);
}

int
main(void)
{
	struct tailtext t;

	tailtext_init(&t);
	check_text(&t);
	check_long_csi(&t);
	check_limit(&t);
	check_repair();
	tailtext_done(&t);
	return test_done();
}
