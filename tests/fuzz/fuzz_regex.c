/* SPDX-License-Identifier: ISC */
/* A regular expression in the first line, a line to match in the rest: a line
 * that matches holds the literal, and asking again gives the same. */
#include <assert.h>

#include "cmd/sandbox-exec/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	const uint8_t *end = len == 0 ? NULL : memchr(in, '\n', len);
	size_t pattern_len = end == NULL ? len : (size_t)(end - in);
	struct bytes line = end == NULL ? bytes_of(NULL, 0) :
	    bytes_of(end + 1, len - pattern_len - 1);
	struct error e = {.text = ""};
	struct regex *r;
	bool match;

	if (pattern_len > 300 || line.len > 3000)
		return 0;
	r = regex_new(bytes_of(in, pattern_len), &e);
	if (r == NULL) {
		assert(e.text[0] != '\0');
		return 0;
	}
	match = regex_match(r, line);
	if (match && regex_literal(r).len != 0)
		assert(memmem(line.ptr, line.len, regex_literal(r).ptr,
		    regex_literal(r).len) != NULL);
	assert(regex_match(r, line) == match);
	regex_free(r);
	return 0;
}
