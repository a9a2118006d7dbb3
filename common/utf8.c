/* SPDX-License-Identifier: ISC */
#include "common/utf8.h"

/* How many bytes a sequence with this first byte has, and what its second may
 * be; 0 if it begins none. */
static size_t
lead(uint8_t b, uint8_t *low, uint8_t *high)
{
	*low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
	*high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
	if (b < 0x80)
		return 1;
	if (b < 0xc2 || b > 0xf4)
		return 0;
	return b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

size_t
utf8_next(struct bytes in, uint32_t *ret)
{
	static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint8_t low, high;
	size_t n = lead(in.ptr[0], &low, &high);
	uint32_t c = n == 0 ? 0 : in.ptr[0] & masks[n];

	*ret = UTF8_INVALID;
	if (n == 0)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if (i == in.len || in.ptr[i] < low || in.ptr[i] > high)
			return i;
		c = c << 6 | (in.ptr[i] & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*ret = c;
	return n;
}

size_t
utf8_put(uint8_t out[static 4], uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (uint8_t)(marks[n] | c);
	return n;
}

size_t
utf8_len(const uint8_t *s, size_t len)
{
	uint32_t c;
	size_t n = utf8_next(bytes_of(s, len), &c);

	return c == UTF8_INVALID ? 0 : n;
}

size_t
utf8_units(struct bytes in)
{
	size_t units = 0;

	while (in.len != 0) {
		uint32_t c;

		in = bytes_after(in, utf8_next(in, &c));
		units += c != UTF8_INVALID && c > 0xffff ? 2 : 1;
	}
	return units;
}

bool
utf8_is_valid(struct bytes in)
{
	while (in.len != 0) {
		size_t n = utf8_len(in.ptr, in.len);

		if (n == 0)
			return false;
		in = bytes_after(in, n);
	}
	return true;
}

bool
utf8_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	    (c >= 0xe0000 && c <= 0xe007f) || c == UTF8_INVALID;
}
