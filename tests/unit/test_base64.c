/* SPDX-License-Identifier: ISC */
/* The vectors of RFC 4648 section 10, and what is none. */
#include "common/base64.h"

#include "tests/unit/test.h"

static void
check(const char *in, enum base64_kind kind, const char *want)
{
	struct buf out;
	int r;

	buf_init(&out, 64);
	r = base64_decode(bytes_cstr(in), kind, &out);
	if (want == NULL)
		eq_int(r, -1, "none: '%s'", in);
	else
		ok(r == 0 && bytes_eq(buf_bytes(&out), bytes_cstr(want)),
		    "'%s' is '%s'", in, want);
	buf_reset(&out);
}

static void
test_both(void)
{
	static const char *const rows[][2] = {
		{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
		{"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"}, {"+/+/", "\xfb\xff\xbf"},
		{"Z", NULL}, {"Zm9vY", NULL}, {"====", NULL}, {"Z===", NULL},
		{"Zm9*", NULL}, {"Zm=v", NULL}, {"Zm9v\n", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check(rows[i][0], BASE64_PADDED, rows[i][1]);
		check(rows[i][0], BASE64_ANY, rows[i][1]);
	}
}

static void
test_any(void)
{
	check("Zg", BASE64_ANY, "f");
	check("Zm8", BASE64_ANY, "fo");
	check("-_-_", BASE64_ANY, "\xfb\xff\xbf");
	check("Zg", BASE64_PADDED, NULL);
	check("-_-_", BASE64_PADDED, NULL);
}

static void
test_url(void)
{
	static const char *const none[] = {"Zg==", "Zm8=", "Zm9v=", "=",
	    "+/+/", "Zh", "Zj", "Zo", "Zv", "Zm9", "Zm-", "Z", "Zm9vY",
	    " Zg", "Zg\n", "Z g"};

	check("", BASE64_URL, "");
	check("Zg", BASE64_URL, "f");
	check("Zm8", BASE64_URL, "fo");
	check("Zm9v", BASE64_URL, "foo");
	check("-_-_", BASE64_URL, "\xfb\xff\xbf");
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		check(none[i], BASE64_URL, NULL);
	check("Zh", BASE64_ANY, "f");
}

static void
test_room(void)
{
	struct buf out;

	buf_init(&out, 2);
	eq_int(base64_decode(bytes_cstr("Zm8="), BASE64_PADDED, &out), 0,
	    "as much as there is room");
	buf_clear(&out);
	eq_int(base64_decode(bytes_cstr("Zm9v"), BASE64_PADDED, &out), -1,
	    "more");
	eq_int(errno, ENOBUFS, "is told");
	buf_reset(&out);
}

int
main(void)
{
	test_both();
	test_any();
	test_url();
	test_room();
	return test_done();
}
