/* SPDX-License-Identifier: ISC */
#include "common/jsonw.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/str.h"
#include "common/utf8.h"

void
jsonw_init(struct jsonw *w, struct buf *out)
{
	w->out = out;
	w->failed = false;
}

static void
put(struct jsonw *w, const char *s, size_t len)
{
	if (!w->failed && buf_add(w->out, bytes_of(s, len)) != 0)
		w->failed = true;
}

/* A value or key that follows another needs a comma. */
static void
separate(struct jsonw *w)
{
	struct bytes b = buf_bytes(w->out);
	char last = b.len == 0 ? '\n' : (char)b.ptr[b.len - 1];

	if (strchr("{[:\n", last) == NULL)
		put(w, ",", 1);
}

void
jsonw_open(struct jsonw *w, char bracket)
{
	separate(w);
	put(w, &bracket, 1);
}

void
jsonw_close(struct jsonw *w, char bracket)
{
	put(w, &bracket, 1);
}

static void
put_escape(struct jsonw *w, uint8_t c)
{
	char text[8];

	switch (c) {
	case '"':
		put(w, "\\\"", 2);
		return;
	case '\\':
		put(w, "\\\\", 2);
		return;
	case '\n':
		put(w, "\\n", 2);
		return;
	case '\r':
		put(w, "\\r", 2);
		return;
	case '\t':
		put(w, "\\t", 2);
		return;
	default:
		put(w, text, (size_t)snprintf(text, sizeof text, "\\u%04x",
		    c));
	}
}

static bool
needs_escape(uint8_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

/* U+0080 to U+009F, which terminals obey as they obey ESC. */
static bool
is_control(struct bytes in)
{
	return in.len > 1 && in.ptr[0] == 0xc2 && in.ptr[1] >= 0x80 &&
	    in.ptr[1] < 0xa0;
}

/* How many of the bytes can stand as they are. */
static size_t
plain_len(struct bytes in)
{
	size_t len = 0, n = 1;

	while (len < in.len && n != 0) {
		struct bytes left = bytes_after(in, len);

		n = needs_escape(left.ptr[0]) || is_control(left) ? 0
		    : utf8_len(left.ptr, left.len);
		len += n;
	}
	return len;
}

static void
put_string(struct jsonw *w, struct bytes in)
{
	put(w, "\"", 1);
	while (in.len != 0) {
		size_t plain = plain_len(in);

		put(w, (const char *)in.ptr, plain);
		in = bytes_after(in, plain);
		if (in.len == 0)
			break;
		if (is_control(in)) {
			put_escape(w, in.ptr[1]); /* c2 9b is U+009B */
			in = bytes_after(in, 2);
			continue;
		}
		if (needs_escape(in.ptr[0]))
			put_escape(w, in.ptr[0]);
		else
			put(w, "\xef\xbf\xbd", 3);
		in = bytes_after(in, 1);
	}
	put(w, "\"", 1);
}

void
jsonw_bytes(struct jsonw *w, struct bytes value)
{
	separate(w);
	put_string(w, value);
}

void
jsonw_str(struct jsonw *w, const char *value)
{
	jsonw_bytes(w, bytes_cstr(value));
}

void
jsonw_key(struct jsonw *w, const char *key)
{
	jsonw_str(w, key);
	put(w, ":", 1);
}

void
jsonw_int(struct jsonw *w, int64_t value)
{
	char text[24];

	separate(w);
	put(w, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

void
jsonw_bool(struct jsonw *w, bool value)
{
	separate(w);
	put(w, value ? "true" : "false", value ? 4 : 5);
}

void
jsonw_null(struct jsonw *w)
{
	separate(w);
	put(w, "null", 4);
}

void
jsonw_key_name(struct jsonw *w, const char *key, struct bytes value)
{
	char name[64], digits[3];

	jsonw_key(w, key);
	jsonw_bytes(w, value);
	if (utf8_is_valid(value))
		return;
	str_format(name, sizeof name, "%s_hex", key);
	jsonw_key(w, name);
	put(w, "\"", 1);
	for (size_t i = 0; i < value.len; i++) {
		str_hex(digits, bytes_of(value.ptr + i, 1));
		put(w, digits, 2);
	}
	put(w, "\"", 1);
}

void
jsonw_key_given(struct jsonw *w, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	jsonw_key(w, key);
	jsonw_bytes(w, bytes_cstr(value));
}

void
jsonw_key_str(struct jsonw *w, const char *key, const char *value)
{
	jsonw_key(w, key);
	jsonw_str(w, value);
}

void
jsonw_key_int(struct jsonw *w, const char *key, int64_t value)
{
	jsonw_key(w, key);
	jsonw_int(w, value);
}

bool
jsonw_ok(const struct jsonw *w)
{
	return !w->failed;
}
