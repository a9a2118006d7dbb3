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
	if (c == '+' || (c == '-' && kind == BASE64_ANY))
		return 62;
	return c == '/' || (c == '_' && kind == BASE64_ANY) ? 63 : -1;
}

int
base64_decode(struct bytes in, enum base64_kind kind, struct buf *out)
{
	size_t pad = 0;
	uint32_t bits = 0;

	if (kind == BASE64_PADDED && in.len % 4 != 0)
		return -1;
	while (pad < 2 && in.len != 0 && in.ptr[in.len - 1] == '=') {
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
	return 0;
}
