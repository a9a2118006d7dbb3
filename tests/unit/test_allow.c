/* SPDX-License-Identifier: ISC */
/* Allow lists: the one form that a name has, what an entry may look like,
 * and what it allows. */
#include "cmd/sandbox-exec/allow.h"
#include "tests/unit/test.h"

static struct error why;

static const char *
canonical(struct bytes in)
{
	static char out[ALLOW_HOST_MAX + 1];

	return allow_canonical(in, out, &why) == 0 ? out : "refused";
}

#define CANONICAL(literal) canonical(bytes_of(literal, sizeof literal - 1))

static void
test_canonical(void)
{
	static const char *const refused[] = {
		"", ".", "..", "a..b", ".a", "a.b..", "-a.b", "a-.b", "a_b.c",
		"a b.c", "a/b", "a:b", "a@b.c", "a%00b.c", "[::1]", "::1",
		"1.2.3.4", "127.1", "1", "0x7f000001", "0X7F.1", "127.0x1",
		"017700000001", "a.0x", "a.1", "a.0xff", "example.org.1",
		"b\xc3\xbc\143her.example", "a\x7f.b", "*.a.b", "a\t.b",
	};
	char longest[ALLOW_HOST_MAX + 3];

	eq_str(CANONICAL("Example.ORG"), "example.org", "upper case goes");
	eq_str(CANONICAL("example.org."), "example.org", "so does one dot");
	eq_str(CANONICAL("xn--bcher-kva.example"), "xn--bcher-kva.example",
	    "an IDN in its ASCII form");
	eq_str(CANONICAL("localhost"), "localhost", "one label");
	eq_str(CANONICAL("0xe.example"), "0xe.example", "numbers in front");
	eq_str(CANONICAL("a.0xg"), "a.0xg", "no number at the end");
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		eq_str(canonical(bytes_cstr(refused[i])), "refused",
		    "refused: %s", refused[i]);
	eq_str(CANONICAL("evil.test\0.example.org"), "refused",
	    "a NUL is no end");
	eq_str(CANONICAL("example.org\0"), "refused", "not at the end either");
	eq_str(CANONICAL("example.org\n"), "refused", "nor is a newline");
	memset(longest, 'a', sizeof longest);
	for (size_t i = 50; i < sizeof longest; i += 51)
		longest[i] = '.';
	longest[ALLOW_HOST_MAX - 1] = 'a';
	ok(allow_canonical(bytes_of(longest, ALLOW_HOST_MAX),
	    (char[ALLOW_HOST_MAX + 1]){0}, &why) == 0, "253 bytes");
	longest[ALLOW_HOST_MAX] = 'a';
	eq_str(canonical(bytes_of(longest, ALLOW_HOST_MAX + 1)), "refused",
	    "254 bytes");
}

static const char *
entry(const char *text)
{
	static char out[ALLOW_TEXT_MAX];
	struct policy_allow a;

	if (allow_parse(text, &a, &why) != 0)
		return "refused";
	allow_format(&a, out);
	allow_done(&a);
	return out;
}

static void
test_entries(void)
{
	static const char *const pairs[][2] = {
		{"Example.org.", "example.org"},
		{"example.org:8443", "example.org:8443"},
		{"*.Example.org:443", "*.example.org:443"},
		{"tcp:git.example.org:22", "tcp:git.example.org:22"},
		{"10.1.2.0/24:5432", "10.1.2.0/24:5432"},
		{"10.1.2.3", "10.1.2.3"}, {"10.1.2.3/32", "10.1.2.3"},
		{"0.0.0.0/0", "0.0.0.0/0"}, {"::/0", "::/0"},
		{"::1", "::1"}, {"[::1]", "::1"}, {"[::1]:80", "[::1]:80"},
		{"2001:DB8::/32", "2001:db8::/32"},
		{"[2001:db8::/32]:443", "[2001:db8::/32]:443"},
		{"::ffff:10.0.0.1", "10.0.0.1"},
		{"tcp:[2001:db8::1]:22", "tcp:[2001:db8::1]:22"},
	};
	static const char *const refused[] = {
		"", ":", ":443", "example.org:", "example.org:0",
		"example.org:65536", "example.org:http", "example.org:-1",
		"example.org:443x", "a:b:c", "*", "*.", "*.org", "*.*.org",
		"a.*.org", "*example.org", "**.example.org", "tcp:",
		"tcp:example.org", "tcp:443", "Tcp:1", "tcp.:1", "tcp",
		"https://example.org",
		"example.org/path", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/a",
		"10.0.0.1/24", "10.0.0/8", "010.0.0.1", "::/129",
		"2001:db8::1/32", "[::1", "[::1]x", "[::1]443", "[10.0.0.1]",
		"[example.org]:443", "fe80::1%eth0", "*.10.0.0.0/8",
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		eq_str(entry(pairs[i][0]), pairs[i][1], "%s", pairs[i][0]);
		eq_str(entry(pairs[i][1]), pairs[i][1], "%s again",
		    pairs[i][1]);
	}
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		eq_str(entry(refused[i]), "refused", "refused: %s",
		    refused[i]);
}

static void
fill(struct policy *p, const char *const entries[])
{
	policy_init(p);
	for (; *entries != NULL; entries++) {
		if (allow_parse(*entries, &p->allow[p->allow_count++],
		    &why) != 0) {
			fprintf(stderr, "%s: %s\n", *entries, why.text);
			exit(1);
		}
	}
}

static bool
allows_ip(const struct policy *p, const char *ip, uint16_t port)
{
	uint8_t bytes[16];

	return allow_parse_ip(ip, bytes) == 0 &&
	    allow_find_ip(p, bytes, port) != NULL;
}

static void
test_find(void)
{
	static const char *const entries[] = {
		"example.org", "*.example.net:8443", "10.1.0.0/16:5432",
		"2001:db8::/32", "git.example.org:443",
		"tcp:git.example.org:443", NULL,
	};
	static struct policy p, empty;
	const struct policy_allow *a;

	fill(&p, entries);
	ok(allow_find_name(&p, "example.org", 80) != NULL, "port 80");
	ok(allow_find_name(&p, "example.org", 443) != NULL, "port 443");
	ok(allow_find_name(&p, "example.org", 8080) == NULL, "no other");
	ok(allow_find_name(&p, "www.example.org", 443) == NULL,
	    "a name is not those below it");
	ok(allow_find_name(&p, "notexample.org", 443) == NULL,
	    "nor those that end like it");
	ok(allow_find_name(&p, "a.example.net", 8443) != NULL, "below");
	ok(allow_find_name(&p, "a.b.example.net", 8443) != NULL, "far below");
	ok(allow_find_name(&p, "example.net", 8443) == NULL, "not itself");
	ok(allow_find_name(&p, "aexample.net", 8443) == NULL, "no dot");
	ok(allow_find_name(&p, "a.example.net", 443) == NULL, "its port only");
	a = allow_find_name(&p, "git.example.org", 443);
	ok(a != NULL && a->opaque, "the entry that asks least is found");
	ok(allows_ip(&p, "10.1.255.255", 5432), "in the range");
	ok(!allows_ip(&p, "10.2.0.0", 5432), "after it");
	ok(!allows_ip(&p, "10.1.0.0", 5433), "another port");
	ok(allows_ip(&p, "::ffff:10.1.0.1", 5432), "mapped is the same");
	ok(allows_ip(&p, "2001:db8::1", 1), "any port of a range");
	ok(!allows_ip(&p, "2001:db9::", 1), "another range");
	policy_init(&empty);
	ok(allow_find_name(&empty, "example.org", 443) == NULL &&
	    !allows_ip(&empty, "10.1.0.1", 5432), "an empty list is nothing");
	policy_done(&p);
}

static void
test_families(void)
{
	static const char *const four[] = {"0.0.0.0/0", NULL};
	static const char *const six[] = {"::/0", NULL};
	static struct policy p;

	fill(&p, four);
	ok(allows_ip(&p, "1.2.3.4", 1) && !allows_ip(&p, "2001:db8::1", 1),
	    "0.0.0.0/0 is for IPv4");
	policy_done(&p);
	fill(&p, six);
	ok(!allows_ip(&p, "1.2.3.4", 1) && allows_ip(&p, "2001:db8::1", 1),
	    "::/0 is for IPv6");
	policy_done(&p);
}

static bool
covers(const char *a, const char *b)
{
	struct policy_allow x, y;
	bool r;

	if (allow_parse(a, &x, &why) != 0 || allow_parse(b, &y, &why) != 0) {
		fprintf(stderr, "%s, %s: %s\n", a, b, why.text);
		exit(1);
	}
	r = allow_covers(&x, &y);
	allow_done(&x);
	allow_done(&y);
	return r;
}

static void
test_covers(void)
{
	static const char *const yes[][2] = {
		{"example.org", "example.org"},
		{"example.org", "example.org:443"},
		{"*.example.org", "a.example.org"},
		{"*.example.org", "*.a.example.org:80"},
		{"*.example.org", "*.example.org"},
		{"tcp:a.example.org:22", "a.example.org:22"},
		{"10.0.0.0/8", "10.1.0.0/16:22"}, {"::/0", "2001:db8::1"},
	};
	static const char *const no[][2] = {
		{"example.org", "a.example.org"},
		{"example.org", "example.org:8443"},
		{"example.org:443", "example.org"},
		{"*.example.org", "example.org"},
		{"*.a.example.org", "*.example.org"},
		{"a.example.org", "*.a.example.org"},
		{"a.example.org:22", "tcp:a.example.org:22"},
		{"10.0.0.0/8:22", "10.0.0.0/8"}, {"10.0.0.0/8", "0.0.0.0/0"},
		{"::/0", "10.0.0.1"}, {"0.0.0.0/0", "example.org"},
		{"example.org", "10.0.0.1"}, {"10.0.0.0/8", "example.org"},
	};

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		ok(covers(yes[i][0], yes[i][1]), "%s covers %s", yes[i][0],
		    yes[i][1]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		ok(!covers(no[i][0], no[i][1]), "%s does not cover %s",
		    no[i][0], no[i][1]);
}

int
main(void)
{
	test_canonical();
	test_entries();
	test_find();
	test_families();
	test_covers();
	return test_done();
}
