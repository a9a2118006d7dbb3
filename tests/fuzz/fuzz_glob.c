/* SPDX-License-Identifier: ISC */
/* A pattern in the first line, names in the others, one for each directory:
 * what may come next is empty once nothing can match any more. */
#include <assert.h>

#include "cmd/sandbox-exec/glob.h"
#include "common/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

/* Takes the line at *in. */
static struct bytes
take_line(struct bytes *in)
{
	const uint8_t *end = in->len == 0 ? NULL :
	    memchr(in->ptr, '\n', in->len);
	struct bytes line = bytes_of(in->ptr, end == NULL ? in->len :
	    (size_t)(end - in->ptr));

	*in = bytes_after(*in, line.len + (end != NULL));
	return line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct bytes left = bytes_of(in, len);
	struct glob_set set, below, link;
	struct error e = {.text = ""};
	struct glob *g = glob_new(take_line(&left), &e);

	if (g == NULL) {
		assert(e.text[0] != '\0');
		return 0;
	}
	glob_start(g, &set);
	while (left.len != 0) {
		char name[256];
		bool matched;

		if (str_from_bytes(name, sizeof name, take_line(&left)) != 0 ||
		    name[0] == '\0')
			continue;
		matched = glob_step(g, &set, name, &below, &link);
		assert(!glob_is_empty(&set) || (!matched &&
		    glob_is_empty(&below) && glob_is_empty(&link)));
		for (size_t i = 0; i < GLOB_SET_WORDS; i++)
			assert((link.bits[i] & ~below.bits[i]) == 0);
		set = below;
	}
	glob_free(g);
	return 0;
}
