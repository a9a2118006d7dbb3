/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/allow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "common/num.h"
#include "common/str.h"

enum {
	IP_LEN = 16,
	IP_BITS = 128,
	V4_BITS = 32,
	V4_BEFORE = IP_BITS - V4_BITS, /* bits of ::ffff:0:0 */
	PORT_HTTP = 80,
	PORT_HTTPS = 443,
};

static const uint8_t v4_prefix[12] = {[10] = 0xff, 0xff};

/* Whether the last label is what inet_aton(3) takes for a number. */
static bool
ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot == NULL ? name : dot + 1;

	if (str_starts(last, "0x"))
		return last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
	return last[strspn(last, "0123456789")] == '\0';
}

int
allow_canonical(struct bytes in, char out[static ALLOW_HOST_MAX + 1],
    struct error *e)
{
	out[0] = '\0';
	if (in.len > 1 && in.ptr[in.len - 1] == '.')
		in.len--;
	if (in.len == 0)
		return error_set(e, "empty");
	if (in.len > ALLOW_HOST_MAX)
		return error_set(e, "longer than %d bytes", ALLOW_HOST_MAX);
	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] < 0x80) {
			out[i] = ascii_lower((char)in.ptr[i]);
			continue;
		}
		out[0] = '\0';
		return error_set(e, "write a name that is not ASCII in its "
		    "xn-- form");
	}
	out[in.len] = '\0';
	if (memchr(in.ptr, '\0', in.len) == NULL && str_is_hostname(out) &&
	    !ends_in_number(out))
		return 0;
	out[0] = '\0';
	return error_set(e, "no host name of letters, digits and hyphens");
}

int
allow_parse_ip(const char *text, uint8_t ret[static 16])
{
	uint8_t ip[IP_LEN];

	if (inet_pton(AF_INET6, text, ip) != 1) {
		memcpy(ip, v4_prefix, sizeof v4_prefix);
		if (inet_pton(AF_INET, text, ip + sizeof v4_prefix) != 1) {
			errno = EINVAL;
			return -1;
		}
	}
	memcpy(ret, ip, sizeof ip);
	return 0;
}

static bool
is_v4(const uint8_t ip[static IP_LEN])
{
	return memcmp(ip, v4_prefix, sizeof v4_prefix) == 0;
}

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

/* Whether no bit after the first n is set. */
static bool
is_network(const uint8_t ip[static IP_LEN], unsigned n)
{
	for (unsigned i = n; i < IP_BITS; i++) {
		if ((ip[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	}
	return true;
}

/* Reads "10.0.0.0/8" or an address.  Returns 1, 0 if it is neither, or -1
 * with a text if it is a range with a mistake. */
static int
parse_range(char *text, struct policy_allow *ret, struct error *e)
{
	char *slash = strchr(text, '/');
	int64_t bits;
	unsigned own;

	if (slash != NULL)
		*slash = '\0';
	if (allow_parse_ip(text, ret->ip) != 0)
		return slash == NULL ? 0 : error_set(e, "no address before "
		    "the '/'");
	own = is_v4(ret->ip) && strchr(text, ':') == NULL ? V4_BITS : IP_BITS;
	bits = own;
	if (slash != NULL && num_parse(slash + 1, 0, own, &bits) != 0)
		return error_set(e, "not 0 to %u bits after the '/'", own);
	ret->kind = ALLOW_RANGE;
	ret->bits = (uint8_t)((unsigned)bits + IP_BITS - own);
	if (!is_network(ret->ip, ret->bits))
		return error_set(e, "the address has bits after its first "
		    "%lld", (long long)bits);
	return 1;
}

static int
parse_host(char *host, struct policy_allow *ret, struct error *e)
{
	bool below = str_starts(host, "*.");
	char name[ALLOW_HOST_MAX + 1];
	int range = parse_range(host, ret, e);

	if (range != 0)
		return range == 1 ? 0 : -1;
	if (allow_canonical(bytes_cstr(below ? host + 2 : host), name, e) != 0)
		return -1;
	/* With a port it would read as the prefix. */
	if (str_eq(name, "tcp"))
		return error_set(e, "'tcp' stands for no host");
	if (below && strchr(name, '.') == NULL)
		return error_set(e, "would allow every name below a top-level "
		    "domain");
	ret->kind = below ? ALLOW_SUBDOMAINS : ALLOW_NAME;
	ret->name = strdup(name);
	return ret->name == NULL ? error_set(e, "out of memory") : 0;
}

/* Cuts text into host and port; *ret_port is NULL if there is none. */
static int
split(char *text, char **ret_host, char **ret_port, struct error *e)
{
	char *colon = strchr(text, ':'), *end;

	*ret_host = text;
	*ret_port = NULL;
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return error_set(e, "no ']' at the end or before "
			    "':PORT'");
		if (memchr(text, ':', (size_t)(end - text)) == NULL)
			return error_set(e, "brackets are for IPv6");
		*end = '\0';
		*ret_host = text + 1;
		*ret_port = end[1] == ':' ? end + 2 : NULL;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		*colon = '\0';
		*ret_port = colon + 1;
	}
	return 0;
}

int
allow_parse(const char *text, struct policy_allow *ret, struct error *e)
{
	struct policy_allow a = {.kind = ALLOW_NAME};
	char copy[ALLOW_TEXT_MAX], *host, *port_text;
	int64_t port = 0;

	if (str_format(copy, sizeof copy, "%s", text) != 0)
		return error_set(e, "too long");
	if (strstr(copy, "://") != NULL)
		return error_set(e, "a URL; give its host and port");
	a.opaque = str_starts(copy, "tcp:");
	if (split(copy + (a.opaque ? 4 : 0), &host, &port_text, e) != 0)
		return -1;
	if (port_text != NULL && num_parse(port_text, 1, UINT16_MAX,
	    &port) != 0)
		return error_set(e, "no port from 1 to 65535 after the ':'");
	if (a.opaque && port == 0)
		return error_set(e, "'tcp:' needs a port");
	a.port = (uint16_t)port;
	if (parse_host(host, &a, e) != 0)
		return -1;
	*ret = a;
	return 0;
}

void
allow_done(struct policy_allow *a)
{
	free(a->name);
	a->name = NULL;
}

static void
format_range(const struct policy_allow *a, char *out, size_t cap)
{
	bool v4 = is_v4(a->ip) && a->bits >= V4_BEFORE;
	unsigned own = v4 ? V4_BITS : IP_BITS;
	unsigned bits = v4 ? a->bits - (unsigned)V4_BEFORE : a->bits;
	bool bracket = !v4 && a->port != 0;
	char ip[INET6_ADDRSTRLEN] = "", suffix[8] = "";

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + sizeof v4_prefix :
	    a->ip, ip, sizeof ip);
	if (bits != own)
		str_format(suffix, sizeof suffix, "/%u", bits);
	str_format(out, cap, "%s%s%s%s", bracket ? "[" : "", ip, suffix,
	    bracket ? "]" : "");
}

void
allow_format(const struct policy_allow *a, char out[static ALLOW_TEXT_MAX])
{
	char host[ALLOW_TEXT_MAX], port[8] = "";

	if (a->kind == ALLOW_RANGE)
		format_range(a, host, sizeof host);
	else
		str_format(host, sizeof host, "%s%s",
		    a->kind == ALLOW_SUBDOMAINS ? "*." : "", a->name);
	if (a->port != 0)
		str_format(port, sizeof port, ":%u", a->port);
	str_format(out, ALLOW_TEXT_MAX, "%s%s%s", a->opaque ? "tcp:" : "",
	    host, port);
}

static bool
has_name(const struct policy_allow *a, const char *name)
{
	size_t len = strlen(name), tail;

	if (a->kind == ALLOW_NAME)
		return str_eq(a->name, name);
	if (a->kind != ALLOW_SUBDOMAINS)
		return false;
	tail = strlen(a->name);
	return len > tail + 1 && name[len - tail - 1] == '.' &&
	    str_ends(name, a->name);
}

static bool
has_ip(const struct policy_allow *a, const uint8_t ip[static IP_LEN])
{
	return a->kind == ALLOW_RANGE &&
	    (!is_v4(ip) || a->bits >= V4_BEFORE) &&
	    same_bits(a->ip, ip, a->bits);
}

static bool
has_port(const struct policy_allow *a, uint16_t port)
{
	if (a->port != 0)
		return a->port == port;
	return a->kind == ALLOW_RANGE || port == PORT_HTTP ||
	    port == PORT_HTTPS;
}

bool
allow_covers(const struct policy_allow *a, const struct policy_allow *b)
{
	if (b->opaque && !a->opaque && b->kind != ALLOW_RANGE)
		return false;
	if (b->port != 0 ? !has_port(a, b->port) : a->port != 0)
		return false;
	if (b->kind == ALLOW_RANGE)
		return a->bits <= b->bits && has_ip(a, b->ip);
	if (b->kind == ALLOW_NAME || a->kind != ALLOW_SUBDOMAINS)
		return a->kind != ALLOW_RANGE && b->kind == ALLOW_NAME &&
		    has_name(a, b->name);
	return str_eq(a->name, b->name) || has_name(a, b->name);
}

const struct policy_allow *
allow_find_name(const struct policy *p, const char *name, uint16_t port)
{
	const struct policy_allow *found = NULL;

	for (size_t i = 0; i < p->allow_count; i++) {
		const struct policy_allow *a = &p->allow[i];

		if ((found == NULL || a->opaque) && has_name(a, name) &&
		    has_port(a, port))
			found = a;
	}
	return found;
}

const struct policy_allow *
allow_find_ip(const struct policy *p, const uint8_t ip[static 16],
    uint16_t port)
{
	const struct policy_allow *found = NULL;

	for (size_t i = 0; i < p->allow_count; i++) {
		const struct policy_allow *a = &p->allow[i];

		if ((found == NULL || a->opaque) && has_ip(a, ip) &&
		    has_port(a, port))
			found = a;
	}
	return found;
}
