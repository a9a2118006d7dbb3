/* SPDX-License-Identifier: ISC */
/* The audit file of mcp-proxy: what is written, that the chain shows every
 * change, and that it goes on over what a crash or a full disk left. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cmd/mcp-proxy/audit.h"
#include "cmd/mcp-proxy/auditcheck.h"
#include "tests/unit/files.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

enum { FILE_MAX = 1 << 20 };

static char dir[] = "/tmp/test_audit.XXXXXX";
static struct error e;

static const char *
path_of(const char *name)
{
	static char path[4][128];
	static unsigned turn;

	turn = (turn + 1) % 4;
	str_format(path[turn], sizeof path[turn], "%s/%s", dir, name);
	return path[turn];
}

/* ---- one line ---- */

static void
test_line(void)
{
	static const struct {
		const char *text;
		int64_t seq; /* 0: no record */
		bool gap;
	} rows[] = {
		{"{\"seq\":1,\"prev\":\"" ZEROS "\",\"event\":\"open\"}", 1,
		    false},
		{" {\"x\":{},\"event\":\"gap\",\"prev\":\"" ZEROS
		    "\",\"seq\":9223372036854775807} ", INT64_MAX, true},
		{"{\"seq\":0,\"prev\":\"" ZEROS "\",\"event\":\"x\"}", 0, false},
		{"{\"seq\":9223372036854775808,\"prev\":\"" ZEROS
		    "\",\"event\":\"x\"}", 0, false},
		{"{\"seq\":\"1\",\"prev\":\"" ZEROS "\",\"event\":\"x\"}", 0,
		    false},
		{"{\"seq\":1,\"seq\":1,\"prev\":\"" ZEROS
		    "\",\"event\":\"x\"}", 0, false},
		{"{\"seq\":1,\"prev\":\"" ZEROS "0\",\"event\":\"x\"}", 0,
		    false},
		{"{\"seq\":1,\"prev\":\"\",\"event\":\"x\"}", 0, false},
		{"{\"seq\":1,\"prev\":\"g" ZEROS "\",\"event\":\"x\"}", 0,
		    false},
		{"{\"seq\":1,\"prev\":0,\"event\":\"x\"}", 0, false},
		{"{\"seq\":1,\"prev\":\"" ZEROS "\",\"event\":1}", 0, false},
		{"{\"seq\":1,\"prev\":\"" ZEROS "\"}", 0, false},
		{"{\"seq\":1,\"event\":\"x\"}", 0, false},
		{"{\"prev\":\"" ZEROS "\",\"event\":\"x\"}", 0, false},
		{"{\"seq\":1,\"prev\":\"" ZEROS "\",\"event\":\"x\"", 0, false},
		{"[]", 0, false}, {"", 0, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct auditline l = {.seq = 0};
		int r = auditline_parse(bytes_cstr(rows[i].text), &l);

		ok(rows[i].seq == 0 ? r == -1 : r == 0 && !l.prev[0] &&
		    l.seq == (uint64_t)rows[i].seq && l.gap == rows[i].gap,
		    "a line: %.60s", rows[i].text);
	}
}

static void
test_line_limit(void)
{
	static char text[AUDITLINE_MAX + 1];
	struct auditline l;
	size_t n = (size_t)snprintf(text, sizeof text, "{\"seq\":1,\"prev\":\""
	    ZEROS "\",\"event\":\"x\"}");

	memset(text + n, ' ', sizeof text - n);
	eq_int(auditline_parse(bytes_of(text, AUDITLINE_MAX - 1), &l), 0,
	    "a line as long as it may be, with its end");
	eq_int(auditline_parse(bytes_of(text, AUDITLINE_MAX), &l), -1,
	    "and one that is longer");
}

static void
test_head(void)
{
	static const char *const bad[] = {"", "1", "1:", ":" ZEROS,
	    "0:" ZEROS, "-1:" ZEROS, "1:" ZEROS "0", "1 :" ZEROS,
	    "99999999999999999999999:" ZEROS, "1:g" ZEROS};
	uint8_t digest[SHA256_LEN];
	uint64_t seq;

	eq_int(auditline_parse_head("12:" ZEROS, &seq, digest), 0, "a head");
	eq_int(seq, 12, "has a number");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		eq_int(auditline_parse_head(bad[i], &seq, digest), -1,
		    "no head: %s", bad[i]);
}

/* ---- whole files ---- */

static struct buf content;

static struct bytes
read_file(const char *path)
{
	buf_reset(&content);
	buf_init(&content, FILE_MAX);
	must(io_read_file(path, &content, &e) == 0, path);
	return buf_bytes(&content);
}

/* What a verifier says of files, given in chunks. */
static const char *
verify_all(const struct bytes *in, size_t count, size_t chunk)
{
	static char text[ERROR_TEXT_MAX + 40];
	const uint8_t none[SHA256_LEN] = {0};
	struct auditcheck c;
	int r = 0;

	auditcheck_init(&c, 0, none);
	for (size_t i = 0; i < count && r == 0; i++) {
		for (size_t at = 0; at < in[i].len && r == 0; at += chunk) {
			size_t left = in[i].len - at;

			r = auditcheck_feed(&c, bytes_of(in[i].ptr + at,
			    left < chunk ? left : chunk), &e);
		}
		if (r == 0)
			r = i + 1 < count ? auditcheck_end_file(&c, &e)
			    : auditcheck_finish(&c, false, &e);
	}
	if (r == 0)
		str_format(text, sizeof text, "%d to %d", (int)c.first,
		    (int)c.last);
	else
		str_format(text, sizeof text, "%d:%d: %s", (int)c.at.file,
		    (int)c.at.line, e.text);
	auditcheck_done(&c);
	return text;
}

static const char *
verify(struct bytes in)
{
	return verify_all(&in, 1, SIZE_MAX / 2);
}

static const char *
verify_file(const char *path)
{
	return verify(read_file(path));
}

static bool
is_whole(const char *verdict)
{
	return strchr(verdict, ':') == NULL;
}

static const struct audit_decision decision = {
	.who = {"t", "1.2.3.4:5", 7, "docs", NULL},
	.host = {(const uint8_t *)"docs.example", 12},
	.rule = "route",
};

static struct audit a;

static void
write_some(const char *path, int count)
{
	eq_int(audit_open(&a, path, "", &e), 0, "opened");
	for (int i = 0; i < count; i++)
		audit_decide(&a, &decision);
	audit_close(&a);
}

/* The last line without its time and what chains it. */
static const char *
last_line(const char *path)
{
	static char text[AUDITLINE_MAX];
	struct bytes in = read_file(path);
	const char *begin, *event;

	in.len--;
	begin = memrchr(in.ptr, '\n', in.len);
	str_format(text, sizeof text, "%.*s", (int)((const char *)in.ptr +
	    in.len - begin - 1), begin + 1);
	event = strstr(text, "\"event\"");
	return event == NULL ? text : event;
}

static void
test_lines(void)
{
	const char *path = path_of("lines");
	struct failure why;
	struct audit_end end = {.who = {"t", NULL, 1, NULL, "ci"}, .status = 502,
	    .bytes_in = 3, .bytes_out = 4, .ms = 5, .why = &why};
	struct bytes removed[] = {bytes_cstr("a"), bytes_cstr("\"\n")};
	struct audit_decision d = {.direction = AUDIT_ANSWER,
	    .verdict = AUDIT_FILTER, .session = "0123", .id = bytes_cstr("7"),
	    .method = bytes_cstr("tools/list"), .removed = removed,
	    .removed_count = 2, .reason = bytes_cstr("because")};

	eq_int(audit_open(&a, path, "", &e), 0, "a new file");
	ok(strncmp((const char *)read_file(path).ptr, "{\"seq\":1,\"prev\":\""
	    ZEROS "\",\"time\":\"", 80) == 0, "begins a chain");
	audit_decide(&a, &decision);
	eq_str(last_line(path), "\"event\":\"decide\",\"trace\":\"t\","
	    "\"request\":7,\"peer\":\"1.2.3.4:5\",\"route\":\"docs\",\"host\":"
	    "\"docs.example\",\"direction\":\"request\",\"verdict\":\"allow\","
	    "\"rule\":\"route\"}", "a decision");
	audit_decide(&a, &d);
	eq_str(last_line(path), "\"event\":\"decide\",\"session\":\"0123\","
	    "\"direction\":\"answer\",\"method\":\"tools/list\",\"id\":7,"
	    "\"verdict\":\"filter\",\"reason\":\"because\",\"removed_count\":2,"
	    "\"removed\":[\"a\",\"\\\"\\n\"]}", "a filter's");
	failure_set(&why, 502, FRAME_REFUSED, BLAME_CONNECT, "it is not there");
	audit_end(&a, &end);
	eq_str(last_line(path), "\"event\":\"end\",\"trace\":\"t\","
	    "\"request\":1,\"agent\":\"ci\",\"status\":502,\"bytes_in\":3,\"bytes_out\":4,"
	    "\"ms\":5,\"code\":\"refused\",\"blame\":\"connect\"}", "an end");
	audit_note(&a, "reload", "certificate", "tls.crt");
	eq_str(last_line(path), "\"event\":\"reload\",\"certificate\":"
	    "\"tls.crt\"}", "an event of the process");
	audit_reload(&a, "f", "cd");
	eq_str(last_line(path), "\"event\":\"reload\",\"configuration\":"
	    "\"f\",\"sha256\":\"cd\"}", "another configuration");
	audit_close(&a);
	eq_str(last_line(path), "\"event\":\"close\"}", "the end of it");
	eq_str(verify_file(path), "1 to 7", "all of it is whole");
	eq_int(audit_open(&a, path, "ab", &e), 0, "again");
	ok(str_ends(last_line(path), ",\"sha256\":\"ab\"}"),
	    "with a configuration");
	audit_close(&a);
}

static void
test_uris(void)
{
	static const char *const rows[][2] = {
		{"file:///srv/docs/a", "file:///srv/docs/a"},
		{"https://h/a?token=secret#x", "https://h/a"},
		{"https://user:pass@h/a@b", "https://h/a@b"},
		{"https://a@b@h", "https://h"},
		{"data:text/plain;base64,c2VjcmV0", "data:text/plain"},
		{"data:,secret", "data:"}, {"x:y@z", "x:y@z"}, {":", ":"},
		{"://@", "://"},
		{"plain", "plain"},
	};
	struct audit_decision d = {.verdict = AUDIT_DENY};
	char want[256];

	audit_open(&a, path_of("uris"), "", &e);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		d.uri = d.path = bytes_cstr(rows[i][0]);
		d.path.len = 0;
		audit_decide(&a, &d);
		str_format(want, sizeof want, "\"event\":\"decide\",\"direction"
		    "\":\"request\",\"uri\":\"%s\",\"verdict\":\"deny\"}",
		    rows[i][1]);
		eq_str(last_line(path_of("uris")), want, "uri %s", rows[i][0]);
	}
	d.uri.len = 0;
	d.path = bytes_cstr("/mcp?key=secret");
	audit_decide(&a, &d);
	eq_str(last_line(path_of("uris")), "\"event\":\"decide\",\"direction\":"
	    "\"request\",\"path\":\"/mcp\",\"verdict\":\"deny\"}", "a path");
	audit_close(&a);
}

static void
test_ids(void)
{
	static const char *const rows[][2] = {
		{"7", ",\"id\":7"}, {"\"a\\n\"", ",\"id\":\"a\\n\""},
		{"\"\xc2\x9b" "2J\x7f\"", ",\"id\":\"\\u009b2J\\u007f\""},
		{"\"\"", ",\"id\":\"\""},
		{"{}", ""}, {"7,\"event\":\"open\"", ""}, {"", ""},
		{"null", ""}, {"\"a", ""},
	};
	struct audit_decision d = {.verdict = AUDIT_DENY};
	char want[256];

	audit_open(&a, path_of("ids"), "", &e);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		d.id = bytes_cstr(rows[i][0]);
		audit_decide(&a, &d);
		str_format(want, sizeof want, "\"event\":\"decide\",\"direction"
		    "\":\"request\"%s,\"verdict\":\"deny\"}", rows[i][1]);
		eq_str(last_line(path_of("ids")), want, "id %s", rows[i][0]);
	}
	audit_close(&a);
}

/* The longest values there may be, of bytes that are written the longest. */
static void
test_limits(void)
{
	static uint8_t junk[1 << 16];
	struct bytes names[512];
	struct audit_decision d = {.verdict = AUDIT_FILTER};
	struct bytes in;

	memset(junk, 1, sizeof junk);
	d.host = d.http_method = d.path = d.method = d.name = d.uri =
	    d.reason = bytes_of(junk, sizeof junk);
	d.id = bytes_of(junk, sizeof junk);
	for (size_t i = 0; i < 512; i++)
		names[i] = d.host;
	d.removed = names;
	d.removed_count = 512;
	audit_open(&a, path_of("limits"), "", &e);
	eq_int(audit_decide(&a, &d), 0, "the longest values fit");
	d.host = bytes_of("\xff\xfe\xc3", 3);
	d.removed_count = 0;
	eq_int(audit_decide(&a, &d), 0, "so does what is no UTF-8");
	audit_close(&a);
	in = read_file(path_of("limits"));
	ok(memmem(in.ptr, in.len, "\\u0001...\"", 10) != NULL,
	    "what is cut says so");
	ok(memmem(in.ptr, in.len, "\"removed_count\":512", 19) != NULL,
	    "what is left out is counted");
	eq_str(verify(in), "1 to 4", "and the lines are records");
}

/* ---- changes ---- */

static struct bytes
line_of(struct bytes in, int number)
{
	struct bytes line = {NULL, 0};

	while (number-- > 0) {
		const uint8_t *end = memchr(in.ptr, '\n', in.len);

		line = bytes_of(in.ptr, (size_t)(end - in.ptr) + 1);
		in = bytes_after(in, line.len);
	}
	return line;
}

/* The lines of in, in the order that digits tell. */
static const char *
reordered(struct bytes in, const char *order)
{
	static struct buf out;

	buf_reset(&out);
	buf_init(&out, FILE_MAX);
	for (; *order != '\0'; order++)
		buf_add(&out, line_of(in, *order - '0'));
	return verify(buf_bytes(&out));
}

static void
test_changes(void)
{
	static const char *const rows[][2] = {
		{"123456", "1 to 6"}, {"23456", "2 to 6"}, {"1234", "1 to 4"},
		{"12456", "0:3: record 4 follows 2"},
		{"124356", "0:3: record 4 follows 2"},
		{"1233456", "0:4: record 3 follows 3"},
		{"1234561", "0:7: a new chain begins"},
		{"21", "0:2: a new chain begins"},
	};
	struct bytes in;
	uint8_t *copy;
	size_t missed = 0;

	write_some(path_of("changes"), 4);
	in = read_file(path_of("changes"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		eq_str(reordered(in, rows[i][0]), rows[i][1],
		    "lines in the order %s", rows[i][0]);
	eq_str(verify_all(&in, 1, 1), "1 to 6", "byte by byte");
	eq_str(verify(bytes_of(in.ptr, in.len - 1)),
	    "0:6: the last line is not complete", "a line without its end");
	eq_str(verify(bytes_of("", 0)), "0:1: no record", "nothing");
	copy = malloc(in.len);
	must(copy != NULL, "malloc");
	memcpy(copy, in.ptr, in.len);
	for (size_t i = 0; i < in.len - line_of(in, 6).len; i++) {
		copy[i] ^= 1;
		missed += is_whole(verify(bytes_of(copy, in.len)));
		copy[i] ^= 1;
	}
	eq_int(missed, 0, "a changed bit is found, but for the last line's");
	free(copy);
}

static void
test_heads(void)
{
	struct bytes in = read_file(path_of("changes"));
	uint8_t digest[SHA256_LEN];
	struct auditcheck c;
	uint64_t seq;

	eq_int(auditfile_read_head(path_of("changes"), &seq, digest, &e), 0,
	    "the head of a file");
	eq_int(seq, 6, "is its last record");
	for (size_t lines = 5; lines <= 6; lines++) {
		auditcheck_init(&c, seq, digest);
		auditcheck_feed(&c, lines == 6 ? in : bytes_of(in.ptr,
		    in.len - line_of(in, 6).len), &e);
		eq_int(auditcheck_finish(&c, false, &e), lines == 6 ? 0 : -1,
		    "%zu lines of 6", lines);
		auditcheck_done(&c);
	}
	eq_str(e.text, "record 5 is the last, but --head has 6",
	    "the end is missing");
	digest[0] ^= 1;
	auditcheck_init(&c, seq, digest);
	eq_int(auditcheck_feed(&c, in, &e), -1, "another record");
	eq_str(e.text, "record 6 is not the one of --head", "is told");
	auditcheck_done(&c);
	auditcheck_init(&c, 1, digest);
	auditcheck_feed(&c, bytes_after(in, line_of(in, 1).len), &e);
	eq_int(auditcheck_finish(&c, false, &e), -1, "a head before the first");
	eq_str(e.text, "--head has record 1, but the first is 2", "is told");
	auditcheck_done(&c);
}

static void
test_written(void)
{
	struct bytes in = read_file(path_of("changes"));
	const uint8_t none[SHA256_LEN] = {0};
	struct auditcheck c;

	auditcheck_init(&c, 0, none);
	auditcheck_feed(&c, bytes_of(in.ptr, in.len - 5), &e);
	eq_int(auditcheck_finish(&c, true, &e), 0,
	    "a line that is just coming is no error");
	eq_int(c.last, 5, "and does not count");
	auditcheck_done(&c);
}

/* ---- rotation ---- */

static void
test_rotation(void)
{
	const char *path = path_of("log"), *old = path_of("log.1");
	struct bytes in[2], one;
	struct buf first;

	eq_int(audit_open(&a, path, "", &e), 0, "opened");
	audit_reopen(&a);
	audit_decide(&a, &decision);
	rename(path, old);
	audit_decide(&a, &decision);
	put_file(AT_FDCWD, path, ""); /* as some who rotate do */
	chmod(path, 0600);
	audit_reopen(&a);
	audit_decide(&a, &decision);
	audit_close(&a);
	buf_init(&first, FILE_MAX);
	io_read_file(old, &first, &e);
	in[0] = buf_bytes(&first);
	in[1] = read_file(path);
	eq_str(verify_all(in, 2, 7), "1 to 7", "the chain goes on");
	one = in[1];
	eq_str(verify_all(&one, 1, 7), "5 to 7", "a file may be alone");
	in[1] = in[0];
	in[0] = one;
	eq_str(verify_all(in, 2, 100), "1:1: a new chain begins",
	    "the wrong order");
	buf_reset(&first);
}

/* What is there already is somebody's. */
static void
test_rotation_refused(void)
{
	const char *path = path_of("busy");

	eq_int(audit_open(&a, path, "", &e), 0, "opened");
	rename(path, path_of("busy.1"));
	put_file(AT_FDCWD, path, "{}\n");
	chmod(path, 0600);
	audit_reopen(&a);
	eq_int(audit_decide(&a, &decision), 0, "written still");
	audit_close(&a);
	eq_str(get_file(AT_FDCWD, path), "{}\n", "not in the other file");
	eq_str(verify_file(path_of("busy.1")), "1 to 3", "but in ours");
}

/* ---- opening ---- */

static void
test_open(void)
{
	static const char *const foreign[] = {"hello\n", "\n", "{}\n", "x",
	    "{\"seq\":1}\nx\n{\"event\":\"x\"}"};
	struct audit other;
	struct stat st;
	char want[256];

	eq_int(audit_open(&a, path_of("one"), "", &e), 0, "opened");
	eq_int(audit_open(&other, path_of("one"), "", &e), -1, "twice");
	str_format(want, sizeof want, "%s: another process writes it",
	    path_of("one"));
	eq_str(e.text, want, "is told");
	stat(path_of("one"), &st);
	eq_int(st.st_mode & 0777, 0600, "its owner's only");
	audit_close(&a);
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		const char *path = path_of("foreign");

		put_file(AT_FDCWD, path, foreign[i]);
		chmod(path, 0600);
		eq_int(audit_open(&a, path, "", &e), i == 4 ? 0 : -1,
		    "a file with %s", foreign[i]);
		if (i != 4)
			eq_str(get_file(AT_FDCWD, path), foreign[i],
			    "stays as it is");
	}
	audit_close(&a);
	chmod(path_of("one"), 0620);
	eq_int(audit_open(&a, path_of("one"), "", &e), -1, "a group's file");
	mkfifo(path_of("fifo"), 0600);
	eq_int(audit_open(&a, path_of("fifo"), "", &e), -1, "a pipe");
	eq_int(audit_open(&a, dir, "", &e), -1, "a directory");
	eq_int(audit_open(&a, path_of("no/such"), "", &e), -1, "a path to nowhere");
	eq_int(audit_open(&a, NULL, "", &e), 0, "none");
	eq_int(audit_decide(&a, &decision), 0, "writes nothing and succeeds");
	audit_close(&a);
}

static void
test_check(void)
{
	eq_int(auditfile_check(path_of("lines"), &e), 0, "one that is there");
	eq_int(auditfile_check(path_of("absent"), &e), 0, "one to be made");
	eq_int(access(path_of("absent"), F_OK), -1, "which is not made");
	eq_int(auditfile_check(path_of("no/such"), &e), -1, "a path to nowhere");
	eq_int(auditfile_check(dir, &e), -1, "a directory");
	eq_int(auditfile_check(path_of("one"), &e), -1, "a group's file");
	eq_int(auditfile_read_head(path_of("absent"), &(uint64_t){0},
	    (uint8_t[SHA256_LEN]){0}, &e), -1, "no file has no head");
}

/* ---- lines that are cut short ---- */

static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	must(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
}

static off_t
size_of(const char *path)
{
	struct stat st;

	must(stat(path, &st) == 0, path);
	return st.st_size;
}

/* How many times a write that is cut after n bytes, of the next lines, leaves
 * a file that is not whole afterwards; crash: another process goes on. */
static int
cut_after(const char *path, off_t n, int times, bool crash)
{
	int bad = 0;

	unlink(path);
	must(audit_open(&a, path, "", &e) == 0, path);
	audit_decide(&a, &decision);
	for (int i = 0; i < times; i++) {
		limit_files((rlim_t)(size_of(path) + n));
		a.failed = true; /* without a word */
		bad += audit_decide(&a, &decision) != -1;
		limit_files(RLIM_INFINITY);
	}
	a.failed = false;
	if (crash) {
		auditfile_close(&a.file);
		buf_reset(&a.line);
		must(audit_open(&a, path, "", &e) == 0, path);
	}
	bad += audit_decide(&a, &decision) != 0;
	audit_close(&a);
	return bad + !is_whole(verify_file(path));
}

static void
test_torn(void)
{
	const char *path = path_of("torn");
	off_t len;

	write_some(path, 1);
	len = (off_t)line_of(read_file(path), 2).len;
	for (int crash = 0; crash < 2; crash++) {
		for (int times = 1; times <= 3; times++) {
			int bad = 0;

			for (off_t n = 0; n < len; n++)
				bad += cut_after(path, n, times, crash == 1);
			eq_int(bad, 0, "cut %d times after each byte, %s",
			    times, crash == 1 ? "then a crash" : "then space");
		}
	}
}

static void
test_torn_shown(void)
{
	const char *path = path_of("torn");
	struct bytes in;

	cut_after(path, 40, 1, false);
	in = read_file(path);
	eq_int(line_of(in, 3).len, 41, "a part of a line");
	ok(memmem(line_of(in, 4).ptr, line_of(in, 4).len,
	    "\"event\":\"gap\",\"torn\":true,\"lost\":0}", 35) != NULL,
	    "the next says so");
	eq_str(reordered(in, "12456"), "0:3: record 3 was chained to another "
	    "than the one before it", "without the part");
	eq_str(reordered(in, "12356"), "0:3: no record, and the next does not "
	    "say so", "without what says so");
	eq_str(reordered(in, "123"), "0:3: no record, and the next does not "
	    "say so", "at the end");
}

/* A new file whose first line was cut short. */
static void
test_torn_first(void)
{
	struct bytes in;
	int bad = 0;

	for (off_t n = 0; n < 60; n++) {
		unlink(path_of("first"));
		limit_files((rlim_t)n);
		bad += audit_open(&a, path_of("first"), "", &e) != -1;
		limit_files(RLIM_INFINITY);
		bad += audit_open(&a, path_of("first"), "", &e) != 0;
		audit_close(&a);
		in = read_file(path_of("first"));
		bad += !is_whole(verify(in));
	}
	eq_int(bad, 0, "the first line of all cut after each byte");
}

static void
test_torn_rotated(void)
{
	const char *path = path_of("r"), *old = path_of("r.1");
	struct bytes in[2];
	struct buf first;
	int bad = 0;

	for (off_t n = 0; n < 60; n++) {
		unlink(path);
		audit_open(&a, path, "", &e);
		limit_files((rlim_t)(size_of(path) + n));
		a.failed = true;
		audit_decide(&a, &decision);
		rename(path, old);
		limit_files((rlim_t)n);
		audit_reopen(&a);
		limit_files(RLIM_INFINITY);
		a.failed = false;
		bad += audit_decide(&a, &decision) != 0;
		audit_close(&a);
		buf_init(&first, FILE_MAX);
		io_read_file(old, &first, &e);
		in[0] = buf_bytes(&first);
		in[1] = read_file(path);
		bad += !is_whole(verify_all(in, 2, 50));
		buf_reset(&first);
	}
	eq_int(bad, 0, "both sides of a rotation cut after each byte");
}

static void
test_lost(void)
{
	struct audit_end end = {.status = 200};
	const char *path = path_of("lost");
	struct bytes in;

	audit_open(&a, path, "", &e);
	limit_files((rlim_t)size_of(path));
	a.failed = true;
	audit_end(&a, &end);
	audit_end(&a, &end);
	limit_files(RLIM_INFINITY);
	a.failed = false;
	audit_end(&a, &end);
	audit_close(&a);
	in = read_file(path);
	ok(memmem(line_of(in, 2).ptr, line_of(in, 2).len,
	    "\"event\":\"gap\",\"torn\":false,\"lost\":2}", 36) != NULL,
	    "ends that could not be written are counted");
	eq_str(verify(in), "1 to 4", "the rest is whole");
}

static void
remove_files(void)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.')
			unlink(path_of(entry->d_name));
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

int
main(void)
{
	must(mkdtemp(dir) != NULL, dir);
	signal(SIGXFSZ, SIG_IGN);
	test_line();
	test_line_limit();
	test_head();
	test_lines();
	test_uris();
	test_ids();
	test_limits();
	test_changes();
	test_heads();
	test_written();
	test_rotation();
	test_rotation_refused();
	test_open();
	test_check();
	test_torn();
	test_torn_shown();
	test_torn_first();
	test_torn_rotated();
	test_lost();
	buf_reset(&content);
	remove_files();
	return test_done();
}
