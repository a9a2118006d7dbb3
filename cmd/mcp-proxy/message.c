/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/message.h"

#include "common/base64.h"
#include "common/field.h"
#include "common/jsonw.h"

int
message_parse(struct bytes in, struct rpc *ret, struct error *e)
{
	if (rpc_parse(in, ret, e) != 0)
		return -1;
	return ret->kind == RPC_BATCH ? 0 : rpc_look(ret, e);
}

int
message_take(struct jsonr v, struct rpc *ret, struct error *e)
{
	return rpc_take(v, ret, e) != 0 ? -1 : rpc_look(ret, e);
}

int64_t
message_error_code(const struct rpc *m)
{
	struct jsonr code;
	struct error e;
	int64_t n = 0;

	if (jsonr_get(m->error, "code", &code, &e) != 1 ||
	    jsonr_int(code, INT32_MIN, INT32_MAX, &n) != 0)
		return 0;
	return n;
}

/* ---- writing ---- */

/* Appends bytes of a message.  A line break can only be white space in it. */
static int
add_line(struct buf *out, struct bytes in)
{
	uint8_t *at;

	if (in.len == 0)
		return 0;
	at = buf_reserve(out, in.len);
	if (at == NULL)
		return -1;
	memcpy(at, in.ptr, in.len);
	if (memchr(at, '\n', in.len) != NULL ||
	    memchr(at, '\r', in.len) != NULL) {
		for (size_t i = 0; i < in.len; i++) {
			if (at[i] == '\n' || at[i] == '\r')
				at[i] = ' ';
		}
	}
	buf_commit(out, in.len);
	return 0;
}

static void
sort_edits(struct message_edit *edits, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j > 0 &&
		    edits[j].old.ptr < edits[j - 1].old.ptr; j--) {
			struct message_edit swap = edits[j];

			edits[j] = edits[j - 1];
			edits[j - 1] = swap;
		}
	}
}

static size_t
written_len(struct bytes text, const struct message_edit *edits, size_t count)
{
	size_t len = text.len;

	for (size_t i = 0; i < count; i++)
		len = len - edits[i].old.len + edits[i].put.len;
	return len;
}

int
message_write(struct buf *out, struct bytes text, struct message_edit *edits,
    size_t count)
{
	size_t at = 0;

	sort_edits(edits, count);
	/* Room for all of it, so that nothing below can fail. */
	if (buf_reserve(out, written_len(text, edits, count)) == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t start = (size_t)(edits[i].old.ptr - text.ptr);

		if (add_line(out, bytes_of(text.ptr + at, start - at)) != 0 ||
		    add_line(out, edits[i].put) != 0)
			return -1;
		at = start + edits[i].old.len;
	}
	return add_line(out, bytes_after(text, at));
}

int
message_number(struct jsonr v, uint32_t *ret)
{
	struct bytes digits = v.text;
	uint64_t n;

	if (v.kind == JSONR_STRING)
		digits = bytes_of(digits.ptr + 1, digits.len - 2);
	else if (v.kind != JSONR_NUMBER)
		return -1;
	if (digits.len == 0 || digits.ptr[0] == '0' ||
	    field_parse_number(digits, UINT32_MAX, &n) != 0)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

/* Whether text has the form of a revision, a date. */
static bool
is_revision(struct bytes text)
{
	if (text.len != MESSAGE_VERSION_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';

		if (i == 4 || i == 7 ? text.ptr[i] != '-' : !digit)
			return false;
	}
	return true;
}

bool
message_is_legacy(struct bytes text)
{
	static const char *const known[] = {
		"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (bytes_eq(text, bytes_cstr(known[i])))
			return true;
	}
	return false;
}

bool
message_is_modern(struct bytes text)
{
	return is_revision(text) &&
	    memcmp(text.ptr, "2026-07-28", MESSAGE_VERSION_LEN) >= 0;
}

int
message_write_error(struct buf *out, struct bytes id, int code,
    const char *message, const char *data)
{
	struct jsonw w;

	if (buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":") != 0 ||
	    buf_add(out, id.len == 0 ? bytes_cstr("null") : id) != 0 ||
	    buf_format(out, ",\"error\":{\"code\":%d,\"message\":", code) != 0)
		return -1;
	jsonw_init(&w, out);
	jsonw_bytes(&w, bytes_cstr(message));
	if (!jsonw_ok(&w))
		return -1;
	if (data != NULL && (buf_add_str(out, ",\"data\":") != 0 ||
	    buf_add_str(out, data) != 0))
		return -1;
	return buf_add_str(out, "}}");
}

/* ---- headers ---- */

int
message_parse_event_id(struct bytes in, struct message_event_id *ret)
{
	const uint8_t *dash = in.len == 0 ? NULL
	    : memchr(in.ptr, '-', in.len);
	struct message_event_id id;
	uint64_t stream;

	if (dash == NULL || (in.ptr[0] != 'g' && in.ptr[0] != 'p'))
		return -1;
	id.kind = (char)in.ptr[0];
	if (field_parse_number(bytes_of(in.ptr + 1,
	    (size_t)(dash - in.ptr) - 1), UINT32_MAX, &stream) != 0 ||
	    field_parse_number(bytes_after(in, (size_t)(dash - in.ptr) + 1),
	    UINT64_MAX, &id.number) != 0)
		return -1;
	id.stream = (uint32_t)stream;
	*ret = id;
	return 0;
}

int
message_write_event_id(struct buf *out, const struct message_event_id *id)
{
	return buf_format(out, "%c%u-%llu", id->kind, id->stream,
	    (unsigned long long)id->number);
}

int
message_decode_header(struct bytes value, struct buf *out)
{
	struct bytes mark = bytes_cstr("=?base64?");

	if (value.len >= mark.len + 2 &&
	    bytes_eq(bytes_of(value.ptr, mark.len), mark) &&
	    bytes_eq(bytes_after(value, value.len - 2), bytes_cstr("?=")))
		return base64_decode(bytes_of(value.ptr + mark.len,
		    value.len - mark.len - 2), BASE64_PADDED, out);
	return buf_add(out, value);
}
