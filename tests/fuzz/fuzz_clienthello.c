/* SPDX-License-Identifier: ISC */
/* The ClientHello parser: no input may crash it, a name that it returns is
 * a host name, and more bytes never change a decision. */
#include <stdlib.h>

#include "common/clienthello.h"
#include "common/str.h"

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
	struct clienthello whole, part;
	int want = clienthello_parse(bytes_of(data, size), &whole);
	size_t step = size / 64 + 1;

	require(want <= 0 || str_is_hostname(whole.name));
	require(want >= 0 || (whole.alert != 0 && whole.text != NULL));
	for (size_t len = 0; len < size; len += step) {
		int r = clienthello_parse(bytes_of(data, len), &part);

		require(r == 0 || r == want);
		require(r <= 0 || str_eq(part.name, whole.name));
		require(r >= 0 || part.alert == whole.alert);
	}
	return 0;
}
