/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/result.h"

#include <errno.h>

#include "common/jsonw.h"

static const char cut_mark[] = "\n[output truncated]";

/* The longest beginning of in that is at most max bytes and does not end
 * inside a character. */
static struct bytes
cut(struct bytes in, size_t max)
{
	if (in.len <= max)
		return in;
	while (max > 0 && (in.ptr[max] & 0xc0) == 0x80)
		max--;
	return bytes_of(in.ptr, max);
}

/* Copies in with U+FFFD for each NUL. */
static int
add_without_nul(struct buf *out, struct bytes in)
{
	while (in.len != 0) {
		const uint8_t *nul = memchr(in.ptr, '\0', in.len);
		size_t n = nul == NULL ? in.len : (size_t)(nul - in.ptr);

		if (buf_add(out, bytes_of(in.ptr, n)) != 0)
			return -1;
		if (nul == NULL)
			break;
		if (buf_add_str(out, "\xef\xbf\xbd") != 0)
			return -1;
		in = bytes_after(in, n + 1);
	}
	return 0;
}

int
result_write(struct buf *out, const char *id, bool custom, bool is_error,
    struct bytes text)
{
	struct bytes kept = cut(text, RESULT_TEXT_MAX);
	struct buf clean;
	struct jsonw w;
	int r = -1;

	buf_init(&clean, 3 * RESULT_TEXT_MAX + sizeof cut_mark);
	if (add_without_nul(&clean, kept) != 0 || (kept.len < text.len &&
	    buf_add_str(&clean, cut_mark) != 0) || (text.len == 0 &&
	    buf_add_str(&clean, "(no output)") != 0))
		goto out;
	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	jsonw_key(&w, "events");
	jsonw_open(&w, '[');
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", custom ? "user.custom_tool_result"
	    : "user.tool_result");
	jsonw_key_str(&w, custom ? "custom_tool_use_id" : "tool_use_id", id);
	jsonw_key(&w, "is_error");
	jsonw_bool(&w, is_error);
	jsonw_key(&w, "content");
	jsonw_open(&w, '[');
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "type", "text");
	jsonw_key(&w, "text");
	jsonw_bytes(&w, buf_bytes(&clean));
	jsonw_close(&w, '}');
	jsonw_close(&w, ']');
	jsonw_close(&w, '}');
	jsonw_close(&w, ']');
	jsonw_close(&w, '}');
	errno = ENOBUFS;
	r = jsonw_ok(&w) ? 0 : -1;
out:
	buf_reset(&clean);
	return r;
}
