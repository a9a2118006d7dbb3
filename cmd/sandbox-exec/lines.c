/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/lines.h"

void
lines_init(struct lines *l)
{
	*l = (struct lines){.looked = 0};
	buf_init(&l->in, 2 * LINES_LEN_MAX);
}

void
lines_done(struct lines *l)
{
	buf_reset(&l->in);
}

int
lines_add(struct lines *l, struct bytes in)
{
	return buf_add(&l->in, in);
}

int
lines_next(struct lines *l, struct bytes *ret)
{
	struct bytes b = buf_bytes(&l->in), rest;
	const uint8_t *end;
	size_t len;

	for (;;) {
		rest = bytes_after(b, l->looked);
		end = rest.len == 0 ? NULL : memchr(rest.ptr, '\n', rest.len);
		len = end == NULL ? b.len : (size_t)(end - b.ptr);
		if (end == NULL && len <= LINES_LEN_MAX && !l->skipping) {
			l->looked = len;
			if (len == 0)
				buf_reset(&l->in);
			return 0;
		}
		l->looked = 0;
		buf_drop(&l->in, end == NULL ? len : len + 1);
		if (l->skipping) {
			l->skipping = end == NULL;
			b = buf_bytes(&l->in);
			if (end == NULL)
				return 0;
			continue;
		}
		if (len > LINES_LEN_MAX) {
			l->skipping = end == NULL;
			return -1;
		}
		*ret = bytes_of(b.ptr, len != 0 && b.ptr[len - 1] == '\r' ?
		    len - 1 : len);
		return 1;
	}
}
