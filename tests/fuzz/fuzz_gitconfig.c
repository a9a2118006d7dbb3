/* SPDX-License-Identifier: ISC */
/* Settings of git: no file may crash the parser, it ends, and what it finds
 * fits. */
#include <stdlib.h>
#include <string.h>

#include "cmd/sandbox-exec/gitconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gitconfig_entry e;
	struct gitconfig c;
	size_t left;

	gitconfig_init(&c, bytes_of(data, size));
	left = c.rest.len;
	while (gitconfig_next(&c, &e)) {
		if (c.rest.len >= left || strchr(e.key, '.') == NULL ||
		    strlen(e.key) >= GITCONFIG_KEY_LEN ||
		    strlen(e.value) >= GITCONFIG_VALUE_LEN)
			abort();
		left = c.rest.len;
	}
	return 0;
}
