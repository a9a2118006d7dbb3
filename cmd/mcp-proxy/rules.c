/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/rules.h"

#include "common/str.h"

bool
rules_match(const char *pattern, struct bytes name)
{
	struct bytes p = bytes_cstr(pattern);
	size_t at = 0, i = 0, star = p.len, from = 0;

	/* After a mismatch the last star takes one byte more: what stars before
	 * it took need not be changed. */
	while (i < name.len) {
		if (at < p.len && p.ptr[at] == '*') {
			star = at++;
			from = i;
		} else if (at < p.len && p.ptr[at] == name.ptr[i]) {
			at++;
			i++;
		} else if (star != p.len) {
			at = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (at < p.len && p.ptr[at] == '*')
		at++;
	return at == p.len;
}

bool
rules_allow(char *const *list, struct bytes name)
{
	bool allowed = true, listed = false;

	if (list == NULL)
		return true;
	if (*list == NULL)
		return false;
	for (; *list != NULL; list++) {
		const char *pattern = *list;

		if (pattern[0] == '!') {
			if (rules_match(pattern + 1, name))
				return false;
		} else if (!listed) {
			listed = true;
			allowed = rules_match(pattern, name);
		} else if (!allowed) {
			allowed = rules_match(pattern, name);
		}
	}
	return allowed;
}

/* ---- URIs ---- */

static bool
is_letter(uint8_t c)
{
	char low = ascii_lower((char)c);

	return low >= 'a' && low <= 'z';
}

/* RFC 3986 section 2.3, "unreserved". */
static bool
is_unreserved(int c)
{
	return c < 0x80 && c >= 0 && (is_letter((uint8_t)c) ||
	    (c >= '0' && c <= '9') || (c != 0 && strchr("-._~", c) != NULL));
}

/* Whether the escape at the front of in had to be made: its two digits are
 * upper case and mean a byte that could not stand for itself. */
static bool
is_plain_escape(struct bytes in)
{
	int high, low, c;

	if (in.len < 3)
		return false;
	high = ascii_hex(in.ptr[1]);
	low = ascii_hex(in.ptr[2]);
	if (high == -1 || low == -1 || in.ptr[1] >= 'a' || in.ptr[2] >= 'a')
		return false;
	c = high << 4 | low;
	return c >= ' ' && c != 0x7f && c != '/' && c != '\\' &&
	    !is_unreserved(c);
}

static bool
is_dots(struct bytes segment)
{
	return bytes_eq(segment, bytes_cstr(".")) ||
	    bytes_eq(segment, bytes_cstr(".."));
}

/* Whether no part of what follows the path is "." or "..": who takes a URI of
 * a file for a path with something in front knows no query. */
static bool
is_plain_rest(struct bytes rest)
{
	size_t start = 0;

	for (size_t i = 0; i <= rest.len; i++) {
		if (i < rest.len && strchr("/?#", rest.ptr[i]) == NULL)
			continue;
		if (is_dots(bytes_of(rest.ptr + start, i - start)))
			return false;
		start = i + 1;
	}
	return true;
}

static bool
is_plain_path(struct bytes path)
{
	size_t start = 0;

	for (size_t i = 0; i <= path.len; i++) {
		if (i < path.len && path.ptr[i] != '/')
			continue;
		if ((i == start && i != path.len) ||
		    is_dots(bytes_of(path.ptr + start, i - start)))
			return false;
		start = i + 1;
	}
	return true;
}

/* Whether no byte of it can be read in another way. */
static bool
has_plain_bytes(struct bytes uri)
{
	for (size_t i = 0; i < uri.len; i++) {
		uint8_t c = uri.ptr[i];

		if (c <= ' ' || c == 0x7f || c == '\\')
			return false;
		if (c == '%' && !is_plain_escape(bytes_after(uri, i)))
			return false;
	}
	return true;
}

/* How many bytes of in come before any of stop, and have no capital if low. */
static size_t
span(struct bytes in, const char *stop, bool low, bool *ret_bad)
{
	size_t n = 0;

	while (n < in.len && strchr(stop, in.ptr[n]) == NULL) {
		if (low && in.ptr[n] >= 'A' && in.ptr[n] <= 'Z')
			*ret_bad = true;
		n++;
	}
	return n;
}

bool
rules_is_plain(struct bytes uri)
{
	bool bad = false;
	size_t n;

	if (!has_plain_bytes(uri))
		return false;
	n = span(uri, ":/?#", true, &bad);
	if (n == 0 || n == uri.len || uri.ptr[n] != ':')
		return false; /* a URI has a scheme */
	uri = bytes_after(uri, n + 1);
	if (uri.len >= 2 && memcmp(uri.ptr, "//", 2) == 0) {
		uri = bytes_after(uri, 2);
		uri = bytes_after(uri, span(uri, "/?#", true, &bad));
	}
	n = span(uri, "?#", false, &bad);
	if (!is_plain_rest(bytes_after(uri, n)))
		return false;
	uri.len = n;
	if (uri.len != 0 && uri.ptr[0] == '/')
		uri = bytes_after(uri, 1);
	return !bad && is_plain_path(uri);
}

/* Takes a byte off the front of *in, percent-encoded or not. */
static uint8_t
take_byte(struct bytes *in)
{
	bool coded = in->len >= 3 && in->ptr[0] == '%' &&
	    ascii_hex(in->ptr[1]) != -1 && ascii_hex(in->ptr[2]) != -1;
	uint8_t c = coded ? (uint8_t)(ascii_hex(in->ptr[1]) << 4 |
	    ascii_hex(in->ptr[2])) : in->ptr[0];

	*in = bytes_after(*in, coded ? 3 : 1);
	return c;
}

bool
rules_goes_up(struct bytes target)
{
	size_t dots = 0;
	bool named = false, ended = false; /* the segment, and its name */

	while (target.len != 0 && target.ptr[0] != '?') {
		uint8_t c = take_byte(&target);

		if (c == '/' || c == '\\') {
			if (dots == 2 && !named)
				return true;
			dots = 0;
			named = ended = false;
		} else if (c == ';') {
			ended = true;
		} else if (!ended) {
			dots += c == '.';
			named = named || c != '.';
		}
	}
	return dots == 2 && !named;
}
