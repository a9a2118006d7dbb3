/* SPDX-License-Identifier: ISC */
/* Captures and hops from strangers: cutting them in pieces gives the same
 * records as all at once, and every record can be printed. */
#include <stdlib.h>

#include "cmd/frame-dump/print.h"
#include "cmd/frame-dump/read.h"

enum { LINES_MAX = 32 << 20 };

static const struct print_style style = {.hex = true, .payload = true};

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* Reads in, of which only step more bytes are there each time; appends lines
 * and, at the end, the error. */
static void
print_all(struct bytes in, size_t step, struct buf *out)
{
	struct reader r = {.state = READER_NEW};
	struct error e = {.text = ""};
	struct record record;
	size_t there = 0, used;
	int n = 0;

	while (n >= 0 && there < in.len) {
		there = in.len - there < step ? in.len : there + step;
		do {
			n = reader_next(&r, bytes_of(in.ptr, there), &used,
			    &record, &e);
			if (n == 1) {
				print_text(out, &style, &record, 0);
				print_json(out, &style, &record);
			}
			in = bytes_after(in, used);
			there -= used;
		} while (n == 1);
	}
	if (n == 0 && reader_end(&r, in, &record, &e) == 1)
		print_text(out, &style, &record, 0);
	buf_add_str(out, e.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct bytes in = bytes_of(at, len);
	struct buf whole, pieces;

	buf_init(&whole, LINES_MAX);
	buf_init(&pieces, LINES_MAX);
	print_all(in, len, &whole);
	print_all(in, 1, &pieces);
	if (!bytes_eq(buf_bytes(&whole), buf_bytes(&pieces)))
		abort();
	buf_reset(&whole);
	buf_reset(&pieces);
	return 0;
}
