/* SPDX-License-Identifier: ISC */
#include "common/body.h"

#include <stdio.h>

#include "common/field.h"
#include "common/str.h"

enum { CHUNK_DIGITS_MAX = 15 }; /* sizes stay below 2^60 */

/* The line at the start of in without its CRLF.  Returns its length with it,
 * 0 if it is not complete, -1 if it is longer than max or has a bare LF. */
static ssize_t
take_line(struct bytes in, size_t max, struct bytes *ret)
{
	size_t n = in.len < max ? in.len : max;
	const uint8_t *lf = n == 0 ? NULL : memchr(in.ptr, '\n', n);
	size_t len;

	if (lf == NULL)
		return in.len >= max ? -1 : 0;
	len = (size_t)(lf - in.ptr);
	if (len == 0 || in.ptr[len - 1] != '\r')
		return -1;
	*ret = bytes_of(in.ptr, len - 1);
	return (ssize_t)len + 1;
}

/* Parses chunk-size [chunk-ext]; extensions are dropped. */
static int
parse_size(struct bytes line, uint64_t *ret)
{
	size_t n = 0;
	uint64_t v = 0;
	int digit;

	while (n < line.len && (digit = ascii_hex(line.ptr[n])) >= 0) {
		if (++n > CHUNK_DIGITS_MAX)
			return -1;
		v = v << 4 | (uint64_t)digit;
	}
	if (n == 0 || !field_is_text(line))
		return -1;
	if (n < line.len && line.ptr[n] != ';')
		return -1;
	*ret = v;
	return 0;
}

static ssize_t
take_size(struct body *b, struct bytes in, struct error *e)
{
	struct bytes line;
	ssize_t n = take_line(in, BODY_CHUNK_LINE_MAX, &line);

	if (n == 0)
		return 0;
	if (n < 0 || parse_size(line, &b->left) != 0)
		return error_set(e, "chunk size: not valid");
	b->state = b->left == 0 ? BODY_TRAILER : BODY_DATA;
	return n;
}

static ssize_t
take_crlf(struct body *b, struct bytes in, struct error *e)
{
	if ((in.len > 0 && in.ptr[0] != '\r') ||
	    (in.len > 1 && in.ptr[1] != '\n'))
		return error_set(e, "chunk: longer than its size");
	if (in.len < 2)
		return 0;
	b->state = BODY_SIZE;
	return 2;
}

static ssize_t
take_trailer(struct body *b, struct bytes in, struct error *e)
{
	struct bytes line, name, value;
	ssize_t n = take_line(in, BODY_TRAILER_MAX - b->trailer_len, &line);

	if (n == 0)
		return 0;
	if (n < 0)
		return error_set(e, "trailer: not valid or longer than %d "
		    "bytes", BODY_TRAILER_MAX);
	b->trailer_len += (size_t)n;
	if (line.len == 0)
		b->state = BODY_DONE;
	else if (field_parse(line, &name, &value) != 0)
		return error_set(e, "trailer: not a field");
	return n;
}

static size_t
take_run(struct body *b, struct bytes in, struct bytes *ret_run)
{
	size_t n = in.len;

	if (b->framing != BODY_TO_END) {
		if (n > b->left)
			n = (size_t)b->left;
		b->left -= n;
	}
	*ret_run = bytes_of(in.ptr, n);
	if (b->framing == BODY_LENGTH && b->left == 0)
		b->state = BODY_DONE;
	else if (b->framing == BODY_CHUNKED && b->left == 0)
		b->state = BODY_DATA_END;
	return n;
}

/* Takes framing, and one run of payload at most. */
static ssize_t
take_parts(struct body *b, struct bytes in, struct bytes *ret_run,
    struct error *e)
{
	size_t used = 0;
	ssize_t n = 1;

	while (n > 0 && b->state != BODY_DONE) {
		struct bytes rest = bytes_after(in, used);

		switch (b->state) {
		case BODY_SIZE:
			n = take_size(b, rest, e);
			break;
		case BODY_DATA:
			if (ret_run->len != 0 || rest.len == 0)
				return (ssize_t)used;
			n = (ssize_t)take_run(b, rest, ret_run);
			break;
		case BODY_DATA_END:
			n = take_crlf(b, rest, e);
			break;
		case BODY_TRAILER:
			n = take_trailer(b, rest, e);
			break;
		case BODY_DONE:
			break;
		}
		if (n > 0)
			used += (size_t)n;
	}
	return n < 0 ? -1 : (ssize_t)used;
}

/* What libhttp-parser made of the same bytes. */
struct second_opinion {
	size_t run_len;
	bool done;
};

static int
on_body(http_parser *p, const char *at, size_t len)
{
	struct second_opinion *o = p->data;

	(void)at;
	o->run_len += len;
	return 0;
}

static int
on_message_complete(http_parser *p)
{
	struct second_opinion *o = p->data;

	o->done = true;
	return 0;
}

static int
ask_parser(struct body *b, struct bytes in, struct bytes run, struct error *e)
{
	static const http_parser_settings settings = {
		.on_body = on_body,
		.on_message_complete = on_message_complete,
	};
	struct second_opinion o = {.run_len = 0};
	size_t n;

	b->parser.data = &o;
	n = http_parser_execute(&b->parser, &settings, (const char *)in.ptr,
	    in.len);
	b->parser.data = NULL;
	if (HTTP_PARSER_ERRNO(&b->parser) != HPE_OK)
		return error_set(e, "body: %s", http_errno_description(
		    HTTP_PARSER_ERRNO(&b->parser)));
	if (n != in.len || o.run_len != run.len ||
	    o.done != (b->state == BODY_DONE))
		return error_set(e, "body: its end is ambiguous");
	return 0;
}

ssize_t
body_take(struct body *b, struct bytes in, struct bytes *ret_run,
    struct error *e)
{
	ssize_t used;

	*ret_run = bytes_of(NULL, 0);
	used = take_parts(b, in, ret_run, e);
	if (used <= 0)
		return used;
	if (ask_parser(b, bytes_of(in.ptr, (size_t)used), *ret_run, e) != 0)
		return -1;
	return used;
}

bool
body_may_end(const struct body *b)
{
	return b->state == BODY_DONE || b->framing == BODY_TO_END;
}

int
body_write(struct buf *out, enum body_framing framing, struct bytes run)
{
	char size[24];
	uint8_t *at;
	int n;

	if (run.len == 0)
		return 0;
	if (framing != BODY_CHUNKED)
		return buf_add(out, run);
	n = snprintf(size, sizeof size, "%zx\r\n", run.len);
	at = buf_reserve(out, (size_t)n + run.len + 2);
	if (at == NULL)
		return -1;
	memcpy(at, size, (size_t)n);
	memcpy(at + n, run.ptr, run.len);
	memcpy(at + (size_t)n + run.len, "\r\n", 2);
	buf_commit(out, (size_t)n + run.len + 2);
	return 0;
}

int
body_write_end(struct buf *out, enum body_framing framing)
{
	if (framing != BODY_CHUNKED)
		return 0;
	return buf_add_str(out, "0\r\n\r\n");
}
