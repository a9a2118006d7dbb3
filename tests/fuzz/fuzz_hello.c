/* SPDX-License-Identifier: ISC */
/* The peer's HELLO: what is accepted keeps the limits of adit-frame(5). */
#include <assert.h>

#include "common/hop.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct error e = {.text = ""};
	struct chan_limits l;
	struct hop_peer p;

	if (hop_parse_hello(bytes_of(in, len), &p, &l, &e) != 0) {
		assert(e.text[0] != '\0');
		return 0;
	}
	assert(l.frame >= FRAME_LIMIT_MIN && l.frame <= FRAME_LIMIT_MAX);
	assert(l.window >= CHAN_WINDOW_MIN && l.window <= CHAN_WINDOW_MAX);
	assert(l.connection_window >= l.window && l.streams <= 65536);
	assert(memchr(p.name, '\0', sizeof p.name) != NULL);
	assert(memchr(p.version, '\0', sizeof p.version) != NULL);
	assert(memchr(p.instance, '\0', sizeof p.instance) != NULL);
	assert(memchr(p.domain, '\0', sizeof p.domain) != NULL);
	assert(strpbrk(p.domain, " \n=") == NULL);
	assert(p.generation >= 0);
	return 0;
}
