/* SPDX-License-Identifier: ISC */
#include "common/base64.h"

static int
digit_of(uint8_t c, enum base64_kind kind)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if ((c == '+' || c == '/') && kind != BASE64_URL)
		return c == '+' ? 62 : 63;
	if ((c == '-' || c == '_') && kind != BASE64_PADDED)
		return c == '-' ? 62 : 63;
	return -1;
}

/* Whether bits of the last digit say nothing and are not 0, so that the same
 * bytes could be written in another way. */
static bool
has_rest(uint32_t bits, size_t digits)
{
	static const uint32_t unused[4] = {[2] = 0x0f, [3] = 0x03};

	return (bits & unused[digits % 4]) != 0;
}

int
base64_decode(struct bytes in, enum base64_kind kind, struct buf *out)
{
	size_t pad = 0;
	uint32_t bits = 0;

	if (kind == BASE64_PADDED && in.len % 4 != 0)
		return -1;
	while (kind != BASE64_URL && pad < 2 && in.len != 0 &&
	    in.ptr[in.len - 1] == '=') {
		in.len--;
		pad++;
	}
	if (in.len % 4 == 1)
		return -1;
	for (size_t i = 0; i < in.len; i++) {
		int d = digit_of(in.ptr[i], kind);
		uint8_t byte;

		if (d == -1)
			return -1;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 == 0)
			continue;
		byte = (uint8_t)(bits >> (6 - i % 4 * 2));
		if (buf_add(out, bytes_of(&byte, 1)) != 0)
			return -1;
	}
	return kind == BASE64_URL && has_rest(bits, in.len) ? -1 : 0;
}
