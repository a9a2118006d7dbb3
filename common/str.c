/* SPDX-License-Identifier: ISC */
#include "common/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { HOSTNAME_MAX = 253, LABEL_MAX = 63, DISTANCE_LEN_MAX = 40 };

int
str_format(char *out, size_t cap, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(out, cap, format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < cap)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

int
str_from_bytes(char *out, size_t cap, struct bytes in)
{
	out[0] = '\0';
	if (in.len >= cap) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (in.len != 0 && memchr(in.ptr, '\0', in.len) != NULL) {
		errno = EINVAL;
		return -1;
	}
	if (in.len != 0)
		memcpy(out, in.ptr, in.len);
	out[in.len] = '\0';
	return 0;
}

bool
str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

int
ascii_hex(uint32_t c)
{
	if (c >= '0' && c <= '9')
		return (int)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (int)(c - 'a') + 10 : -1;
}

bool
str_eq_nocase(const char *a, const char *b)
{
	while (*a != '\0' && ascii_lower(*a) == ascii_lower(*b)) {
		a++;
		b++;
	}
	return ascii_lower(*a) == ascii_lower(*b);
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), tail = strlen(suffix);

	return len >= tail && str_eq(s + len - tail, suffix);
}

static bool
is_alnum(char c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool
str_is_hostname(const char *name)
{
	size_t len = strlen(name), label = 0;
	bool letters = false;

	if (len == 0 || len > HOSTNAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool edge = label == 0 || i + 1 == len || name[i + 1] == '.';

		if (c == '.' && label != 0 && i + 1 != len) {
			label = 0;
			letters = false;
			continue;
		}
		if (!is_alnum(c) && (c != '-' || edge))
			return false;
		if (++label > LABEL_MAX)
			return false;
		letters = letters || c < '0' || c > '9';
	}
	return letters;
}

void
str_hex(char *out, struct bytes in)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		*out++ = digits[in.ptr[i] >> 4];
		*out++ = digits[in.ptr[i] & 15];
	}
	*out = '\0';
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t
str_distance(const char *a, const char *b)
{
	size_t row[DISTANCE_LEN_MAX + 1], b_len = strlen(b);

	if (strlen(a) > DISTANCE_LEN_MAX || b_len > DISTANCE_LEN_MAX)
		return DISTANCE_LEN_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= strlen(a); i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = diagonal + (ascii_lower(a[i - 1]) !=
			    ascii_lower(b[j - 1]));

			diagonal = row[j];
			row[j] = least(change, 1 + least(row[j], row[j - 1]));
		}
	}
	return row[b_len];
}
