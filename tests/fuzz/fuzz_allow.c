/* SPDX-License-Identifier: ISC */
/* Any bytes as a name: the canonical form is stable and plain.  Any text as
 * an entry: what is printed is read again as the same, and allows what it
 * says. */
#include <assert.h>

#include "cmd/sandbox-exec/allow.h"
#include "common/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_name(struct bytes in)
{
	char name[ALLOW_HOST_MAX + 1], again[ALLOW_HOST_MAX + 1];
	uint8_t ip[16];
	struct error e;

	if (allow_canonical(in, name, &e) != 0) {
		assert(name[0] == '\0');
		return;
	}
	assert(allow_canonical(bytes_cstr(name), again, &e) == 0);
	assert(str_eq(name, again));
	assert(in.len - strlen(name) <= 1);
	for (const char *c = name; *c != '\0'; c++)
		assert((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
		    *c == '-' || *c == '.');
	assert(allow_parse_ip(name, ip) != 0);
}

static void
check_entry(const char *text)
{
	static struct policy p;
	struct policy_allow *a = &p.allow[0], b;
	char first[ALLOW_TEXT_MAX], second[ALLOW_TEXT_MAX];
	struct error e;

	if (allow_parse(text, a, &e) != 0)
		return;
	p.allow_count = 1;
	allow_format(a, first);
	assert(allow_parse(first, &b, &e) == 0);
	allow_format(&b, second);
	assert(str_eq(first, second));
	assert(allow_covers(a, &b) && allow_covers(&b, a));
	if (a->kind == ALLOW_RANGE)
		assert(allow_find_ip(&p, a->ip, a->port == 0 ? 80 : a->port) ==
		    a);
	else
		assert((allow_find_name(&p, a->name, a->port == 0 ? 443
		    : a->port) == a) == (a->kind == ALLOW_NAME));
	allow_done(&b);
	allow_done(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[ALLOW_TEXT_MAX + 8];

	check_name(bytes_of(data, len));
	if (str_from_bytes(text, sizeof text, bytes_of(data, len)) == 0)
		check_entry(text);
	return 0;
}
