/* SPDX-License-Identifier: ISC */
/* Any text: it is a message or none; a message with other ids is one line that
 * is the same message with those ids, and back again.  The same bytes as
 * a header that mirrors a value, and as the id of an event. */
#include <assert.h>

#include "cmd/mcp-proxy/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Whether two texts differ in line breaks only. */
static void
check_same(struct bytes a, struct bytes b)
{
	assert(a.len == b.len);
	for (size_t i = 0; i < a.len; i++)
		assert(a.ptr[i] == b.ptr[i] || (b.ptr[i] == ' ' &&
		    (a.ptr[i] == '\n' || a.ptr[i] == '\r')));
}

static void
check_rewritten(const struct rpc *m, struct buf *out)
{
	struct rpc_edit edits[2] = {
		{m->id.text, bytes_cstr("4294967295")},
		{m->token.text, bytes_cstr("7")},
	};
	size_t count = m->token.kind == JSONR_ABSENT ? 1 : 2;
	struct rpc again;
	struct error e;
	struct buf back;
	uint32_t number;

	assert(rpc_write(out, m->text, edits, count) == 0);
	assert(memchr(buf_bytes(out).ptr, '\n', buf_len(out)) == NULL);
	assert(rpc_parse(buf_bytes(out), &again, &e) == 0);
	assert(again.kind == m->kind);
	assert(rpc_number(again.id, &number) == 0 && number == UINT32_MAX);
	check_same(m->method.text, again.method.text);
	edits[0] = (struct rpc_edit){again.id.text, m->id.text};
	if (count == 2) {
		assert(rpc_number(again.token, &number) == 0 && number == 7);
		edits[1] = (struct rpc_edit){again.token.text, m->token.text};
	}
	buf_init(&back, out->max);
	assert(rpc_write(&back, again.text, edits, count) == 0);
	check_same(m->text, buf_bytes(&back));
	buf_reset(&back);
}

static void
check_event_id(struct bytes in)
{
	struct rpc_event_id id, again;
	struct buf out;

	if (rpc_parse_event_id(in, &id) != 0)
		return;
	buf_init(&out, 64);
	assert(rpc_write_event_id(&out, &id) == 0);
	assert(rpc_parse_event_id(buf_bytes(&out), &again) == 0);
	assert(again.kind == id.kind && again.stream == id.stream &&
	    again.number == id.number);
	buf_reset(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = bytes_of(data, len);
	struct error e = {.code = 0};
	struct rpc m;
	struct buf out;

	buf_init(&out, 1 << 20);
	if (rpc_parse(in, &m, &e) != 0) {
		assert(e.code == -32700 || e.code == -32600);
		assert(m.id.text.len <= RPC_ID_MAX);
		assert(rpc_write_error(&out, m.id.text, e.code, e.text,
		    NULL) == 0);
		assert(rpc_parse(buf_bytes(&out), &m, &e) == 0 &&
		    m.kind == RPC_RESPONSE);
	} else if (m.kind != RPC_BATCH && (m.id.kind == JSONR_STRING ||
	    m.id.kind == JSONR_NUMBER)) {
		check_rewritten(&m, &out);
	}
	buf_clear(&out);
	if (rpc_decode_header(in, &out) == 0)
		assert(buf_len(&out) <= len);
	(void)rpc_is_modern(in);
	check_event_id(in);
	buf_reset(&out);
	return 0;
}
