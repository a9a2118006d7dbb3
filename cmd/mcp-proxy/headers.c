/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/headers.h"

#include <stdlib.h>

#include "common/field.h"
#include "common/io.h"

/* Whether a field is no part of the message itself, or of what MCP says about
 * it, which others have read already. */
static bool
may_be_put(struct bytes name)
{
	const struct bytes mcp = bytes_cstr("mcp-");

	return http_is_plain(name) && (name.len < mcp.len ||
	    !field_eq(bytes_of(name.ptr, mcp.len), mcp));
}

/* Returns 0, or -1 with a text. */
static int
take_line(struct headers *s, struct bytes line, struct error *e)
{
	struct http_field *f = &s->at[s->count];

	if (line.len != 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	if (s->count == HTTP_ADDED_MAX)
		return error_set(e, "more than %d", HTTP_ADDED_MAX);
	if (field_parse(line, &f->name, &f->value) != 0)
		return error_set(e, "not 'Name: value'");
	if (!may_be_put(f->name))
		return error_set(e, "%.*s: cannot be set here",
		    (int)f->name.len, (const char *)f->name.ptr);
	for (size_t i = 0; i < s->count; i++) {
		if (field_eq(s->at[i].name, f->name))
			return error_set(e, "%.*s: given twice",
			    (int)f->name.len, (const char *)f->name.ptr);
	}
	f->role = HTTP_PLAIN;
	s->count++;
	return 0;
}

int
headers_parse(const char *name, struct buf *text, struct headers *ret,
    struct error *e)
{
	struct bytes in = buf_bytes(text);

	*ret = (struct headers){.text = *text};
	for (unsigned number = 1; in.len != 0; number++) {
		const uint8_t *end = memchr(in.ptr, '\n', in.len);
		size_t len = end == NULL ? in.len : (size_t)(end - in.ptr);

		if (take_line(ret, bytes_of(in.ptr, len), e) != 0) {
			headers_done(ret);
			return error_prefix(e, "%s:%u", name, number);
		}
		in = bytes_after(in, len + (end != NULL));
	}
	return 0;
}

void
headers_done(struct headers *s)
{
	if (s->text.mem != NULL)
		explicit_bzero(s->text.mem, s->text.size);
	buf_reset(&s->text);
}

void
headers_put(const struct headers *s, struct http_head *h)
{
	for (size_t i = 0; i < h->field_count; i++) {
		for (size_t j = 0; j < s->count; j++) {
			if (field_eq(h->fields[i].name, s->at[j].name))
				h->fields[i].role = HTTP_HOP;
		}
	}
	memcpy(h->fields + h->field_count, s->at, s->count * sizeof *s->at);
	h->field_count += s->count;
}

/* ---- a file that is kept ---- */

static void *
read_kept(const char *path, struct error *e)
{
	struct headers *s = malloc(sizeof *s);
	struct buf text;
	int fd = io_open_private(path, e);
	int r;

	buf_init(&text, HEADERS_FILE_MAX);
	if (s == NULL)
		error_errno(e, "%s", path);
	r = fd == -1 || s == NULL ? -1 : io_read_fd(fd, path, &text, e);
	io_close(&fd);
	if (r == 0 && headers_parse(path, &text, s, e) == 0)
		return s;
	if (r != 0)
		buf_reset(&text);
	free(s);
	return NULL;
}

static void
done_kept(void *value)
{
	headers_done(value);
	free(value);
}

const struct kept_kind headers_kept = {"headers", read_kept, done_kept};
