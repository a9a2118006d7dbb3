/* SPDX-License-Identifier: ISC */
/* The gate's DNS messages: no query may crash the parser, the answer to it
 * fits, and it has the query's id and question. */
#include <stdlib.h>

#include "cmd/sandbox-exec/gate_dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t v6[16];
	uint8_t out[GATE_DNS_ANSWER_MAX];
	struct bytes in = bytes_of(data, size);
	char again[ALLOW_HOST_MAX + 1];
	struct gate_dns q;
	struct error e;
	int code = gate_dns_parse(in, &q);
	size_t n;

	if (code == -1)
		return 0;
	require(strlen(q.shown) < DNS_NAME_TEXT_MAX);
	require(q.name[0] == '\0' || allow_canonical(bytes_cstr(q.name),
	    again, &e) == 0);
	n = gate_dns_answer(in, &q, (enum dns_rcode)code, code == DNS_OK ?
	    bytes_of(v6, sizeof v6) : bytes_of(NULL, 0), out);
	require(n >= 12 && n <= sizeof out && memcmp(out, data, 2) == 0);
	require(12 + q.question_len <= size && memcmp(out + 12, data + 12,
	    q.question_len) == 0);
	return 0;
}
