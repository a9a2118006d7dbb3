/* SPDX-License-Identifier: ISC */
/* The gate's SOCKS parsers: no input may crash them, and more bytes never
 * change a decision. */
#include <stdlib.h>

#include "cmd/sandbox-exec/gate_socks.h"

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
	struct gate_socks whole, part;
	enum socks_reply why;
	bool accepted;
	ssize_t want = gate_socks_request(bytes_of(data, size), &whole, &why);
	ssize_t greeting = gate_socks_greeting(bytes_of(data, size),
	    &accepted);

	require(want <= (ssize_t)size && greeting <= (ssize_t)size);
	for (size_t len = 0; len < size && len < 300; len++) {
		ssize_t r = gate_socks_request(bytes_of(data, len), &part,
		    &why);

		require(r == 0 || r == want);
		require(r <= 0 || strcmp(part.host, whole.host) == 0);
		r = gate_socks_greeting(bytes_of(data, len), &accepted);
		require(r == 0 || r == greeting);
	}
	return 0;
}
