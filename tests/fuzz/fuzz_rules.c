/* SPDX-License-Identifier: ISC */
/* A pattern in the first line, what it is held against behind it: as a name, as
 * a URI, and as a message, of which it is told what it is about. */
#include <assert.h>

#include "cmd/mcp-proxy/policy.h"
#include "cmd/mcp-proxy/rules.h"
#include "cmd/mcp-proxy/strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PATTERN_LEN = 256 };

/* The obvious way, whose time has no limit. */
static bool
match_slowly(const char *p, struct bytes name)
{
	if (*p == '\0')
		return name.len == 0;
	if (*p == '*')
		return match_slowly(p + 1, name) ||
		    (name.len != 0 && match_slowly(p, bytes_after(name, 1)));
	return name.len != 0 && (uint8_t)*p == name.ptr[0] &&
	    match_slowly(p + 1, bytes_after(name, 1));
}

static void
check_pattern(struct bytes text, struct bytes name)
{
	char pattern[PATTERN_LEN] = "";
	char *list[] = {pattern, NULL};

	if (text.len >= sizeof pattern)
		return;
	memcpy(pattern, text.ptr == NULL ? (const uint8_t *)"" : text.ptr,
	    text.len);
	if (strlen(pattern) < 8 && name.len < 24)
		assert(rules_match(pattern, name) ==
		    match_slowly(pattern, name));
	if (pattern[0] == '!')
		assert(rules_allow(list, name) != rules_match(pattern + 1,
		    name));
	else
		assert(rules_allow(list, name) == rules_match(pattern, name));
}

static void
check_message(struct bytes in)
{
	struct policy_question q = {.session = ""};
	struct error e = {.text = ""};
	struct rpc m;
	struct jsonr v;
	struct buf text;

	if (jsonr_parse(in, &v, &e) != 0)
		return;
	if (strict_check(v, &e) != 0)
		assert(e.text[0] != '\0');
	buf_init(&text, 1 << 20);
	if (v.kind != JSONR_ARRAY && rpc_take(v, &m, &e) == 0 &&
	    rpc_look(&m, &e) == 0 && policy_look(&m, &text, &q, &e) == 0) {
		assert((q.kind == POLICY_OTHER) == (q.name.ptr == NULL));
		assert((q.method.ptr == NULL) == (m.kind == RPC_RESPONSE));
		assert(q.method.len + q.name.len == buf_len(&text));
	}
	buf_reset(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = bytes_of(data, len), rest;
	const uint8_t *end = len == 0 ? NULL : memchr(data, '\n', len);
	size_t first = end == NULL ? len : (size_t)(end - data);

	rest = end == NULL ? bytes_of(NULL, 0) : bytes_after(in, first + 1);
	check_pattern(bytes_of(data, first), rest);
	if (rules_is_plain(rest))
		assert(memchr(rest.ptr, ' ', rest.len) == NULL);
	check_message(rest);
	return 0;
}
