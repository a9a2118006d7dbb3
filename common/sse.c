/* SPDX-License-Identifier: ISC */
#include "common/sse.h"

#include "common/str.h"

void
sse_init(struct sse *s, size_t max)
{
	*s = (struct sse){.max = max};
	buf_init(&s->line, max);
	buf_init(&s->data, max);
}

void
sse_done(struct sse *s)
{
	buf_reset(&s->line);
	buf_reset(&s->data);
}

static void
begin_event(struct sse *s)
{
	buf_clear(&s->data);
	s->name[0] = '\0';
	s->open = false;
	s->has_data = false;
	s->taken = false;
}

static bool
take_field(struct bytes line, const char *name, struct bytes *ret_value)
{
	size_t n = strlen(name);

	if (line.len < n || memcmp(line.ptr, name, n) != 0 ||
	    (line.len > n && line.ptr[n] != ':'))
		return false;
	line = bytes_after(line, line.len > n ? n + 1 : n);
	if (line.len != 0 && line.ptr[0] == ' ')
		line = bytes_after(line, 1);
	*ret_value = line;
	return true;
}

/* What the limit does not allow is dropped to the end of its event. */
static enum sse_result
begin_skipping(struct sse *s)
{
	struct bytes value;

	/* The line that is too long may be the first of the event. */
	if (!s->has_data && take_field(buf_bytes(&s->line), "data", &value))
		buf_add(&s->data, value);
	buf_reset(&s->line);
	s->skipping = true;
	s->skipping_line = true;
	s->skipped = 0;
	s->taken = true;
	return SSE_OVERSIZE;
}

/* A whole line, without its end. */
static enum sse_result
take_line(struct sse *s)
{
	struct bytes line = buf_bytes(&s->line), value;

	if (line.len == 0) {
		s->taken = true;
		return s->has_data ? SSE_EVENT : SSE_PASSED;
	}
	if (line.ptr[0] == ':') {
		buf_clear(&s->line);
		return s->open ? SSE_MORE : SSE_PASSED;
	}
	s->open = true;
	if (take_field(line, "event", &value)) {
		if (str_from_bytes(s->name, sizeof s->name, value) != 0)
			str_from_bytes(s->name, sizeof s->name,
			    bytes_cstr("?"));
	} else if (take_field(line, "data", &value)) {
		if (value.len + buf_len(&s->data) + 1 > s->max) {
			begin_skipping(s);
			s->skipping_line = false; /* this one has ended */
			return SSE_OVERSIZE;
		}
		if ((s->has_data && buf_add_str(&s->data, "\n") != 0) ||
		    buf_add(&s->data, value) != 0)
			return SSE_FAILED;
		s->has_data = true;
	}
	buf_clear(&s->line);
	return SSE_MORE;
}

/* The bytes up to the next end of a line, all if there is none. */
static size_t
line_length(struct bytes in)
{
	const uint8_t *lf = memchr(in.ptr, '\n', in.len);
	size_t n = lf == NULL ? in.len : (size_t)(lf - in.ptr);
	const uint8_t *cr = memchr(in.ptr, '\r', n);

	return cr == NULL ? n : (size_t)(cr - in.ptr);
}

static enum sse_result
add_to_line(struct sse *s, struct bytes part)
{
	if (s->skipping) {
		s->skipped += part.len;
		s->skipping_line = s->skipping_line || part.len != 0;
		return SSE_MORE;
	}
	if (buf_len(&s->line) + part.len > s->max) {
		buf_add(&s->line, bytes_of(part.ptr,
		    s->max - buf_len(&s->line)));
		begin_skipping(s);
		s->skipped = part.len;
		return SSE_OVERSIZE;
	}
	return buf_add(&s->line, part) == 0 ? SSE_MORE : SSE_FAILED;
}

static enum sse_result
end_line(struct sse *s)
{
	if (!s->skipping)
		return take_line(s);
	if (!s->skipping_line) {
		s->skipping = false;
		s->taken = true;
	}
	s->skipping_line = false;
	return SSE_MORE;
}

/* Drops the mark U+FEFF at the very beginning. */
static void
drop_mark(struct sse *s)
{
	struct bytes b = buf_bytes(&s->line);

	if (b.len >= 3 && memcmp(b.ptr, "\xef\xbb\xbf", 3) == 0)
		buf_drop(&s->line, 3);
}

size_t
sse_take(struct sse *s, struct bytes in, enum sse_result *ret)
{
	size_t used = 0;

	*ret = SSE_MORE;
	if (s->taken)
		begin_event(s);
	while (used < in.len && *ret == SSE_MORE) {
		struct bytes left = bytes_after(in, used);
		size_t n;

		if (s->after_cr && left.ptr[0] == '\n') {
			s->after_cr = false;
			used++;
			*ret = s->open ? SSE_MORE : SSE_PASSED;
			continue;
		}
		s->after_cr = false;
		if (s->taken)
			begin_event(s);
		n = line_length(left);
		used += n;
		*ret = add_to_line(s, bytes_of(left.ptr, n));
		if (*ret != SSE_MORE || n == left.len)
			break;
		used++;
		s->after_cr = left.ptr[n] == '\r';
		if (!s->begun)
			drop_mark(s);
		s->begun = true;
		*ret = end_line(s);
	}
	return used;
}

/* ---- writing ---- */

/* Takes the next line off *raw, without its end; U+FEFF before it says
 * nothing. */
static bool
next_line(struct bytes *raw, struct bytes *ret)
{
	size_t n, end;

	if (raw->len == 0)
		return false;
	n = line_length(*raw);
	end = n;
	if (end < raw->len)
		end += raw->ptr[end] == '\r' && end + 1 < raw->len &&
		    raw->ptr[end + 1] == '\n' ? 2 : 1;
	*ret = bytes_of(raw->ptr, n);
	*raw = bytes_after(*raw, end);
	if (n >= 3 && memcmp(ret->ptr, "\xef\xbb\xbf", 3) == 0)
		*ret = bytes_after(*ret, 3);
	return true;
}

static bool
is_known_line(struct bytes line)
{
	static const char *const fields[] = {"data", "event", "id", "retry"};
	struct bytes value;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (take_field(line, fields[i], &value))
			return true;
	}
	return line.len == 0 || line.ptr[0] == ':';
}

static bool
has_plain_ends(struct bytes raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		const uint8_t *at = raw.ptr + i;
		size_t left = raw.len - i;

		if (*at == '\v' || *at == '\f' || (*at >= 0x1c && *at <= 0x1e))
			return false;
		if (left >= 2 && at[0] == 0xc2 && at[1] == 0x85)
			return false;
		if (left >= 3 && at[0] == 0xe2 && at[1] == 0x80 &&
		    (at[2] == 0xa8 || at[2] == 0xa9))
			return false;
	}
	return true;
}

bool
sse_is_plain(struct bytes raw)
{
	if (!has_plain_ends(raw))
		return false;
	while (raw.len != 0) {
		size_t n = line_length(raw);

		if (!is_known_line(bytes_of(raw.ptr, n)))
			return false;
		raw = bytes_after(raw, n < raw.len ? n + 1 : n);
	}
	return true;
}

static int
add_data(struct buf *out, struct bytes data)
{
	const uint8_t *lf;

	do {
		struct bytes line = data;

		lf = data.len == 0 ? NULL : memchr(data.ptr, '\n', data.len);
		if (lf != NULL)
			line.len = (size_t)(lf - data.ptr);
		if (buf_add_str(out, "data: ") != 0 ||
		    buf_add(out, line) != 0 || buf_add_str(out, "\n") != 0)
			return -1;
		data = bytes_after(data, line.len + (lf != NULL));
	} while (lf != NULL);
	return 0;
}

/* With one kind of end: a CR would take the LF of an empty line for its own, if
 * what was between them is left out. */
static int
add_line(struct buf *out, struct bytes line)
{
	return buf_add(out, line) != 0 ? -1 : buf_add_str(out, "\n");
}

int
sse_replace(struct buf *out, struct bytes raw, struct bytes data)
{
	struct bytes line, value;
	bool written = false;

	while (next_line(&raw, &line)) {
		if (take_field(line, "data", &value)) {
			if (!written && add_data(out, data) != 0)
				return -1;
			written = true;
		} else if (sse_is_plain(line) && add_line(out, line) != 0) {
			return -1;
		}
	}
	return 0;
}

int
sse_strip(struct buf *out, struct bytes raw)
{
	struct bytes line, value;
	bool any = false;

	while (next_line(&raw, &line)) {
		bool kept = sse_is_plain(line) &&
		    (take_field(line, "id", &value) ||
		    take_field(line, "retry", &value));

		any = any || kept;
		if ((kept || (any && line.len == 0)) &&
		    add_line(out, line) != 0)
			return -1;
	}
	return 0;
}
