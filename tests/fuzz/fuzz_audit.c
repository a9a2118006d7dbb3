/* SPDX-License-Identifier: ISC */
/* Any text as audit files, of which the first byte says where one ends: the
 * verifier says the same however it is given, and of a file that it finds
 * whole, the second line cannot go unless it is the last. */
#include <assert.h>

#include "cmd/mcp-proxy/auditcheck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct verdict {
	bool whole;
	struct auditcheck_place at;
	uint64_t first, last;
	uint8_t digest[SHA256_LEN];
};

static int
feed(struct auditcheck *c, struct bytes in, size_t chunk, struct error *e)
{
	while (in.len != 0) {
		size_t n = in.len < chunk ? in.len : chunk;

		if (auditcheck_feed(c, bytes_of(in.ptr, n), e) != 0)
			return -1;
		in = bytes_after(in, n);
	}
	return 0;
}

static struct verdict
verify(struct bytes one, struct bytes two, size_t chunk)
{
	const uint8_t head[SHA256_LEN] = {0};
	struct verdict v = {.whole = false};
	struct auditcheck c;
	struct error e;

	auditcheck_init(&c, 0, head);
	v.whole = feed(&c, one, chunk, &e) == 0 &&
	    auditcheck_end_file(&c, &e) == 0 && feed(&c, two, chunk, &e) == 0 &&
	    auditcheck_finish(&c, false, &e) == 0;
	v.at = c.at;
	v.first = c.first;
	v.last = c.last;
	memcpy(v.digest, c.digest, sizeof v.digest);
	auditcheck_done(&c);
	return v;
}

static void
check_shorter(struct bytes in)
{
	const uint8_t *end = in.len == 0 ? NULL : memchr(in.ptr, '\n', in.len);
	struct auditline l;
	struct bytes rest;

	if (end == NULL || auditline_parse(bytes_of(in.ptr,
	    (size_t)(end - in.ptr)), &l) != 0)
		return;
	rest = bytes_after(in, (size_t)(end - in.ptr) + 1);
	end = rest.len == 0 ? NULL : memchr(rest.ptr, '\n', rest.len);
	if (end == NULL)
		return;
	/* The second line is gone, and there was a third. */
	in.len -= rest.len;
	rest = bytes_after(rest, (size_t)(end - rest.ptr) + 1);
	if (rest.len != 0)
		assert(!verify(in, rest, SIZE_MAX).whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t cut = len == 0 ? 0 : data[0] * 16U;
	struct bytes in = bytes_of(data, len), two;
	struct verdict v, w;

	in = bytes_after(in, len == 0 ? 0 : 1);
	cut = cut < in.len ? cut : in.len;
	two = bytes_after(in, cut);
	v = verify(bytes_of(in.ptr, cut), two, SIZE_MAX);
	w = verify(bytes_of(in.ptr, cut), two, 1);
	assert(v.whole == w.whole && v.at.file == w.at.file &&
	    v.at.line == w.at.line && v.first == w.first && v.last == w.last);
	assert(memcmp(v.digest, w.digest, sizeof v.digest) == 0);
	assert(!v.whole || (v.first != 0 && v.first <= v.last));
	if (v.whole && two.len == 0)
		check_shorter(in);
	return 0;
}
