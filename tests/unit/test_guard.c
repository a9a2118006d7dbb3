/* SPDX-License-Identifier: ISC */
/* The upstream guard at both edges of every range, in every mode. */
#include "common/guard.h"
#include "common/sock.h"
#include "tests/unit/test.h"

static struct error why;

static bool
allows(const struct guard *g, const char *ip)
{
	struct sock_addr a;

	why.text[0] = '\0';
	if (sock_parse_ip(ip, 8080, &a) != 0) {
		fprintf(stderr, "%s: no address\n", ip);
		exit(1);
	}
	return guard_check(g, &a.any, &why) == 0;
}

static struct guard
listed(const char *const ranges[])
{
	struct guard g;

	guard_init(&g);
	for (; *ranges != NULL; ranges++) {
		if (guard_add(&g, *ranges, &why) != 0) {
			fprintf(stderr, "%s: %s\n", *ranges, why.text);
			exit(1);
		}
	}
	return g;
}

struct edge {
	const char *before, *first, *last, *after; /* "": there is none */
};

static void
test_private(void)
{
	static const struct edge private[] = {
		{"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
		{"172.15.255.255", "172.16.0.0", "172.31.255.255",
		    "172.32.0.0"},
		{"192.167.255.255", "192.168.0.0", "192.168.255.255",
		    "192.169.0.0"},
		{"fbff:ffff::", "fc00::",
		    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
	};
	struct guard g;

	guard_init(&g);
	for (size_t i = 0; i < sizeof private / sizeof *private; i++) {
		const struct edge *p = &private[i];

		ok(!allows(&g, p->before), "%s is before", p->before);
		ok(allows(&g, p->first), "%s is private", p->first);
		ok(allows(&g, p->last), "%s is private", p->last);
		ok(!allows(&g, p->after), "%s is after", p->after);
	}
	allows(&g, "127.0.0.1");
	eq_str(why.text, "127.0.0.1 is not a private address",
	    "loopback is refused by default");
	ok(!allows(&g, "::1"), "IPv6 loopback is refused by default");
	ok(!allows(&g, "100.64.0.1"), "carrier-grade NAT is not private");
	ok(!allows(&g, "2606:4700::1"), "a public address is not private");
}

/* first and last of each range are refused, also when listed or off. */
static void
test_always(void)
{
	static const struct edge never[] = {
		{"", "0.0.0.0", "0.255.255.255", "1.0.0.0"},
		{"169.253.255.255", "169.254.0.0", "169.254.255.255",
		    "169.255.0.0"},
		{"169.253.255.255", "169.254.169.254", "169.254.170.2",
		    "169.255.0.0"},
		{"100.100.100.199", "100.100.100.200", "100.100.100.200",
		    "100.100.100.201"},
		{"168.63.129.15", "168.63.129.16", "168.63.129.16",
		    "168.63.129.17"},
		{"192.0.0.191", "192.0.0.192", "192.0.0.192", "192.0.0.193"},
		{"223.255.255.255", "224.0.0.0", "239.255.255.255",
		    "240.0.0.0"},
		{"255.255.255.254", "255.255.255.255", "255.255.255.255", ""},
		{"", "::", "::", "::1"},
		{"fe7f:ffff::", "fe80::",
		    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::"},
		{"feff:ffff::", "ff00::",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
		{"fd00:ec1:ffff::1", "fd00:ec2::",
		    "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:ec3::"},
		{"fd00:ec1::254", "fd00:ec2::254", "fd00:ec2::254",
		    "fd00:ec3::254"},
		{"fd20:ce::253", "fd20:ce::254", "fd20:ce::254",
		    "fd20:ce::255"},
		{"fd00:c1::a9fe:a9fd", "fd00:c1::a9fe:a9fe",
		    "fd00:c1::a9fe:a9fe", "fd00:c1::a9fe:a9ff"},
		{"fd00:42::41", "fd00:42::42", "fd00:42::42", "fd00:42::43"},
	};
	static const char *const all[] = {"0.0.0.0/0", "::/0", NULL};
	struct guard everything = listed(all), off;

	guard_init(&off);
	off.mode = GUARD_OFF;
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		const struct edge *n = &never[i];

		ok(!allows(&everything, n->first) && !allows(&off, n->first),
		    "%s is refused always", n->first);
		ok(!allows(&everything, n->last) && !allows(&off, n->last),
		    "%s is refused always", n->last);
		if (n->before[0] != '\0')
			ok(allows(&everything, n->before) &&
			    allows(&off, n->before), "%s is not", n->before);
		if (n->after[0] != '\0')
			ok(allows(&everything, n->after) &&
			    allows(&off, n->after), "%s is not", n->after);
	}
	allows(&off, "169.254.169.254");
	eq_str(why.text, "169.254.169.254 is a cloud metadata address, which "
	    "is never allowed", "the text says that no setting helps");
}

static void
test_listed(void)
{
	static const char *const ranges[] = {
		"127.0.0.1", "10.1.0.0/16", "::1", "fd12:3456::/32",
		"192.168.4.4/30", NULL,
	};
	struct guard g = listed(ranges);

	ok(allows(&g, "127.0.0.1"), "a listed address is allowed");
	ok(!allows(&g, "127.0.0.2"), "its neighbour is not");
	ok(allows(&g, "::1"), "listed IPv6 loopback is allowed");
	ok(allows(&g, "10.1.255.255") && !allows(&g, "10.2.0.0"),
	    "a range ends where it should");
	ok(allows(&g, "192.168.4.7") && !allows(&g, "192.168.4.8") &&
	    !allows(&g, "192.168.4.3"), "a prefix inside a byte");
	ok(allows(&g, "fd12:3456:ffff::") && !allows(&g, "fd12:3457::"),
	    "an IPv6 range ends where it should");
	allows(&g, "10.0.0.1");
	eq_str(why.text, "10.0.0.1 is not an allowed address "
	    "(upstream.allowed_ips)", "a list replaces the private ranges");
}

static void
test_family_of_range(void)
{
	static const char *const six[] = {"::/0", NULL};
	static const char *const four[] = {"0.0.0.0/0", NULL};
	struct guard g = listed(six);

	ok(!allows(&g, "10.0.0.1"), "::/0 holds no IPv4 address");
	ok(!allows(&g, "::ffff:10.0.0.1"), "nor a mapped one");
	g = listed(four);
	ok(!allows(&g, "fd12::1"), "0.0.0.0/0 holds no IPv6 address");
	ok(allows(&g, "::ffff:10.0.0.1"), "but a mapped IPv4 address");
}

/* An IPv4 address that hides in an IPv6 one is judged as well. */
static void
test_carried(void)
{
	static const struct {
		const char *ip, *how;
		bool inner_ok;
	} carried[] = {
		{"::ffff:169.254.169.254", "mapped", false},
		{"::ffff:10.0.0.1", "mapped", true},
		{"::169.254.169.254", "compatible", false},
		{"::10.0.0.1", "compatible", true},
		{"::ffff:0:169.254.169.254", "translated", false},
		{"::ffff:0:10.0.0.1", "translated", true},
		{"64:ff9b::a9fe:a9fe", "NAT64", false},
		{"64:ff9b::a00:1", "NAT64", true},
		{"64:ff9b:1:2:3:4:a9fe:a9fe", "local NAT64", false},
		{"64:ff9b:1::a00:1", "local NAT64", true},
		{"2002:a9fe:a9fe::1", "6to4", false},
		{"2002:a00:1::1", "6to4", true},
		{"2001:0:1:2:3:4:5601:5601", "Teredo", false},
		{"2001::f5ff:fffe", "Teredo", true},
		{"fd12::5efe:a9fe:a9fe", "ISATAP", false},
		{"fd12::200:5efe:a9fe:a9fe", "ISATAP", false},
		{"fd12::200:5efe:a00:1", "ISATAP", true},
	};
	static const char *const all[] = {"0.0.0.0/0", "::/0", NULL};
	static const char *const nat64[] = {"64:ff9b::/96", NULL};
	struct guard everything = listed(all), off, some = listed(nat64);

	guard_init(&off);
	off.mode = GUARD_OFF;
	for (size_t i = 0; i < sizeof carried / sizeof *carried; i++) {
		bool want = carried[i].inner_ok;

		ok(allows(&everything, carried[i].ip) == want &&
		    allows(&off, carried[i].ip) == want, "%s (%s) is %s",
		    carried[i].ip, carried[i].how,
		    want ? "allowed" : "refused");
	}
	allows(&some, "64:ff9b::a00:1");
	eq_str(why.text, "64:ff9b::a00:1 (it carries 10.0.0.1) is not an "
	    "allowed address (upstream.allowed_ips)",
	    "both addresses must be in the list");
	guard_init(&off);
	ok(allows(&off, "::ffff:10.0.0.1") && !allows(&off, "::ffff:8.8.8.8"),
	    "a mapped address is private as its IPv4 address is");
}

static void
test_ranges_text(void)
{
	static const char *const bad[] = {
		"", "10", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
		"10.0.0.0/08x", "fd12::/129", "/8", "localhost", "10.0.0.1 ",
		"010.0.0.1", "fd12::1%eth0", "10.0.0.0/8/8",
	};
	static const struct sockaddr other = {.sa_family = AF_UNIX};
	struct guard g;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		guard_init(&g);
		ok(guard_add(&g, bad[i], &why) != 0 && g.count == 0 &&
		    g.mode == GUARD_PRIVATE, "'%s' is no range", bad[i]);
	}
	guard_init(&g);
	ok(guard_check(&g, &other, &why) != 0, "a Unix socket is refused");
	for (size_t i = 0; i < GUARD_RANGES_MAX; i++)
		guard_add(&g, "10.0.0.0/8", &why);
	eq_int(g.count, GUARD_RANGES_MAX, "as many ranges as there is room");
	eq_int(guard_add(&g, "10.0.0.0/8", &why), -1, "and no more");
	guard_init(&g);
	eq_int(guard_add(&g, "10.9.9.9/8", &why), 0,
	    "bits after the prefix are ignored, as Go does");
	ok(allows(&g, "10.0.0.1"), "and the whole range is allowed");
}

int
main(void)
{
	test_private();
	test_always();
	test_listed();
	test_family_of_range();
	test_carried();
	test_ranges_text();
	return test_done();
}
