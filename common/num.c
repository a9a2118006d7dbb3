/* SPDX-License-Identifier: ISC */
#include "common/num.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = {
	{"b", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0},
};

/* "ms" stands before "m": the first that matches and is followed by a digit
 * or the end wins. */
static const struct unit duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000},
	{"d", 24 * 3600 * 1000}, {NULL, 0},
};

static int
fail(int code)
{
	errno = code;
	return -1;
}

/* Takes the digits at the start of *s. */
static int
take_digits(const char **s, int64_t *ret)
{
	const char *at = *s;
	int64_t v = 0;

	if (*at < '0' || *at > '9')
		return fail(EINVAL);
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, *at - '0', &v))
			return fail(ERANGE);
	}
	*s = at;
	*ret = v;
	return 0;
}

static int
in_range(int64_t v, int64_t min, int64_t max, int64_t *ret)
{
	if (v < min || v > max)
		return fail(ERANGE);
	*ret = v;
	return 0;
}

int
num_parse(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	int64_t v;

	if (take_digits(&s, &v) != 0)
		return -1;
	if (*s != '\0')
		return fail(EINVAL);
	return in_range(v, min, max, ret);
}

static int
take_unit(const char **s, const struct unit *units, int64_t *ret)
{
	for (; units->name != NULL; units++) {
		size_t len = strlen(units->name);
		char next;

		if (strncmp(*s, units->name, len) != 0)
			continue;
		next = (*s)[len];
		if (next != '\0' && (next < '0' || next > '9'))
			continue;
		*s += len;
		*ret = units->factor;
		return 0;
	}
	return fail(EINVAL);
}

static int
take_product(const char **s, const struct unit *units, int64_t *ret)
{
	int64_t v, factor;

	if (take_digits(s, &v) != 0 || take_unit(s, units, &factor) != 0)
		return -1;
	if (__builtin_mul_overflow(v, factor, ret))
		return fail(ERANGE);
	return 0;
}

int
num_parse_size(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	int64_t v;

	if (take_product(&s, size_units, &v) != 0)
		return -1;
	if (*s != '\0')
		return fail(EINVAL);
	return in_range(v, min, max, ret);
}

int
num_parse_duration(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	int64_t sum = 0, v;

	do {
		if (take_product(&s, duration_units, &v) != 0)
			return -1;
		if (__builtin_add_overflow(sum, v, &sum))
			return fail(ERANGE);
	} while (*s != '\0');
	return in_range(sum, min, max, ret);
}
