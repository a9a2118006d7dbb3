/* SPDX-License-Identifier: ISC */
/* Captures: frame-dump's reader on every prefix and every changed byte of
 * one, and its guess at TLS records. */
#include "cmd/frame-dump/hint.h"
#include "cmd/frame-dump/print.h"
#include "cmd/frame-dump/read.h"
#include "common/io.h"
#include "tests/unit/test.h"

#define SESSION "tests/fuzz/corpus/capture/session"

enum {
	SESSION_MAX = 4096,
	RECORDS = 20,
	AUTH_LEN = 48,
	LINES_MAX = 1 << 20,
};

/* What became of an input. */
struct outcome {
	int records;
	int status; /* reader_end's, or -1 */
	uint64_t offset;
	struct error e;
};

static void
print_both(struct buf *lines, const struct record *r)
{
	static const struct print_style style = {.hex = true, .payload = true};

	print_text(lines, &style, r, 0);
	print_json(lines, &style, r);
}

static struct outcome
read_all(struct bytes in, struct buf *lines)
{
	struct outcome o = {.status = 0};
	struct reader r = {.state = READER_NEW};
	struct record record;
	size_t used;
	int n;

	while ((n = reader_next(&r, in, &used, &record, &o.e)) == 1) {
		o.records++;
		print_both(lines, &record);
		in = bytes_after(in, used);
	}
	in = bytes_after(in, used);
	o.status = n < 0 ? -1 : reader_end(&r, in, &record, &o.e);
	if (o.status == 1)
		print_both(lines, &record);
	o.offset = r.offset;
	return o;
}

/* Each prefix lies before a page that can not be read. */
static void
test_prefixes(struct bytes session)
{
	struct test_guard guard;
	int last = 0, cut = 0, alone = 0, fewer = 0;
	struct buf lines;

	buf_init(&lines, LINES_MAX);
	for (size_t n = 0; n < session.len; n++) {
		struct bytes in = test_guard_new(&guard,
		    bytes_of(session.ptr, n));
		struct outcome o = read_all(in, &lines);

		cut += o.status == -1 ? 1 : 0;
		alone += o.status == 1 ? 1 : 0;
		fewer += o.records < last ? 1 : 0;
		last = o.records;
		test_guard_free(&guard);
		buf_clear(&lines);
	}
	eq_int(fewer, 0, "a longer prefix never has fewer records");
	eq_int(alone, 1, "one MARK with dropped frames may be the last");
	/* Whole: after the preamble and after each record. */
	eq_int(cut, (int)session.len - 1 - RECORDS - alone,
	    "every prefix that ends inside a record is cut off");
	eq_int(last, RECORDS, "the longest prefix has every record");
	buf_reset(&lines);
}

static void
test_changes(struct bytes session)
{
	uint8_t copy[SESSION_MAX];
	struct buf want, got;
	int same = 0;

	buf_init(&want, LINES_MAX);
	buf_init(&got, LINES_MAX);
	read_all(session, &want);
	memcpy(copy, session.ptr, session.len);
	for (size_t i = 0; i < session.len; i++) {
		struct outcome o;

		copy[i] ^= (uint8_t)(1 + test_below(255));
		o = read_all(bytes_of(copy, session.len), &got);
		if (o.status == 1 && bytes_eq(buf_bytes(&want),
		    buf_bytes(&got)))
			same++;
		copy[i] = session.ptr[i];
		buf_clear(&got);
	}
	eq_int(same, AUTH_LEN,
	    "every changed byte but those of AUTH changes the lines");
	buf_reset(&want);
	buf_reset(&got);
}

static void
test_errors(void)
{
	static const uint8_t preamble[] = "adit\r\n\2\1";
	struct buf lines;
	struct outcome o;

	buf_init(&lines, LINES_MAX);
	o = read_all(bytes_of(NULL, 0), &lines);
	eq_str(o.e.text, "offset 0: empty, not even a preamble", "no bytes");
	o = read_all(bytes_of(preamble, 5), &lines);
	eq_str(o.e.text, "offset 0: cut off inside the preamble",
	    "half a preamble");
	o = read_all(bytes_of(preamble, 8), &lines);
	eq_int(o.status, 0, "a capture of nothing");
	eq_int(o.offset, 8, "is eight bytes");
	buf_reset(&lines);
}

static void
check_hint(const char *hex, size_t len, const char *want)
{
	struct buf b;

	buf_init(&b, SESSION_MAX);
	hint_tls(&b, bytes_of(hex, len));
	buf_add(&b, bytes_of("", 1));
	eq_str((const char *)buf_bytes(&b).ptr, want, "TLS: '%s'", want);
	buf_reset(&b);
}

static void
test_hint(void)
{
	check_hint("\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9,
	    "handshake:client_hello/4");
	check_hint("\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", 9,
	    "handshake:server_hello/16384");
	check_hint("\x15\x03\x03\x00\x02\x02\x28", 7, "alert/2");
	check_hint("\x17\x03\x03\x48\x00", 5, "application_data/18432");
	check_hint("\x17\x03\x03\x48\x01", 5, "");
	check_hint("\x17\x03\x03\x00\x00", 5, "");
	check_hint("\x17\x03\x03\x00", 4, "");
	check_hint("\x17\x03\x05\x00\x01", 5, "");
	check_hint("\x18\x03\x03\x00\x01", 5, "");
	check_hint("\x14\x03\x03\x00\x01\x01GET /", 11,
	    "change_cipher_spec/1+");
}

int
main(void)
{
	struct buf file, lines;
	struct error e;

	buf_init(&file, SESSION_MAX);
	buf_init(&lines, LINES_MAX);
	if (!eq_int(io_read_file(SESSION, &file, &e), 0, "%s", SESSION))
		return test_done();
	eq_int(read_all(buf_bytes(&file), &lines).status, 1,
	    "the session ends with a MARK alone");
	test_prefixes(buf_bytes(&file));
	test_changes(buf_bytes(&file));
	test_errors();
	test_hint();
	buf_reset(&lines);
	buf_reset(&file);
	return test_done();
}
