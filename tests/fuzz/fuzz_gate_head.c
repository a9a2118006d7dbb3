/* SPDX-License-Identifier: ISC */
/* The gate's heads: what is accepted is written as one head, with the Host
 * that was decided about and no other, which the parser takes again. */
#include <stdlib.h>

#include "cmd/sandbox-exec/gate_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

static void
check_written(struct gate_head *h)
{
	struct http_scan scan = {0};
	struct gate_head again;
	struct error e;
	struct buf out;

	buf_init(&out, 4 * GATE_HEAD_MAX);
	require(gate_head_write(&out, h, "decided.example") == 0);
	require(http_scan_head(&scan, buf_bytes(&out), 4 * GATE_HEAD_MAX,
	    &e) == (ssize_t)buf_len(&out));
	if (h->http.field_count < HTTP_FIELDS_MAX) {
		require(gate_head_parse(buf_bytes(&out), &again, &e) == 0);
		require(again.form == FORM_ORIGIN && again.port == 80);
		require(strcmp(again.host, "decided.example") == 0);
		require(again.http.framing == h->http.framing);
	}
	buf_reset(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_scan scan = {0};
	struct bytes in = bytes_of(data, size);
	struct gate_head h;
	struct error e;
	ssize_t n;

	http_set_head_max(4 * GATE_HEAD_MAX);
	n = http_scan_head(&scan, in, GATE_HEAD_MAX, &e);
	if (n <= 0 || gate_head_parse(bytes_of(data, (size_t)n), &h,
	    &e) != 0)
		return 0;
	require(h.host[0] != '\0' && strlen(h.host) < sizeof h.host);
	if (h.form != FORM_CONNECT)
		check_written(&h);
	return 0;
}
