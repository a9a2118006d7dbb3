/* SPDX-License-Identifier: ISC */
#include "common/runs.h"

enum { HEADER_LEN = 8 }; /* channel and length */

void
runs_init(struct runs *r, size_t max)
{
	buf_init(&r->buf, max);
	r->last = 0;
}

void
runs_reset(struct runs *r)
{
	buf_reset(&r->buf);
	r->last = 0;
}

bool
runs_is_empty(const struct runs *r)
{
	return r->last == 0;
}

static void
put_header(uint8_t *at, uint16_t channel, size_t len)
{
	be32_put(at, channel);
	be32_put(at + 4, (uint32_t)len);
}

int
runs_add(struct runs *r, uint16_t channel, struct bytes in)
{
	bool joins = r->last != 0 &&
	    be32_get(r->buf.mem + r->buf.tail - r->last) == channel;
	size_t before = joins ? r->last : HEADER_LEN;
	uint8_t *at = buf_reserve(&r->buf,
	    (joins ? 0 : HEADER_LEN) + in.len);

	if (at == NULL)
		return -1;
	if (!joins)
		at += HEADER_LEN;
	memcpy(at, in.ptr, in.len);
	put_header(at - before, channel, before - HEADER_LEN + in.len);
	buf_commit(&r->buf, (joins ? 0 : HEADER_LEN) + in.len);
	r->last = before + in.len;
	return 0;
}

struct bytes
runs_first(const struct runs *r, uint16_t *ret_channel)
{
	const uint8_t *at = r->buf.mem + r->buf.head;

	*ret_channel = (uint16_t)be32_get(at);
	return bytes_of(at + HEADER_LEN, be32_get(at + 4));
}

void
runs_drop(struct runs *r, size_t n)
{
	uint16_t channel;
	size_t len = runs_first(r, &channel).len;
	bool only = r->last == buf_len(&r->buf);

	if (n == len) {
		buf_drop(&r->buf, HEADER_LEN + len);
		if (only)
			r->last = 0;
		return;
	}
	buf_drop(&r->buf, n);
	put_header(r->buf.mem + r->buf.head, channel, len - n);
	if (only)
		r->last -= n;
}
