/* SPDX-License-Identifier: ISC */
/* Settings of git, read as git reads them. */
#include "cmd/sandbox-exec/gitconfig.h"

#include "common/str.h"
#include "tests/unit/test.h"

static char text[16384];

/* "key=value" of each entry, with a bar between them. */
static const char *
read_all(struct bytes in)
{
	static char out[16384];
	struct gitconfig_entry e;
	struct gitconfig c;
	size_t len = 0;

	out[0] = '\0';
	gitconfig_init(&c, in);
	while (gitconfig_next(&c, &e)) {
		str_format(out + len, sizeof out - len, "%s%s=%s",
		    len == 0 ? "" : "|", e.key, e.value);
		len += strlen(out + len);
	}
	return out;
}

static void
check(const char *in, const char *want)
{
	eq_str(read_all(bytes_cstr(in)), want, "%s", in);
}

static void
test_syntax(void)
{
	check("", "");
	check("[core]\n\thooksPath = a/b\n", "core.hookspath=a/b");
	check("\xef\xbb\xbf[core]\nx=1", "core.x=1");
	check("[core] x = 1\n[a]y=2", "core.x=1|a.y=2");
	check("[core]\r\nx = 1\r\n", "core.x=1");
	check("# a\n; b\n[core]\n  # c\nx = 1 # d\ny = 2;e\n",
	    "core.x=1|core.y=2");
	check("[includeIf \"gitdir:~/a]\\\"b\"]\npath = c", "includeif.path=c");
	check("[remote.Origin]\nurl = x", "remote.url=x");
	check("[core]\nx\ny =\n", "core.x=|core.y=");
	check("[core]\nx = a \"b  c\" d\t\n", "core.x=a b  c d");
	check("[core]\nx = \"a;b#c\" ;d\n", "core.x=a;b#c");
	check("[core]\nx = a\\\nb\\tc\\\\d\\\"e\n", "core.x=ab\tc\\d\"e");
	check("[core]\nx = \"  a  \"  \n", "core.x=  a  ");
}

static void
test_mistakes(void)
{
	check("[core]\nx = 1\ny = \"2\n[a]\nz = 3\n", "core.x=1");
	check("[core]\nx = \\q\ny = 1\n", "");
	check("[core]\n=x\n", "");
	check("[core\nx = 1\n", "");
	check("[core \"a\nb\"]\nx = 1\n", "");
	check("[core \"a\" ]\nx = 1\n", "");
	check("[core]\nx y = 1\n", "");
	check("[core]\nx_y = 1\n", "");
	/* Of no section: git does not run with it. */
	check("x = 1\n[core]\ny = 2\n", "core.y=2");
	eq_str(read_all(bytes_of("[core]\nx = a\0b\ny = 1\n", 21)),
	    "core.y=1", "a NUL");
}

/* A value of so many bytes, and whether it is there. */
static bool
has_value(size_t len)
{
	str_format(text, sizeof text, "[core]\nx = ");
	memset(text + 11, 'v', len);
	str_format(text + 11 + len, sizeof text - 11 - len, "\ny = 1\n");
	return str_starts(read_all(bytes_cstr(text)), "core.x=");
}

static bool
has_key(size_t len)
{
	str_format(text, sizeof text, "[core]\n");
	memset(text + 7, 'k', len);
	str_format(text + 7 + len, sizeof text - 7 - len, " = 1\ny = 1\n");
	return str_starts(read_all(bytes_cstr(text)), "core.k");
}

static void
test_limits(void)
{
	enum { KEY = GITCONFIG_KEY_LEN - 1 - 5, VALUE = GITCONFIG_VALUE_LEN };

	ok(has_value(VALUE - 2), "a value below the limit");
	ok(has_value(VALUE - 1), "the longest value");
	ok(!has_value(VALUE), "a value above it");
	ok(has_key(KEY - 1), "a key below the limit");
	ok(has_key(KEY), "the longest key");
	ok(!has_key(KEY + 1), "a key above it");
	eq_str(read_all(bytes_cstr(text)), "core.y=1", "what follows is read");
	memset(text, 's', 300);
	text[0] = '[';
	str_format(text + 300, sizeof text - 300, "]\nx = 1\n[b]\ny = 1");
	eq_str(read_all(bytes_cstr(text)), "b.y=1", "a long section");
}

int
main(void)
{
	test_syntax();
	test_mistakes();
	test_limits();
	return test_done();
}
