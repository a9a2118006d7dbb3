/* SPDX-License-Identifier: ISC */
/* Any text: skimmed in two pieces it is the same as in one, and of a message
 * that is an answer to a number it finds the number. */
#include <assert.h>

#include "cmd/mcp-proxy/message.h"
#include "cmd/mcp-proxy/skim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = bytes_of(data, len);
	struct skim whole = {0}, parts = {0};
	uint32_t a = 0, b = 0, number;
	struct error e;
	struct rpc m;
	int r;

	skim_feed(&whole, in);
	skim_feed(&parts, bytes_of(data, len / 2));
	skim_feed(&parts, bytes_after(in, len / 2));
	r = skim_number(&whole, &a);
	assert(skim_number(&parts, &b) == r && a == b);
	/* Names with escapes are not looked into. */
	if (memchr(data, '\\', len) == NULL && message_parse(in, &m, &e) == 0 &&
	    m.kind == RPC_RESPONSE && m.id.kind == JSONR_NUMBER &&
	    message_number(m.id, &number) == 0)
		assert(r == 0 && a == number);
	return 0;
}
