/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/regex_set.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_SIZE = 8 };

static const struct regex_range digits[] = {{'0', '9'}};
static const struct regex_range word[] = {
	{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'},
};

/* ECMA-262, WhiteSpace and LineTerminator. */
static const struct regex_range space[] = {
	{'\t', '\r'}, {' ', ' '}, {0xa0, 0xa0}, {0x1680, 0x1680},
	{0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
	{0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
};

/* Letters that are apart from their other case by a distance. */
static const struct {
	struct regex_range upper;
	uint32_t distance;
} cases[] = {
	{{'A', 'Z'}, 32}, {{0xc0, 0xd6}, 32}, {{0xd8, 0xde}, 32},
	{{0x391, 0x3a1}, 32}, {{0x3a3, 0x3a9}, 32}, {{0x400, 0x40f}, 80},
	{{0x410, 0x42f}, 32},
};

void
regex_set_done(struct regex_set *s)
{
	free(s->at);
	*s = (struct regex_set){NULL, 0, 0};
}

int
regex_set_add(struct regex_set *s, uint32_t low, uint32_t high)
{
	size_t i = 0, merged;

	while (i < s->count && s->at[i].high + 1 < low)
		i++;
	for (merged = i; merged < s->count && s->at[merged].low <= high + 1;
	    merged++) {
		low = s->at[merged].low < low ? s->at[merged].low : low;
		high = s->at[merged].high > high ? s->at[merged].high : high;
	}
	if (merged == i && s->count == REGEX_SET_MAX) {
		errno = ENOBUFS;
		return -1;
	}
	if (merged == i && s->count == s->size) {
		size_t size = s->size == 0 ? FIRST_SIZE : 2 * s->size;
		struct regex_range *at = reallocarray(s->at, size,
		    sizeof *at);

		if (at == NULL)
			return -1;
		s->at = at;
		s->size = size;
	}
	if (s->count != merged)
		memmove(s->at + i + 1, s->at + merged,
		    (s->count - merged) * sizeof *s->at);
	s->count = s->count - (merged - i) + 1;
	s->at[i] = (struct regex_range){low, high};
	return 0;
}

static int
add_ranges(struct regex_set *s, const struct regex_range *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (regex_set_add(s, from[i].low, from[i].high) != 0)
			return -1;
	}
	return 0;
}

static int
add_all(struct regex_set *s, const struct regex_set *from)
{
	return add_ranges(s, from->at, from->count);
}

int
regex_set_invert(struct regex_set *s)
{
	struct regex_set other = {NULL, 0, 0};
	uint32_t low = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->count; i++) {
		if (s->at[i].low > low)
			r = regex_set_add(&other, low, s->at[i].low - 1);
		low = s->at[i].high + 1;
	}
	if (r == 0 && low <= REGEX_CHAR_MAX)
		r = regex_set_add(&other, low, REGEX_CHAR_MAX);
	regex_set_done(s);
	*s = other;
	return r;
}

int
regex_set_add_escape(struct regex_set *s, char which)
{
	struct regex_set set = {NULL, 0, 0};
	char kind = (char)(which | 0x20);
	int r;

	if (kind == 'd')
		r = add_ranges(&set, digits, sizeof digits / sizeof *digits);
	else if (kind == 'w')
		r = add_ranges(&set, word, sizeof word / sizeof *word);
	else
		r = add_ranges(&set, space, sizeof space / sizeof *space);
	if (r == 0 && which != kind)
		r = regex_set_invert(&set);
	if (r == 0)
		r = add_all(s, &set);
	regex_set_done(&set);
	return r;
}

int
regex_set_add_posix(struct regex_set *s, struct bytes name)
{
	static const struct {
		const char *name;
		struct regex_range at[4];
		size_t count;
	} classes[] = {
		{"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2},
		{"digit", {{'0', '9'}}, 1},
		{"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
		{"upper", {{'A', 'Z'}}, 1}, {"lower", {{'a', 'z'}}, 1},
		{"space", {{'\t', '\r'}, {' ', ' '}}, 2},
		{"blank", {{'\t', '\t'}, {' ', ' '}}, 2},
		{"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
		{"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
		{"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
		{"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}, 2},
		{"print", {{' ', '~'}}, 1}, {"graph", {{'!', '~'}}, 1},
	};

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (bytes_eq(name, bytes_cstr(classes[i].name)))
			return add_ranges(s, classes[i].at,
			    classes[i].count) == 0 ? 1 : -1;
	}
	return 0;
}

/* Adds the part of r that is in from, moved by distance. */
static int
add_moved(struct regex_set *s, struct regex_range r, struct regex_range from,
    int32_t distance)
{
	uint32_t low = r.low > from.low ? r.low : from.low;
	uint32_t high = r.high < from.high ? r.high : from.high;

	return low > high ? 0 : regex_set_add(s, low + (uint32_t)distance,
	    high + (uint32_t)distance);
}

int
regex_set_fold(struct regex_set *s)
{
	struct regex_set old = {NULL, 0, 0};
	int r = add_all(&old, s);

	for (size_t i = 0; r == 0 && i < old.count; i++) {
		for (size_t j = 0; r == 0 && j < sizeof cases /
		    sizeof *cases; j++) {
			int32_t distance = (int32_t)cases[j].distance;
			struct regex_range lower = {
				cases[j].upper.low + cases[j].distance,
				cases[j].upper.high + cases[j].distance,
			};

			r = add_moved(s, old.at[i], cases[j].upper, distance);
			if (r == 0)
				r = add_moved(s, old.at[i], lower, -distance);
		}
	}
	regex_set_done(&old);
	return r;
}

bool
regex_set_has(const struct regex_set *s, uint32_t c)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c > s->at[middle].high)
			low = middle + 1;
		else if (c < s->at[middle].low)
			high = middle;
		else
			return true;
	}
	return false;
}

bool
regex_is_word(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    (c >= 'a' && c <= 'z');
}
