/* SPDX-License-Identifier: ISC */
/* The first line as what a judge says of the message in the second: what is
 * not clear is told; a message that takes the place of another is one, with
 * the id, and asks for the same. */
#include <assert.h>

#include "cmd/mcp-proxy/judge.h"
#include "cmd/mcp-proxy/message.h"
#include "cmd/mcp-proxy/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_message(const struct policy_verdict *v, struct bytes message)
{
	struct rpc was, is;
	struct error e;

	assert(message_parse(message, &was, &e) == 0);
	assert(message_parse(v->message, &is, &e) == 0);
	assert(was.kind == is.kind);
	assert(bytes_eq(was.id.text, is.id.text));
	assert(memchr(v->message.ptr, '\n', v->message.len) == NULL);
}

static void
check_verdict(struct bytes answer, struct bytes message)
{
	struct policy_verdict v;
	struct error e = {.text = ""};
	struct buf mem, out;

	buf_init(&mem, 1 << 20);
	buf_init(&out, 1 << 20);
	if (verdict_parse(answer, POLICY_REQUEST, message, &mem, &v, &e) != 0) {
		assert(e.text[0] != '\0');
	} else {
		assert(v.rule.len <= POLICY_RULE_MAX);
		assert((v.action == POLICY_DENY) == (v.text.len != 0));
		assert(v.text.len <= POLICY_TEXT_MAX);
		assert((v.action == POLICY_REWRITE) == (v.message.len != 0));
		if (v.action == POLICY_REWRITE)
			check_message(&v, message);
		if (v.action == POLICY_DENY)
			assert(policy_write_denial(&out, bytes_cstr("1"),
			    bytes_cstr("tools/call"), false, v.text) == 0);
	}
	buf_reset(&mem);
	buf_reset(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = len == 0 ? NULL : memchr(data, '\n', len);
	struct bytes in = bytes_of(data, len), text;
	size_t first = end == NULL ? len : (size_t)(end - data);
	enum judge_word word;
	ssize_t n = judge_take(in, &word, &text);

	assert(n <= (ssize_t)len);
	assert(n <= 0 || text.len == (size_t)n - JUDGE_LENGTH_LEN - 1);
	check_verdict(bytes_of(data, first), end == NULL ? bytes_of(NULL, 0)
	    : bytes_after(in, first + 1));
	return 0;
}
