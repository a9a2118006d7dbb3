/* SPDX-License-Identifier: ISC */
/* Bodies: the framing taken off and put on, wherever reads cut it. */
#include "common/http.h"
#include "tests/unit/test.h"

enum { MAX = 65536 };

static struct body body;
static struct error why;

static void
begin(const char *fields)
{
	static struct http_head head;
	char request[256];
	int n = snprintf(request, sizeof request,
	    "HTTP/1.1 200 OK\r\n%s\r\n\r\n", fields);

	if (http_parse_response(bytes_of(request, (size_t)n), false, &head,
	    &body, &why) != 0) {
		fprintf(stderr, "%s\n", why.text);
		exit(1);
	}
}

/* Feeds in, in pieces of step bytes, and writes it in a framing.  Returns how
 * much was used, or -1. */
static ssize_t
pass(struct bytes in, size_t step, enum body_framing framing,
    struct buf *out)
{
	size_t used = 0, end = 0;

	while (body.state != BODY_DONE) {
		struct bytes run;
		ssize_t n = body_take(&body, bytes_of(in.ptr + used,
		    end - used), &run, &why);

		if (n < 0)
			return -1;
		used += (size_t)n;
		body_write(out, framing, run);
		if (n == 0 && end == in.len)
			return (ssize_t)used;
		if (n == 0)
			end = end + step < in.len ? end + step : in.len;
	}
	body_write_end(out, framing);
	return (ssize_t)used;
}

struct chunked {
	const char *name, *in;
	const char *payload; /* NULL: refused */
};

static const struct chunked cases[] = {
	{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
	{"three chunks", "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n",
	    "abcdef"},
	{"no chunk", "0\r\n\r\n", ""},
	{"leading zeroes", "0005\r\nhello\r\n000\r\n\r\n", "hello"},
	{"upper and lower case", "a\r\n0123456789\r\nA\r\n0123456789\r\n"
	    "0\r\n\r\n", "01234567890123456789"},
	{"an extension", "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello"},
	{"a trailer", "1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n", "a"},
	{"no size", "\r\nhello\r\n", NULL},
	{"a size that is no number", "x\r\nhello\r\n", NULL},
	{"0x", "0x5\r\nhello\r\n", NULL},
	{"a sign", "+5\r\nhello\r\n", NULL},
	{"a space before", " 5\r\nhello\r\n", NULL},
	{"a space after", "5 \r\nhello\r\n", NULL},
	{"LF alone after the size", "5\nhello\r\n", NULL},
	{"CR alone after the size", "5\rhello\r\n", NULL},
	{"LF in an extension", "5;a\nb\r\nhello\r\n", NULL},
	{"CR in an extension", "5;a\rb\r\nhello\r\n", NULL},
	{"a size of 16 digits", "0000000000000005\r\nhello\r\n", NULL},
	{"a chunk longer than its size", "3\r\nhello\r\n", NULL},
	{"LF alone after a chunk", "5\r\nhello\n0\r\n\r\n", NULL},
	{"CR and no LF after a chunk", "5\r\nhello\rx", NULL},
	{"a trailer with a fold", "0\r\nX: a\r\n b\r\n\r\n", NULL},
	{"a trailer that is no field", "0\r\nhello\r\n\r\n", NULL},
	{"a trailer with LF alone", "0\r\nX: y\n\r\n", NULL},
};

static void
test_chunked(void)
{
	struct buf out;

	buf_init(&out, MAX);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct chunked *c = &cases[i];
		size_t len = strlen(c->in);

		for (size_t step = 1; step <= len; step += step < 8 ? 1 : 64) {
			ssize_t n;

			buf_clear(&out);
			begin("Transfer-Encoding: chunked");
			n = pass(bytes_cstr(c->in), step, BODY_TO_END, &out);
			if (c->payload == NULL) {
				eq_int(n, -1, "%s is refused, %zu at a time",
				    c->name, step);
				continue;
			}
			eq_int(n, len, "%s, %zu at a time", c->name, step);
			eq_bytes(buf_bytes(&out), bytes_cstr(c->payload),
			    "%s: payload", c->name);
		}
	}
	buf_reset(&out);
}

static void
test_prefixes(void)
{
	const char *in = "3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n";
	size_t bad = 0;
	struct buf out;

	buf_init(&out, MAX);
	for (size_t len = 0; len < strlen(in); len++) {
		buf_clear(&out);
		begin("Transfer-Encoding: chunked");
		bad += pass(bytes_of(in, len), 1, BODY_TO_END, &out) < 0 ||
		    body.state == BODY_DONE || body_may_end(&body);
	}
	eq_int(bad, 0, "no strict prefix is complete or wrong");
	buf_reset(&out);
}

static void
test_reframed(void)
{
	struct buf out;

	buf_init(&out, MAX);
	begin("Transfer-Encoding: chunked");
	pass(bytes_cstr("5;x\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"), 99,
	    BODY_CHUNKED, &out);
	eq_bytes(buf_bytes(&out),
	    bytes_cstr("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
	    "extensions and trailers are dropped");
	buf_clear(&out);
	begin("Content-Length: 5");
	eq_int(pass(bytes_cstr("hello!"), 2, BODY_LENGTH, &out), 5,
	    "a body of five bytes ends there");
	eq_bytes(buf_bytes(&out), bytes_cstr("hello"), "and passes as it is");
	buf_clear(&out);
	begin("X: y");
	eq_int(pass(bytes_cstr("hello!"), 4, BODY_CHUNKED, &out), 6,
	    "a body to the end of the connection");
	eq_bytes(buf_bytes(&out), bytes_cstr("4\r\nhell\r\n2\r\no!\r\n"),
	    "becomes chunks");
	ok(body_may_end(&body), "and may end anywhere");
	begin("Content-Length: 5");
	ok(!body_may_end(&body), "which one with a length may not");
	buf_reset(&out);
}

/* A size line of len bytes with CRLF, then nothing. */
static ssize_t
take_size_line(size_t len)
{
	static uint8_t line[BODY_CHUNK_LINE_MAX + 8];
	struct bytes run;

	memset(line, 'x', sizeof line);
	memcpy(line, "5;", 2);
	memcpy(line + len - 2, "\r\n", 2);
	begin("Transfer-Encoding: chunked");
	return body_take(&body, bytes_of(line, len), &run, &why);
}

/* A last chunk with a trailer section of len bytes. */
static ssize_t
take_trailer(size_t len)
{
	static uint8_t in[BODY_TRAILER_MAX + 8];
	struct bytes run;
	size_t total = 3 + len;

	memset(in, 'x', sizeof in);
	memcpy(in, "0\r\nX:", 5);
	memcpy(in + total - 4, "\r\n\r\n", 4);
	begin("Transfer-Encoding: chunked");
	return body_take(&body, bytes_of(in, total), &run, &why);
}

static void
test_limits(void)
{
	const size_t line = BODY_CHUNK_LINE_MAX, trailer = BODY_TRAILER_MAX;

	eq_int(take_size_line(line - 1), line - 1, "a size line below 256");
	eq_int(take_size_line(line), line, "a size line of 256");
	eq_int(take_size_line(line + 1), -1, "a size line of 257");
	eq_int(take_trailer(trailer - 1), 3 + trailer - 1,
	    "a trailer section below 8192");
	eq_int(take_trailer(trailer), 3 + trailer,
	    "a trailer section of 8192");
	eq_int(take_trailer(trailer + 1), -1, "a trailer section of 8193");
}

int
main(void)
{
	http_set_head_max(MAX);
	test_chunked();
	test_prefixes();
	test_reframed();
	test_limits();
	return test_done();
}
