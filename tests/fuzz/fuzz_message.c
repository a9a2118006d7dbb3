/* SPDX-License-Identifier: ISC */
/* Any text: a message with other ids is one line that is the same message with
 * those ids, and back again.  The same bytes as a header that mirrors a value,
 * and as the id of an event. */
#include <assert.h>

#include "cmd/mcp-proxy/message.h"

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
	struct message_edit edits[2] = {
		{m->id.text, bytes_cstr("4294967295")},
		{m->token.text, bytes_cstr("7")},
	};
	size_t count = m->token.kind == JSONR_ABSENT ? 1 : 2;
	struct rpc again;
	struct error e;
	struct buf back;
	uint32_t number;

	assert(message_write(out, m->text, edits, count) == 0);
	assert(memchr(buf_bytes(out).ptr, '\n', buf_len(out)) == NULL);
	assert(message_parse(buf_bytes(out), &again, &e) == 0);
	assert(again.kind == m->kind);
	assert(message_number(again.id, &number) == 0 && number == UINT32_MAX);
	check_same(m->method.text, again.method.text);
	edits[0] = (struct message_edit){again.id.text, m->id.text};
	if (count == 2) {
		assert(message_number(again.token, &number) == 0 && number == 7);
		edits[1] = (struct message_edit){again.token.text, m->token.text};
	}
	buf_init(&back, out->max);
	assert(message_write(&back, again.text, edits, count) == 0);
	check_same(m->text, buf_bytes(&back));
	buf_reset(&back);
}

static void
check_event_id(struct bytes in)
{
	struct message_event_id id, again;
	struct buf out;

	if (message_parse_event_id(in, &id) != 0)
		return;
	buf_init(&out, 64);
	assert(message_write_event_id(&out, &id) == 0);
	assert(message_parse_event_id(buf_bytes(&out), &again) == 0);
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
	if (message_parse(in, &m, &e) != 0) {
		assert(e.code == RPC_PARSE_ERROR ||
		    e.code == RPC_INVALID_REQUEST);
		assert(m.id.text.len <= RPC_ID_MAX);
		assert(message_write_error(&out, m.id.text, e.code, e.text,
		    NULL) == 0);
		assert(message_parse(buf_bytes(&out), &m, &e) == 0 &&
		    m.kind == RPC_RESPONSE);
	} else if (m.kind != RPC_BATCH && (m.id.kind == JSONR_STRING ||
	    m.id.kind == JSONR_NUMBER)) {
		check_rewritten(&m, &out);
	}
	buf_clear(&out);
	if (message_decode_header(in, &out) == 0)
		assert(buf_len(&out) <= len);
	(void)message_is_modern(in);
	check_event_id(in);
	buf_reset(&out);
	return 0;
}
