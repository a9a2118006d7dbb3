/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/read.h"

#include <inttypes.h>

/* Puts where it happened in front of the text. */
static int
fail_at(const struct reader *r, size_t past, struct error *e)
{
	return error_prefix(e, "offset %" PRIu64, r->offset + past);
}

static int
take_preamble(struct reader *r, struct bytes in, struct error *e)
{
	enum frame_kind kind;
	int n = frame_get_preamble(in, &kind, e);

	if (n == 1)
		r->state = kind == FRAME_KIND_HOP ? READER_HOP
		    : READER_CAPTURE;
	return n;
}

/* Decodes the frame after the first past bytes of in. */
static ssize_t
take_frame(const struct reader *r, struct bytes in, size_t past,
    struct frame *ret, struct error *e)
{
	ssize_t n = frame_decode(bytes_after(in, past), FRAME_LIMIT_MAX, ret,
	    e);

	return n < 0 ? fail_at(r, past, e) : n;
}

static ssize_t
take_captured(const struct reader *r, struct bytes in, struct record *ret,
    struct error *e)
{
	struct frame mark;
	ssize_t n = take_frame(r, in, 0, &mark, e), m;

	if (n <= 0)
		return n;
	if (mark.type != FRAME_MARK) {
		error_set(e, "%s without a MARK before it",
		    frame_type_name(mark.type));
		return fail_at(r, 0, e);
	}
	ret->marked = true;
	ret->mark = frame_get_mark(mark.payload);
	m = take_frame(r, in, (size_t)n, &ret->frame, e);
	if (m <= 0)
		return m;
	if (ret->frame.type != FRAME_MARK)
		return n + m;
	error_set(e, "MARK without a frame after it");
	return fail_at(r, 0, e);
}

static ssize_t
take_raw(const struct reader *r, struct bytes in, struct record *ret,
    struct error *e)
{
	ssize_t n = take_frame(r, in, 0, &ret->frame, e);

	ret->marked = false;
	if (n <= 0 || ret->frame.type != FRAME_MARK)
		return n;
	error_set(e, "MARK outside a capture");
	return fail_at(r, 0, e);
}

int
reader_next(struct reader *r, struct bytes in, size_t *ret_used,
    struct record *ret, struct error *e)
{
	struct record record = {.marked = false};
	size_t past = 0;
	ssize_t n;

	*ret_used = 0;
	if (r->state == READER_NEW) {
		n = take_preamble(r, in, e);
		if (n <= 0)
			return n < 0 ? fail_at(r, 0, e) : 0;
		past = FRAME_PREAMBLE_LEN;
		r->offset += past;
		in = bytes_after(in, past);
		*ret_used = past;
	}
	n = r->state == READER_CAPTURE ? take_captured(r, in, &record, e)
	    : take_raw(r, in, &record, e);
	if (n <= 0)
		return (int)n;
	r->offset += (uint64_t)n;
	*ret_used = past + (size_t)n;
	*ret = record;
	return 1;
}

int
reader_end(const struct reader *r, struct bytes rest, struct record *ret,
    struct error *e)
{
	struct record last = {.marked = true};

	if (r->state != READER_NEW && rest.len == 0)
		return 0;
	if (r->state == READER_CAPTURE &&
	    frame_decode(rest, FRAME_LIMIT_MAX, &last.frame, e) ==
	    (ssize_t)rest.len) {
		last.mark = frame_get_mark(last.frame.payload);
		last.frame.payload = bytes_of(NULL, 0);
		if (last.mark.dropped != 0) {
			*ret = last;
			return 1;
		}
	}
	error_set(e, rest.len == 0 ? "empty, not even a preamble"
	    : r->state == READER_NEW ? "cut off inside the preamble"
	    : r->state == READER_CAPTURE ? "cut off inside a record"
	    : "cut off inside a frame");
	return fail_at(r, 0, e);
}
