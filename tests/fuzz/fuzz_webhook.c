/* SPDX-License-Identifier: ISC */
/* Webhook deliveries: the same whole and byte by byte, and never taken for
 * signed. */
#include <assert.h>

#include "cmd/sandbox-worker/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static int
feed(struct delivery *d, struct bytes in, size_t step)
{
	struct error e = {.code = 0};
	int r = 0;

	delivery_init(d);
	while (r == 0 && in.len != 0) {
		size_t n = in.len < step ? in.len : step;

		r = delivery_feed(d, bytes_of(in.ptr, n), &e);
		in = bytes_after(in, n);
	}
	return r < 0 ? e.code : r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static const char key_text[] =
	    "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	struct delivery whole, pieces;
	struct webhook_key key;
	struct error e;
	int r;

	assert(webhook_key_parse(key_text, &key, &e) == 0);
	r = feed(&whole, bytes_of(in, len), len);
	assert(r == feed(&pieces, bytes_of(in, len), 1));
	assert(r == 0 || r == 1 || (r >= 400 && r <= 599));
	if (r == 1) {
		assert(bytes_eq(whole.found.id, pieces.found.id));
		assert(bytes_eq(whole.found.signature,
		    pieces.found.signature));
		assert(bytes_eq(whole.found.body, pieces.found.body));
		assert(webhook_verify(&key, &whole.found, 1700000000, &e) != 0);
		webhook_is_work(whole.found.body, &e);
	}
	webhook_is_work(bytes_of(in, len), &e);
	delivery_done(&whole);
	delivery_done(&pieces);
	return 0;
}
