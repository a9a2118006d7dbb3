/* SPDX-License-Identifier: ISC */
/* Server-sent events: any way to cut the bytes gives the same events. */
#include <assert.h>

#include "cmd/sandbox-worker/event.h"
#include "common/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

enum { MAX = 64, OUT_MAX = 1 << 20 };

static void
take_all(struct bytes in, size_t step, struct buf *out)
{
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
