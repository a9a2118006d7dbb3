/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/event.h"

bool
event_is_endpoint(const struct sse *sse, struct bytes raw)
{
	struct bytes data = buf_bytes(&sse->data);

	for (size_t i = 0; i < data.len; i++) {
		if (data.ptr[i] <= ' ' || data.ptr[i] >= 0x7f)
			return false;
	}
	return bytes_eq(bytes_cstr(sse->name), bytes_cstr("endpoint")) &&
	    sse_is_plain(raw) && data.len != 0 && data.ptr[0] != '{' &&
	    data.ptr[0] != '[';
}

/* The character at the beginning of in that some take for the end of a line, as
 * JSON can have it otherwise; NULL: it is none.  A line break can only be white
 * space in it. */
static const char *
escape_of(struct bytes in, size_t *ret_len)
{
	const uint8_t *at = in.ptr;

	*ret_len = 1;
	if (at[0] == '\n')
		return " ";
	*ret_len = 3;
	if (in.len >= 3 && at[0] == 0xe2 && at[1] == 0x80 &&
	    (at[2] == 0xa8 || at[2] == 0xa9))
		return at[2] == 0xa8 ? "\\u2028" : "\\u2029";
	*ret_len = 2;
	return in.len >= 2 && at[0] == 0xc2 && at[1] == 0x85 ? "\\u0085"
	    : NULL;
}

static int
add_escaped(struct buf *out, struct bytes in)
{
	size_t from = 0, at = 0, len;

	while (at < in.len) {
		const char *escape = escape_of(bytes_after(in, at), &len);

		if (escape == NULL) {
			at++;
			continue;
		}
		if (buf_add(out, bytes_of(in.ptr + from, at - from)) != 0 ||
		    buf_add_str(out, escape) != 0)
			return -1;
		at += len;
		from = at;
	}
	return buf_add(out, bytes_after(in, from));
}

int
event_write(struct buf *out, struct bytes raw, struct bytes message,
    bool changed, struct buf *mem)
{
	/* Some take each line of data for a message. */
	if (!changed && sse_is_plain(raw) &&
	    memchr(message.ptr, '\n', message.len) == NULL)
		return buf_add(out, raw);
	buf_clear(mem);
	if (add_escaped(mem, message) != 0)
		return -1;
	return sse_replace(out, raw, buf_bytes(mem));
}
