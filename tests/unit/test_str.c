/* SPDX-License-Identifier: ISC */
/* str, error and diag_quote: text that must fit, or say that it does not. */
#include "common/diag.h"
#include "common/error.h"
#include "common/str.h"
#include "tests/unit/test.h"

static void
test_format(void)
{
	char out[6];

	eq_int(str_format(out, sizeof out, "%d", 12345), 0, "it just fits");
	eq_str(out, "12345", "whole");
	errno = 0;
	eq_int(str_format(out, sizeof out, "%d", 123456), -1, "one too many");
	eq_int(errno, ENAMETOOLONG, "ENAMETOOLONG");
	eq_str(out, "12345", "out has the cut text");
}

static void
test_from_bytes(void)
{
	char out[4] = "???";

	eq_int(str_from_bytes(out, sizeof out, bytes_of("abc", 3)), 0, "fits");
	eq_str(out, "abc", "the text");
	errno = 0;
	eq_int(str_from_bytes(out, sizeof out, bytes_of("abcd", 4)), -1,
	    "does not");
	ok(errno == ENAMETOOLONG && out[0] == '\0', "ENAMETOOLONG, and empty");
	errno = 0;
	eq_int(str_from_bytes(out, sizeof out, bytes_of("a\0b", 3)), -1,
	    "a NUL inside");
	ok(errno == EINVAL && out[0] == '\0', "EINVAL, and empty");
	eq_int(str_from_bytes(out, sizeof out, bytes_of(NULL, 0)), 0, "none");
	eq_str(out, "", "is the empty text");
}

static void
test_compare(void)
{
	char hex[9];

	ok(str_eq_nocase("Content-Length", "cONTENT-lENGTH") &&
	    str_eq_nocase("", "") && !str_eq_nocase("a", "ab") &&
	    !str_eq_nocase("ab", "a") && !str_eq_nocase("[", "{"),
	    "equal but for case");
	ok(str_starts("tunnel", "tun") && str_starts("x", "") &&
	    !str_starts("tu", "tun"), "starts");
	ok(str_ends("a.b", ".b") && str_ends("x", "") && !str_ends("b", ".b"),
	    "ends");
	ok(str_is_within("/a", "/a") && str_is_within("/a/b", "/a/") &&
	    str_is_within("/a", "/") && !str_is_within("/ab", "/a") &&
	    !str_is_within("/", "/a"), "is within a directory");
	str_hex(hex, bytes_of("\0\x7f\x80\xff", 4));
	eq_str(hex, "007f80ff", "hexadecimal");
}

static void
test_hostname(void)
{
	static const char *const good[] = {"a", "docs.acme.example", "x-1.y",
	    "1.a", "xn--bcher-kva.example", "A.B"};
	static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "-a",
	    "a-", "a-.b", "a_b", "1.2.3.4", "127", "::1", "a b", "a\n",
	    "b\xc3\xbc", "a.1", "[::1]", "a/b", "*.a"};
	char long_name[255], label[66];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ok(str_is_hostname(good[i]), "'%s' is a host name", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!str_is_hostname(bad[i]), "bad name %zu is not", i);
	memset(label, 'a', sizeof label);
	label[63] = '\0';
	ok(str_is_hostname(label), "a label of 63");
	label[63] = 'a';
	label[64] = '\0';
	ok(!str_is_hostname(label), "a label of 64");
	for (size_t i = 0; i < sizeof long_name; i++)
		long_name[i] = i % 2 == 0 ? 'a' : '.';
	long_name[253] = '\0';
	ok(str_is_hostname(long_name), "a name of 253");
	long_name[253] = 'a';
	long_name[254] = '\0';
	ok(!str_is_hostname(long_name), "a name of 254");
}

static void
test_error(void)
{
	char much[ERROR_TEXT_MAX + 50];
	struct error e;

	errno = ENOENT;
	eq_int(error_errno(&e, "%s", "file"), -1, "error_errno is -1");
	eq_str(e.text, "file: No such file or directory", "with errno's text");
	eq_int(errno, ENOENT, "which it keeps");
	error_prefix(&e, "line %d", 3);
	eq_str(e.text, "line 3: file: No such file or directory", "prefix");
	memset(much, 'x', sizeof much);
	much[sizeof much - 1] = '\0';
	error_set(&e, "%s", much);
	eq_int(strlen(e.text), ERROR_TEXT_MAX - 1, "too long a text is cut");
	error_prefix(&e, "p");
	eq_int(strlen(e.text), ERROR_TEXT_MAX - 1, "also with a prefix");
	ok(strncmp(e.text, "p: xxx", 6) == 0, "which comes first");
}

static void
test_quote(void)
{
	char out[32];
	int bad = 0;

	eq_str(diag_quote(out, sizeof out, bytes_of("a\x1b[0m'\\\n\xff", 9)),
	    "'a\\x1b[0m\\x27\\x5c\\x0a\\xff'", "a terminal cannot be told");
	eq_str(diag_quote(out, 8, bytes_cstr("abcdefghij")), "'...'",
	    "the smallest cap");
	for (size_t cap = 8; cap <= sizeof out; cap++) {
		char in[40];

		for (size_t len = 0; len <= sizeof in; len++) {
			memset(in, len % 3 == 0 ? '\n' : 'a', sizeof in);
			memset(out, '!', sizeof out);
			diag_quote(out, cap, bytes_of(in, len));
			bad += memchr(out, '\0', cap) == NULL;
			bad += out[strlen(out) - 1] != '\'';
		}
	}
	eq_int(bad, 0, "always within cap and in quotes");
}

int
main(void)
{
	test_format();
	test_from_bytes();
	test_compare();
	test_hostname();
	test_error();
	test_quote();
	return test_done();
}
