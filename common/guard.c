/* SPDX-License-Identifier: ISC */
/* Addresses are compared as 16 bytes, IPv4 as ::ffff:a.b.c.d, so that one
 * table serves both families. */
#include "common/guard.h"

#include <arpa/inet.h>

#include "common/num.h"
#include "common/str.h"

enum { IP_LEN = 16, IP_BITS = 128, V4_BITS = 32, RANGE_TEXT_MAX = 64 };

#define V4(a, b, c, d, n) \
	{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, \
	    IP_BITS - V4_BITS + (n)}

static const struct guard_range private_ranges[] = {
	V4(10, 0, 0, 0, 8),
	V4(172, 16, 0, 0, 12),
	V4(192, 168, 0, 0, 16),
	{{0xfc}, 7},
};

/* What is no host of the Internet's: RFC 6890 and what it names, and what
 * IANA's registries have added since. */
static const struct guard_range not_public[] = {
	V4(10, 0, 0, 0, 8),
	V4(100, 64, 0, 0, 10),
	V4(172, 16, 0, 0, 12),
	V4(192, 0, 0, 0, 24),
	V4(192, 168, 0, 0, 16),
	V4(198, 18, 0, 0, 15),
	V4(240, 0, 0, 0, 4),
	{{0xfc}, 7},
	{{0xfe, 0xc0}, 10},
	{{0x20, 0x01, 0x00, 0x02}, 48}, /* benchmarks, as 198.18.0.0/15 */
	{{0x5f}, 16},                   /* segment identifiers: RFC 9602 */
	/* NAT64 of a network's own (RFC 8215): where in it the IPv4 address
	 * stands is the network's choice. */
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48},
};

static const struct guard_range loopback[] = {
	V4(127, 0, 0, 0, 8),
	{{[15] = 1}, IP_BITS},
};

struct refused {
	struct guard_range range;
	const char *what;
};

/* Narrow ones first, since the first match gives the text. */
static const struct refused refused_always[] = {
	{V4(169, 254, 169, 254, 32), "a cloud metadata"},
	{V4(169, 254, 170, 2, 32), "a cloud metadata"},
	{V4(169, 254, 0, 0, 16), "a link-local"},
	/* Alibaba Cloud, Azure, Oracle Cloud */
	{V4(100, 100, 100, 200, 32), "a cloud metadata"},
	{V4(168, 63, 129, 16, 32), "a cloud metadata"},
	{V4(192, 0, 0, 192, 32), "a cloud metadata"},
	{V4(0, 0, 0, 0, 8), "an unspecified"},
	{V4(224, 0, 0, 0, 4), "a multicast"},
	{V4(255, 255, 255, 255, 32), "a broadcast"},
	{{{0}, IP_BITS}, "an unspecified"},
	{{{0xfe, 0x80}, 10}, "a link-local"},
	{{{0xff}, 8}, "a multicast"},
	/* AWS: fd00:ec2::/32 holds its metadata, DNS and time services. */
	{{{0xfd, 0x00, 0x0e, 0xc2}, 32}, "a cloud metadata"},
	/* Google Cloud fd20:ce::254, Oracle Cloud fd00:c1::a9fe:a9fe,
	 * Scaleway fd00:42::42 */
	{{{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}, IP_BITS},
	    "a cloud metadata"},
	{{{0xfd, 0x00, 0x00, 0xc1, [12] = 0xa9, 0xfe, 0xa9, 0xfe}, IP_BITS},
	    "a cloud metadata"},
	{{{0xfd, 0x00, 0x00, 0x42, [15] = 0x42}, IP_BITS},
	    "a cloud metadata"},
};

/* Where an IPv6 address carries an IPv4 one: byte at, each byte xor mask. */
struct carrier {
	struct guard_range range;
	uint8_t at, mask;
};

static const struct carrier carriers[] = {
	{{{0}, 96}, 12, 0},                             /* compatible */
	{{{[8] = 0xff, 0xff}, 96}, 12, 0},              /* translated */
	{{{0x00, 0x64, 0xff, 0x9b}, 96}, 12, 0},        /* NAT64 */
	{{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, 12, 0},
	{{{0x20, 0x02}, 16}, 2, 0},                     /* 6to4 */
	{{{0x20, 0x01, 0x00, 0x00}, 32}, 12, 0xff},     /* Teredo */
};

static const uint8_t v4_prefix[12] = {[10] = 0xff, 0xff};
static const uint8_t loopback_v6[IP_LEN] = {[15] = 1};

static bool
in_range(const struct guard_range *r, const uint8_t ip[static IP_LEN])
{
	size_t whole = r->bits / 8U;
	unsigned rest = r->bits % 8U;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	if (memcmp(r->ip, ip, whole) != 0)
		return false;
	return rest == 0 || ((r->ip[whole] ^ ip[whole]) & mask) == 0;
}

static bool
is_v4(const uint8_t ip[static IP_LEN])
{
	return memcmp(ip, v4_prefix, sizeof v4_prefix) == 0;
}

/* A range such as ::/0 is about IPv6 and holds no IPv4 address. */
static bool
in_any(const struct guard_range *r, size_t count,
    const uint8_t ip[static IP_LEN])
{
	unsigned least = is_v4(ip) ? IP_BITS - V4_BITS : 0;

	for (; count != 0; count--, r++) {
		if (r->bits >= least && in_range(r, ip))
			return true;
	}
	return false;
}

void
guard_init(struct guard *g)
{
	memset(g, 0, sizeof *g);
}

/* Reads an address of either family into 16 bytes.  Returns how many of the
 * bits are before its own, or -1. */
static int
parse_ip(const char *text, uint8_t out[static IP_LEN])
{
	if (inet_pton(AF_INET6, text, out) == 1)
		return 0;
	memcpy(out, v4_prefix, sizeof v4_prefix);
	if (inet_pton(AF_INET, text, out + sizeof v4_prefix) == 1)
		return IP_BITS - V4_BITS;
	return -1;
}

int
guard_add(struct guard *g, const char *range, struct error *e)
{
	char ip[RANGE_TEXT_MAX];
	const char *slash = strchr(range, '/');
	size_t len = slash == NULL ? strlen(range) : (size_t)(slash - range);
	struct guard_range r;
	int64_t bits;
	int before = -1;

	if (str_from_bytes(ip, sizeof ip, bytes_of(range, len)) == 0)
		before = parse_ip(ip, r.ip);
	if (before < 0)
		return error_set(e, "not an address or a range such as "
		    "10.0.0.0/8 or fd12::/16");
	bits = IP_BITS - before;
	if (slash != NULL && num_parse(slash + 1, 0, bits, &bits) != 0)
		return error_set(e, "the prefix length is not 0 to %d",
		    IP_BITS - before);
	r.bits = (uint8_t)(before + bits);
	if (g->count == GUARD_RANGES_MAX)
		return error_set(e, "more than %d ranges", GUARD_RANGES_MAX);
	g->ranges[g->count++] = r;
	g->mode = GUARD_LISTED;
	return 0;
}

static const char *
judge_public(const struct guard *g, const uint8_t ip[static IP_LEN])
{
	if (in_any(loopback, sizeof loopback / sizeof *loopback, ip))
		return "a loopback";
	return in_any(not_public, sizeof not_public / sizeof *not_public, ip) &&
	    !in_any(g->ranges, g->count, ip) ? "a private" : NULL;
}

/* Judges the 16 bytes themselves.  Returns NULL if they are allowed; else
 * a noun phrase for what the address is (*ret_is) or is not. */
static const char *
judge(const struct guard *g, const uint8_t ip[static IP_LEN], bool *ret_is)
{
	*ret_is = true;
	for (size_t i = 0; i < sizeof refused_always / sizeof *refused_always;
	    i++) {
		if (in_range(&refused_always[i].range, ip))
			return refused_always[i].what;
	}
	*ret_is = false;
	switch (g->mode) {
	case GUARD_PRIVATE:
		return in_any(private_ranges,
		    sizeof private_ranges / sizeof *private_ranges, ip)
		    ? NULL : "a private";
	case GUARD_LISTED:
		return in_any(g->ranges, g->count, ip) ? NULL : "an allowed";
	case GUARD_PUBLIC:
		*ret_is = true;
		return judge_public(g, ip);
	case GUARD_OFF:
		break;
	}
	return NULL;
}

/* Finds the IPv4 address inside ip and makes it 16 bytes. */
static bool
take_carried(const uint8_t ip[static IP_LEN], uint8_t out[static IP_LEN])
{
	static const uint8_t isatap[] = {0x00, 0x5e, 0xfe};
	size_t at = 0;
	uint8_t mask = 0;

	if (memcmp(ip, loopback_v6, IP_LEN) == 0)
		return false;
	for (size_t i = 0; i < sizeof carriers / sizeof *carriers && at == 0;
	    i++) {
		if (in_range(&carriers[i].range, ip)) {
			at = carriers[i].at;
			mask = carriers[i].mask;
		}
	}
	/* RFC 5214: the interface identifier is 0:5efe or 200:5efe and the
	 * address, under any prefix. */
	if (at == 0 && (ip[8] & ~2U) == 0 && memcmp(ip + 9, isatap, 3) == 0)
		at = 12;
	if (at == 0)
		return false;
	memcpy(out, v4_prefix, sizeof v4_prefix);
	for (size_t i = 0; i < 4; i++)
		out[sizeof v4_prefix + i] = ip[at + i] ^ mask;
	return true;
}

static int
refuse(const struct guard *g, const uint8_t ip[static IP_LEN],
    const uint8_t *carried, const char *what, bool is, struct error *e)
{
	char text[INET6_ADDRSTRLEN], inner[INET6_ADDRSTRLEN + 16] = "";
	bool v4 = is_v4(ip);
	const char *hint = "";

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + sizeof v4_prefix : ip,
	    text, sizeof text);
	if (carried != NULL) {
		char v4_text[INET_ADDRSTRLEN];

		inet_ntop(AF_INET, carried + sizeof v4_prefix, v4_text,
		    sizeof v4_text);
		str_format(inner, sizeof inner, " (it carries %s)", v4_text);
	}
	if (is && g->mode != GUARD_PUBLIC)
		hint = ", which is never allowed";
	else if (g->mode == GUARD_LISTED)
		hint = " (upstream.allowed_ips)";
	return error_set(e, "%s%s is %s%s address%s", text, inner,
	    is ? "" : "not ", what, hint);
}

int
guard_check(const struct guard *g, const struct sockaddr *a, struct error *e)
{
	uint8_t ip[IP_LEN], carried[IP_LEN];
	const char *why;
	bool is;

	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)a;

		memcpy(ip, v4_prefix, sizeof v4_prefix);
		memcpy(ip + sizeof v4_prefix, &v4->sin_addr, 4);
	} else if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)a;

		memcpy(ip, &v6->sin6_addr, IP_LEN);
	} else {
		return error_set(e, "not an IPv4 or IPv6 address");
	}
	why = judge(g, ip, &is);
	if (why != NULL)
		return refuse(g, ip, NULL, why, is, e);
	if (!take_carried(ip, carried))
		return 0;
	why = judge(g, carried, &is);
	return why == NULL ? 0 : refuse(g, ip, carried, why, is, e);
}
