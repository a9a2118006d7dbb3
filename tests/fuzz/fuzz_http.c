/* SPDX-License-Identifier: ISC */
/* A request or, after a first byte with bit 0 set, a response: head and body
 * are read, written again for the next hop, and read once more.  What we write
 * must be what we would take, with the same payload. */
#include <assert.h>

#include "common/http.h"

enum {
	HEAD_MAX = 65536,
	OUT_MAX = 1 << 20,
	OWN_FIELDS = 8, /* at most so many are added to those that came */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Reads a message.  Returns false if it is none or not complete. */
static bool
read_message(bool is_request, struct bytes in, struct http_head *h,
    struct buf *payload)
{
	struct http_scan scan = {0};
	struct body body;
	struct bytes run;
	struct error e;
	ssize_t n = http_scan_head(&scan, in, HEAD_MAX, &e);

	if (n <= 0)
		return false;
	if (is_request ? http_parse_request(bytes_of(in.ptr, (size_t)n), h,
	    &body, &e) != 0 : http_parse_response(bytes_of(in.ptr, (size_t)n),
	    false, h, &body, &e) != 0)
		return false;
	while (n > 0 && body.state != BODY_DONE) {
		in = bytes_after(in, (size_t)n);
		n = body_take(&body, in, &run, &e);
		if (n >= 0 && buf_add(payload, run) != 0)
			return false;
	}
	return n >= 0 && body_may_end(&body);
}

static int
write_message(bool is_request, const struct http_head *h,
    struct bytes payload, struct buf *out)
{
	int r = is_request ? http_write_request(out, h)
	    : http_write_response(out, h, h->framing, h->close);

	return r != 0 || body_write(out, h->framing, payload) != 0 ||
	    body_write_end(out, h->framing) != 0 ? -1 : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct http_head first, second;
	struct buf one, two, out;
	bool is_request;

	if (len == 0)
		return 0;
	is_request = (data[0] & 1) == 0;
	http_set_head_max(HEAD_MAX);
	buf_init(&one, OUT_MAX);
	buf_init(&two, OUT_MAX);
	buf_init(&out, OUT_MAX);
	if (read_message(is_request, bytes_of(data + 1, len - 1), &first,
	    &one) && write_message(is_request, &first, buf_bytes(&one),
	    &out) == 0 && buf_len(&out) < HEAD_MAX &&
	    first.field_count < HTTP_FIELDS_MAX - OWN_FIELDS) {
		assert(read_message(is_request, buf_bytes(&out), &second,
		    &two));
		assert(bytes_eq(buf_bytes(&one), buf_bytes(&two)));
		assert(first.framing == second.framing);
		assert(bytes_eq(first.host, second.host));
	}
	buf_reset(&one);
	buf_reset(&two);
	buf_reset(&out);
	return 0;
}
