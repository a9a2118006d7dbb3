/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/duration.h"

#include <stddef.h>

#include "common/str.h"

enum { NS_PER_MS = 1000000 };

/* Those that begin like another come first. */
static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
	{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
	{"ms", NS_PER_MS}, {"s", 1000LL * NS_PER_MS},
	{"m", 60LL * 1000 * NS_PER_MS}, {"h", 3600LL * 1000 * NS_PER_MS},
	{"d", 86400LL * 1000 * NS_PER_MS}, {NULL, 0},
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes "1.5" as the whole number 15 and the scale 10. */
static bool
take_decimal(const char **at, int64_t *ret, int64_t *ret_scale)
{
	int64_t v = 0, scale = 1;
	bool digits = false, point = false;

	for (;; (*at)++) {
		char c = **at;

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(c))
			break;
		digits = true;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, c - '0', &v) ||
		    (point && __builtin_mul_overflow(scale, 10, &scale)))
			return false;
	}
	*ret = v;
	*ret_scale = scale;
	return digits;
}

static const struct unit *
take_unit(const char **at)
{
	for (const struct unit *u = units; u->name != NULL; u++) {
		const char *after = *at + strlen(u->name);

		if (str_starts(*at, u->name) && (*after == '\0' ||
		    *after == '.' || is_digit(*after))) {
			*at = after;
			return u;
		}
	}
	return NULL;
}

/* Returns the sum of the parts in nanoseconds, or -1. */
static int64_t
sum_parts(const char *at)
{
	int64_t sum = 0;

	do {
		const struct unit *u;
		int64_t v, scale;
		__int128 ns;

		if (!take_decimal(&at, &v, &scale))
			return -1;
		u = take_unit(&at);
		if (u == NULL)
			return -1;
		ns = (__int128)v * u->ns / scale;
		if (ns > INT64_MAX ||
		    __builtin_add_overflow(sum, (int64_t)ns, &sum))
			return -1;
	} while (*at != '\0');
	return sum;
}

int
duration_parse(const char *text, int64_t min_ms, int64_t max_ms,
    int64_t *ret_ms, struct error *e)
{
	int64_t ns = str_eq(text, "0") ? 0 : sum_parts(text);
	int64_t ms;

	if (ns < 0)
		return error_set(e, "must be a duration such as 30s or 1m30s");
	ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	if (ms < min_ms || ms > max_ms)
		return error_set(e, "must be from %lld ms to %lld s",
		    (long long)min_ms, (long long)max_ms / 1000);
	*ret_ms = ms;
	return 0;
}
