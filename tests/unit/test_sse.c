/* SPDX-License-Identifier: ISC */
/* Server-sent events: every way to end a line, every way to cut the bytes,
 * and what is too large. */
#include "cmd/sandbox-worker/event.h"
#include "cmd/sandbox-worker/result.h"
#include "common/jsonr.h"
#include "common/sse.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { MAX = 64 };

/* Writes "name:data|" for each event, "!beginning|" for what is too large. */
static void
take_all(struct sse *s, struct bytes in, size_t step, struct buf *out)
{
	while (in.len != 0) {
		struct bytes part = bytes_of(in.ptr, in.len < step ? in.len
		    : step);
		enum sse_result r;
		size_t n = sse_take(s, part, &r);
		struct bytes data = buf_bytes(&s->data);

		if (r == SSE_EVENT)
			buf_format(out, "%s:%.*s|", s->name, (int)data.len,
			    (const char *)data.ptr);
		else if (r == SSE_OVERSIZE)
			buf_format(out, "!%.4s|", (const char *)data.ptr);
		if (r == SSE_MORE && n != part.len)
			ok(false, "bytes are left");
		if (r == SSE_FAILED)
			ok(false, "the limit was not seen in time");
		in = bytes_after(in, n);
	}
}

static void
check(const char *in, size_t len, const char *want, const char *title)
{
	char got[512];
	struct buf out;

	for (size_t step = 1; step <= len; step++) {
		struct sse s;

		sse_init(&s, MAX);
		buf_init(&out, sizeof got - 1);
		take_all(&s, bytes_of(in, len), step, &out);
		str_from_bytes(got, sizeof got, buf_bytes(&out));
		if (!str_eq(got, want) || step == len)
			eq_str(got, want, "%s, by %zu", title, step);
		buf_reset(&out);
		sse_done(&s);
		if (!str_eq(got, want))
			break;
	}
}

#define CHECK(in, want, title) check((in), sizeof(in) - 1, (want), (title))

static void
test_lines(void)
{
	CHECK("event: a\ndata: 1\n\n", "a:1|", "LF");
	CHECK("event: a\r\ndata: 1\r\n\r\n", "a:1|", "CRLF");
	CHECK("event: a\rdata: 1\r\r", "a:1|", "CR");
	CHECK("event: a\r\ndata: 1\n\revent: b\rdata: 2\n\n", "a:1|b:2|",
	    "all of them");
	CHECK("\xef\xbb\xbf" "data: 1\n\n", ":1|", "a byte order mark");
	CHECK("data: 1\n\n\xef\xbb\xbf" "data: 2\n\n", ":1|",
	    "none in the middle");
	CHECK(": hello\n\ndata: 1\n: between\n\n:\n\n", ":1|", "comments");
	CHECK("data: 1\ndata: 2\ndata\ndata:\n\n", ":1\n2\n\n|",
	    "several lines");
	CHECK("data:1\n\ndata:  1\n\n", ":1|: 1|", "one space");
	CHECK("event: a\n\ndata: 1\n\n", ":1|", "an event without data");
	CHECK("id: 7\nretry: 3\nother: x\ndatax: 1\ndata: 1\n\n", ":1|",
	    "other fields");
	CHECK("data: 1\n", "", "an end without an empty line");
	CHECK("event: a\nevent: b\ndata: 1\n\n", "b:1|", "the last name");
	CHECK("\n\n\n\ndata: 1\n\n\n\n", ":1|", "empty lines");
}

static void
test_limits(void)
{
	char in[512];
	struct buf out;
	struct sse s;

	for (int n = MAX - 8; n <= MAX + 1; n++) {
		str_format(in, sizeof in, "data:%0*d\n\ndata: 2\n\n", n, 7);
		sse_init(&s, MAX);
		buf_init(&out, 1024);
		take_all(&s, bytes_cstr(in), sizeof in, &out);
		ok((buf_bytes(&out).ptr[0] == '!') == (n > MAX - 5),
		    "%d bytes in a line of %d", n + 5, MAX);
		buf_reset(&out);
		sse_done(&s);
	}
	str_format(in, sizeof in, "data: abcd%0100d\nevent: x\ndata: 9\n\n"
	    "data: 2\n\n", 0);
	check(in, strlen(in), "!abcd|:2|",
	    "the whole event is skipped, and told once");
	str_format(in, sizeof in, "data: abcd%040d\ndata: %040d\n\ndata: 2\n\n",
	    0, 0);
	check(in, strlen(in), "!abcd|:2|", "so are many lines together");
	for (int n = 22; n <= 24; n++) {
		str_format(in, sizeof in, "data:%040d\ndata:%0*d\n\n", 7, n,
		    7);
		sse_init(&s, MAX);
		buf_init(&out, 1024);
		take_all(&s, bytes_cstr(in), sizeof in, &out);
		ok((buf_bytes(&out).ptr[0] == '!') == (n > 23),
		    "%d bytes in two lines", 40 + 1 + n);
		buf_reset(&out);
		sse_done(&s);
	}
	sse_init(&s, MAX);
	buf_init(&out, 1024);
	for (int i = 0; i < 1000; i++)
		take_all(&s, bytes_cstr("0123456789"), 10, &out);
	ok(s.skipped > 9000 && s.skipping, "a line without end is counted");
	buf_reset(&out);
	sse_done(&s);
}

/* Writes "|" behind the bytes of each result that is none of data, "E" behind
 * those of each event. */
static void
check_raw(const char *in, size_t len, const char *want, const char *title)
{
	char got[512];
	struct buf out;

	for (size_t step = 1; step <= len; step++) {
		struct bytes left = bytes_of(in, len);
		struct sse s;

		sse_init(&s, MAX);
		buf_init(&out, sizeof got - 1);
		while (left.len != 0) {
			enum sse_result r;
			size_t n = sse_take(&s, bytes_of(left.ptr,
			    left.len < step ? left.len : step), &r);

			buf_add(&out, bytes_of(left.ptr, n));
			if (r != SSE_MORE)
				buf_add_str(&out, r == SSE_EVENT ? "E" : "|");
			left = bytes_after(left, n);
		}
		str_from_bytes(got, sizeof got, buf_bytes(&out));
		if (!str_eq(got, want) || step == len)
			eq_str(got, want, "%s, by %zu", title, step);
		buf_reset(&out);
		sse_done(&s);
		if (!str_eq(got, want))
			break;
	}
}

#define CHECK_RAW(in, want, title) \
	check_raw((in), sizeof(in) - 1, (want), (title))

static void
test_raw(void)
{
	CHECK_RAW(": hello\n\ndata: 1\n\n", ": hello\n|\n|data: 1\n\nE",
	    "a comment does not wait for an event");
	CHECK_RAW("id: 1\n: between\ndata: 1\n\n",
	    "id: 1\n: between\ndata: 1\n\nE", "one inside of it does");
	CHECK_RAW("id: 1\n\nretry: 5\n\n", "id: 1\n\n|retry: 5\n\n|",
	    "events without data");
	CHECK_RAW("id: 1\ndata\n\n", "id: 1\ndata\n\nE", "empty data");
	CHECK_RAW("data: 1\r\n\r\n: x\r\n", "data: 1\r\n\rE\n|: x\r|\n|",
	    "an LF after the CR that ended it");
	CHECK_RAW("data: 1\r\rdata: 2\r\n\n", "data: 1\r\rEdata: 2\r\n\nE",
	    "CR, then CRLF");
	CHECK_RAW("\xef\xbb\xbf:\n\xef\xbb\xbf:\n\n",
	    "\xef\xbb\xbf:\n|\xef\xbb\xbf:\n\n|", "a mark, and none");
	CHECK_RAW("data: 1\n", "data: 1\n", "an end without an empty line");
}

static void
check_written(int (*write)(struct buf *out, struct bytes raw), const char *raw,
    const char *want)
{
	char got[512];
	struct buf out;

	buf_init(&out, sizeof got - 1);
	eq_int(write(&out, bytes_cstr(raw)), 0, "%s", raw);
	str_from_bytes(got, sizeof got, buf_bytes(&out));
	eq_str(got, want, "becomes %s", want);
	buf_reset(&out);
}

static int
write_two(struct buf *out, struct bytes raw)
{
	return sse_replace(out, raw, bytes_cstr("a\n\nb"));
}

static int
write_none(struct buf *out, struct bytes raw)
{
	return sse_replace(out, raw, bytes_of(NULL, 0));
}

static void
test_replace(void)
{
	check_written(write_two, "id: 1\ndata: x\nretry: 2\ndata: y\n: z\n\n",
	    "id: 1\ndata: a\ndata: \ndata: b\nretry: 2\n: z\n\n");
	check_written(write_two, "data:x\r\nid:1\r\n\r",
	    "data: a\ndata: \ndata: b\nid:1\n\n");
	check_written(write_two, "\xef\xbb\xbf" "data\rid\r\r",
	    "data: a\ndata: \ndata: b\nid\n\n");
	check_written(write_two, "\xef\xbb\xbf" "id: 1\ndata: x\n\n",
	    "id: 1\ndata: a\ndata: \ndata: b\n\n");
	check_written(write_none, "data: x\ndatax: y\nData: z\n data: a\n\n",
	    "data: \n\n");
	check_written(write_none, "data: x\n\xef\xbb\xbf" "data: y\n"
	    "\xef\xbb\xbf\xef\xbb\xbf" "data: z\n\n", "data: \n\n");
	check_written(write_none, "data: x\nid: 1\fdata: y\n: \x1c\nid: 2\n\n",
	    "data: \nid: 2\n\n");
	check_written(write_none, "data: x\nid: \xe2\x80\xa8\n: \xc2\x85\n\n",
	    "data: \n\n");
	check_written(sse_strip, "event: e\nid: 1\ndata: x\nretry: 2\n: z\n\n",
	    "id: 1\nretry: 2\n\n");
	check_written(sse_strip, "event: e\ndata: x\n: z\n\n", "");
	check_written(sse_strip, "data: x\r\nid\r\n\r", "id\n\n");
	/* The LF is an empty line of its own, not the rest of the CR's. */
	check_written(sse_strip, "id\rdata: x\n\n", "id\n\n");
	check_written(write_none, "data: x\n: y\rz\n\n", "data: \n: y\n\n");
	check_written(sse_strip, "data: x\nid: \v\n\n", "");
}

static void
test_plain(void)
{
	static const char *const plain[] = {
		"", "data: 1\r\n\r\n", ":\t\x1b\x1f\xc2\x86", ":\xe2\x80\xa7",
		":\xe2\x80\xaa", ":\xc2", ":\xe2\x80", ":\xe2",
		"data\rid:\nretry:1\r\nevent: x\n: y\n\n", "\n\r\r\n",
	};
	static const char *const other[] = {
		":a\v", ":\f", ":\x1c", ":a\x1d", ":\x1e!", ":a\xc2\x85",
		":a\xe2\x80\xa8", ":\xe2\x80\xa9!", "Data: 1\n", " data: 1",
		"data : 1", "data: 1\ndatax: 2\n\n", "\xef\xbb\xbf" "data: 1",
		"id: 1\r\xef\xbb\xbf" "data: 1", "DATA",
	};

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		ok(sse_is_plain(bytes_cstr(plain[i])), "plain %zu", i);
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		ok(!sse_is_plain(bytes_cstr(other[i])), "not plain %zu", i);
}

static void
test_guess(void)
{
	static const char call[] = "{\"type\":\"agent.tool_use\","
	    "\"id\":\"sevt_1\",\"name\":\"write\",\"input\":{\"content\":\"aaa";
	struct event ev;

	ok(event_guess(bytes_cstr(call), &ev), "the beginning of a call");
	eq_str(ev.id, "sevt_1", "has its id");
	eq_str(ev.name, "write", "and its tool");
	ok(ev.input.kind == JSONR_ABSENT, "but no input");
	for (size_t n = 0; n < sizeof call - 1; n++)
		event_guess(bytes_of(call, n), &ev);
	ok(!event_guess(bytes_cstr("{\"type\":\"user.message\",\"id\":\"a\","
	    "\"content\":\"aa"), &ev), "other events are none");
	ok(!event_guess(bytes_cstr("{\"input\":{\"a\":\"b"), &ev),
	    "nor is one that begins with its input");
}

static void
test_result(void)
{
	struct buf out;

	buf_init(&out, RESULT_BODY_MAX);
	eq_int(result_write(&out, "sevt_1", false, false,
	    bytes_of("a\0b\xff\n", 5)), 0, "a result");
	eq_bytes(buf_bytes(&out), bytes_cstr("{\"events\":[{\"type\":"
	    "\"user.tool_result\",\"tool_use_id\":\"sevt_1\",\"is_error\":"
	    "false,\"content\":[{\"type\":\"text\",\"text\":\"a\xef\xbf\xbd"
	    "b\xef\xbf\xbd\\n\"}]}]}"), "NUL and what is not UTF-8");
	buf_clear(&out);
	result_write(&out, "c", true, true, bytes_of(NULL, 0));
	eq_bytes(buf_bytes(&out), bytes_cstr("{\"events\":[{\"type\":"
	    "\"user.custom_tool_result\",\"custom_tool_use_id\":\"c\","
	    "\"is_error\":true,\"content\":[{\"type\":\"text\",\"text\":"
	    "\"(no output)\"}]}]}"), "a custom one without text");
	buf_reset(&out);
}

/* The bytes of a result after it was read again; fill 0xc3: of two-byte
 * characters behind one byte. */
static size_t
length_of_result(size_t len, uint8_t fill)
{
	uint8_t *text = malloc(len);
	struct jsonr v, text_of;
	struct buf out, plain;
	struct error e;
	const uint8_t *at;
	size_t n;

	if (text == NULL)
		exit(1);
	memset(text, fill, len);
	for (size_t i = 0; fill == 0xc3 && i < len; i += 2)
		text[i] = i == 0 ? 'a' : 0xa9;
	buf_init(&out, RESULT_BODY_MAX);
	buf_init(&plain, RESULT_BODY_MAX);
	if (result_write(&out, "a", false, false, bytes_of(text, len)) != 0 ||
	    jsonr_parse(buf_bytes(&out), &v, &e) != 0)
		exit(1);
	at = memmem(v.text.ptr, v.text.len, "\"text\":", 7);
	text_of = (struct jsonr){.kind = JSONR_STRING,
		.text = bytes_of(at + 7, v.text.len - 5 -
		(size_t)(at + 7 - v.text.ptr))};
	if (jsonr_add_str(text_of, &plain) != 0)
		exit(1);
	n = buf_len(&plain);
	buf_reset(&out);
	buf_reset(&plain);
	free(text);
	return n;
}

static void
test_result_limits(void)
{
	size_t mark = strlen("\n[output truncated]");

	eq_int(length_of_result(RESULT_TEXT_MAX - 1, 'a'),
	    RESULT_TEXT_MAX - 1, "one less than the limit");
	eq_int(length_of_result(RESULT_TEXT_MAX, 'a'), RESULT_TEXT_MAX,
	    "the limit");
	eq_int(length_of_result(RESULT_TEXT_MAX + 1, 'a'),
	    RESULT_TEXT_MAX + mark, "one more is cut");
	eq_int(length_of_result(RESULT_TEXT_MAX + 1, 0xc3),
	    RESULT_TEXT_MAX - 1 + mark, "a character is not cut");
	eq_int(length_of_result(RESULT_TEXT_MAX, 0), 3 * RESULT_TEXT_MAX,
	    "nothing but NUL");
	eq_int(length_of_result(RESULT_TEXT_MAX, 1), RESULT_TEXT_MAX,
	    "nothing but control bytes");
	eq_int(length_of_result(RESULT_TEXT_MAX, 0xff), 3 * RESULT_TEXT_MAX,
	    "nothing that is UTF-8");
}

int
main(void)
{
	test_lines();
	test_raw();
	test_replace();
	test_plain();
	test_limits();
	test_guess();
	test_result();
	test_result_limits();
	return test_done();
}
