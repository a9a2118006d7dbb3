/* SPDX-License-Identifier: ISC */
/* The codec: what decodes must encode to the same bytes. */
#include <assert.h>

#include "common/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct bytes rest = bytes_of(in, len);
	enum frame_kind kind;
	struct error e;
	struct frame f;
	ssize_t n;

	if (frame_get_preamble(rest, &kind, &e) == 1)
		rest = bytes_after(rest, FRAME_PREAMBLE_LEN);
	while ((n = frame_decode(rest, FRAME_LIMIT_MIN, &f, &e)) > 0) {
		uint8_t reason[FRAME_REASON_LEN + FRAME_TEXT_MAX];
		uint8_t header[FRAME_HEADER_LEN], mark[FRAME_MARK_LEN];
		size_t body = (size_t)n - FRAME_HEADER_LEN;

		assert((size_t)n <= rest.len && f.payload.len == body);
		assert(f.payload.ptr == rest.ptr + FRAME_HEADER_LEN);
		frame_put_header(header, &f, (uint32_t)f.payload.len);
		assert(memcmp(header, rest.ptr, sizeof header) == 0);
		if (f.type == FRAME_RESET || f.type == FRAME_GOAWAY) {
			struct frame_reason r = frame_get_reason(f.payload);

			assert(frame_put_reason(reason, &r) == body);
			assert(memcmp(reason, f.payload.ptr, body) == 0);
			assert(frame_code_name(r.code)[0] != '\0');
			assert(frame_blame_name(r.blame)[0] != '\0');
		} else if (f.type == FRAME_MARK) {
			struct frame_mark m = frame_get_mark(f.payload);

			frame_put_mark(mark, &m);
			assert(memcmp(mark, f.payload.ptr, sizeof mark) == 0);
		}
		rest = bytes_after(rest, (size_t)n);
	}
	return 0;
}
