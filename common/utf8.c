/* SPDX-License-Identifier: ISC */
#include "common/utf8.h"

size_t
utf8_len(const uint8_t *s, size_t len)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2
	    : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (n <= 1 || n > len)
		return n <= 1 ? n : 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
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
