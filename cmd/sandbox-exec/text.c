/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/text.h"

#include "common/utf8.h"

/* Appends runs of good characters whole. */
static int
add(struct buf *out, struct bytes in, bool line)
{
	size_t good = 0;

	while (good < in.len) {
		uint32_t c;
		size_t n = utf8_next(bytes_after(in, good), &c);

		if (c != UTF8_INVALID &&
		    !(line && (c < 0x20 || (c >= 0x7f && c < 0xa0)))) {
			good += n;
			continue;
		}
		if (buf_add(out, bytes_of(in.ptr, good)) != 0 ||
		    buf_add_str(out, UTF8_REPLACEMENT) != 0)
			return -1;
		in = bytes_after(in, good + n);
		good = 0;
	}
	return buf_add(out, in);
}

int
text_add(struct buf *out, struct bytes in)
{
	return add(out, in, false);
}

int
text_add_line(struct buf *out, struct bytes in)
{
	return add(out, in, true);
}
