/* SPDX-License-Identifier: ISC */
/* Server-sent events: any way to cut the bytes gives the same events, made of
 * all the bytes; and what is written again is the same event, or none. */
#include <assert.h>

#include "cmd/sandbox-worker/event.h"
#include "common/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

enum { MAX = 64, OUT_MAX = 1 << 20 };

/* The data of all events in raw, which are as many as said. */
static void
read_again(struct bytes raw, size_t count, struct bytes want)
{
	enum sse_result r;
	struct sse s;

	sse_init(&s, OUT_MAX);
	while (raw.len != 0) {
		raw = bytes_after(raw, sse_take(&s, raw, &r));
		if (r == SSE_EVENT) {
			assert(count == 1);
			assert(bytes_eq(buf_bytes(&s.data), want));
			count--;
		}
	}
	assert(count == 0);
	sse_done(&s);
}

static void
write_again(struct bytes raw, struct bytes data)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	assert(sse_replace(&out, raw, data) == 0);
	read_again(buf_bytes(&out), 1, data);
	buf_clear(&out);
	assert(sse_strip(&out, raw) == 0);
	assert(buf_len(&out) <= raw.len && sse_is_plain(buf_bytes(&out)));
	read_again(buf_bytes(&out), 0, data);
	buf_reset(&out);
}

static void
take_all(struct bytes in, size_t step, struct buf *out)
{
	const uint8_t *raw = in.ptr;
	struct sse s;

	sse_init(&s, MAX);
	while (in.len != 0) {
		enum sse_result r;
		size_t n = sse_take(&s, bytes_of(in.ptr, in.len < step ?
		    in.len : step), &r);

		assert(n != 0 && n <= in.len && r != SSE_FAILED);
		assert(buf_len(&s.data) <= MAX && buf_len(&s.line) <= MAX);
		if (r != SSE_MORE) {
			struct event ev;

			buf_format(out, "%d %s ", (int)r, s.name);
			buf_add(out, buf_bytes(&s.data));
			event_guess(buf_bytes(&s.data), &ev);
		}
		in = bytes_after(in, n);
		if (r == SSE_EVENT && step == SIZE_MAX)
			write_again(bytes_of(raw, (size_t)(in.ptr - raw)),
			    buf_bytes(&s.data));
		if (r != SSE_MORE)
			raw = in.ptr;
	}
	sse_done(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct buf whole, cut;

	buf_init(&whole, OUT_MAX);
	buf_init(&cut, OUT_MAX);
	take_all(bytes_of(in, len), SIZE_MAX, &whole);
	take_all(bytes_of(in, len), 1, &cut);
	assert(bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
	buf_clear(&cut);
	take_all(bytes_of(in, len), 7, &cut);
	assert(bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
	buf_reset(&whole);
	buf_reset(&cut);
	return 0;
}
