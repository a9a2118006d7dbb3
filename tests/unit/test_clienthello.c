/* SPDX-License-Identifier: ISC */
/* The ClientHello parser on real hellos of three libraries and on hellos
 * built here, whole, cut at every byte, in records of every size, and wrong
 * in every way that has an alert of its own. */
#include "common/clienthello.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

#define HOST "docs.acme.tunnel.example"

enum { BUILD_MAX = 1 << 20 };

/* What a hello is built of; zeroed members get what is usual. */
struct plan {
	uint16_t version;          /* legacy_version; 0: 0x0303 */
	struct bytes versions;     /* of supported_versions; NULL: absent */
	const char *name;          /* NULL: no server_name */
	struct bytes server_name;  /* its body instead of that of name */
	size_t padding;            /* of an extension, 0: absent */
	size_t record_len;         /* 0: one record */
	struct bytes trailing;     /* after the message, in its record */
	bool twice;                /* server_name */
};

static void
put(struct buf *b, const void *p, size_t len)
{
	if (buf_add(b, bytes_of(p, len)) != 0) {
		perror("buf_add");
		exit(1);
	}
}

static void
put16(struct buf *b, size_t v)
{
	uint8_t two[2];

	be16_put(two, (uint16_t)v);
	put(b, two, sizeof two);
}

static void
put_extension(struct buf *b, uint16_t type, struct bytes body)
{
	put16(b, type);
	put16(b, body.len);
	put(b, body.ptr, body.len);
}

static void
put_server_name(struct buf *b, const struct plan *p)
{
	struct buf body;

	if (p->server_name.ptr != NULL)
		put_extension(b, 0, p->server_name);
	if (p->name == NULL)
		return;
	buf_init(&body, BUILD_MAX);
	put16(&body, strlen(p->name) + 3);
	put(&body, "\0", 1);
	put16(&body, strlen(p->name));
	put(&body, p->name, strlen(p->name));
	put_extension(b, 0, buf_bytes(&body));
	buf_reset(&body);
}

static void
put_extensions(struct buf *b, const struct plan *p)
{
	static const uint8_t zeros[20000];

	put_extension(b, 0x2a2a, bytes_of(NULL, 0)); /* GREASE */
	put_server_name(b, p);
	if (p->twice)
		put_server_name(b, p);
	if (p->versions.ptr != NULL)
		put_extension(b, 43, p->versions);
	if (p->padding != 0)
		put_extension(b, 21, bytes_of(zeros, p->padding));
	put_extension(b, 0xfafa, bytes_of("\0", 1));
}

static void
put_message(struct buf *b, const struct plan *p)
{
	static const uint8_t random[32] = {7}, session[33] = {32, 1, 2};
	struct buf extensions;
	uint8_t len[3];
	size_t n;

	buf_init(&extensions, BUILD_MAX);
	put_extensions(&extensions, p);
	n = 2 + 32 + 33 + 6 + 2 + 2 + buf_len(&extensions);
	len[0] = (uint8_t)(n >> 16);
	be16_put(len + 1, (uint16_t)n);
	put(b, "\1", 1);
	put(b, len, 3);
	put16(b, p->version == 0 ? 0x0303 : p->version);
	put(b, random, sizeof random);
	put(b, session, sizeof session);
	put(b, "\0\4\x0a\x0a\x13\1", 6);
	put(b, "\1\0", 2);
	put16(b, buf_len(&extensions));
	put(b, buf_bytes(&extensions).ptr, buf_len(&extensions));
	buf_reset(&extensions);
}

/* The records of p's hello; the caller frees *ret with buf_reset. */
static struct bytes
build(struct buf *ret, const struct plan *p)
{
	struct bytes left;
	struct buf message;

	buf_init(&message, BUILD_MAX);
	buf_init(ret, BUILD_MAX);
	put_message(&message, p);
	put(&message, p->trailing.ptr, p->trailing.len);
	left = buf_bytes(&message);
	while (left.len != 0) {
		size_t n = p->record_len == 0 || p->record_len > left.len
		    ? left.len : p->record_len;

		put(ret, "\x16\3\1", 3);
		put16(ret, n);
		put(ret, left.ptr, n);
		left = bytes_after(left, n);
	}
	buf_reset(&message);
	return buf_bytes(ret);
}

/* Parses a copy of in that ends at a page that cannot be touched. */
static int
parse(struct bytes in, struct clienthello *ret)
{
	struct test_guard g;
	int r = clienthello_parse(test_guard_new(&g, in), ret);

	test_guard_free(&g);
	return r;
}

static void
expect_name(const struct plan *p, const char *title)
{
	struct clienthello h;
	struct buf b;

	eq_int(parse(build(&b, p), &h), 1, "%s: accepted", title);
	eq_str(h.name, HOST, "%s: the name", title);
	buf_reset(&b);
}

static void
expect_alert(struct bytes in, enum tls_alert alert, const char *title)
{
	struct clienthello h = {.alert = 0};

	eq_int(parse(in, &h), -1, "%s: refused", title);
	eq_str(clienthello_alert_name(h.alert), clienthello_alert_name(alert),
	    "%s: the alert", title);
}

static void
expect_plan_alert(const struct plan *p, enum tls_alert alert,
    const char *title)
{
	struct buf b;

	expect_alert(build(&b, p), alert, title);
	buf_reset(&b);
}

/* Every strict prefix needs more. */
static void
check_prefixes(struct bytes in, const char *title)
{
	struct clienthello h;
	size_t len = 0;

	while (len < in.len && parse(bytes_of(in.ptr, len), &h) == 0)
		len++;
	eq_int(len, in.len, "%s: every strict prefix needs more", title);
}

/* A changed byte gives some answer, and a name that is one. */
static void
check_corruption(struct bytes in, const char *title)
{
	size_t bad = 0;

	for (size_t i = 0; i < in.len; i++) {
		struct test_guard g;
		struct clienthello h;
		struct bytes copy = test_guard_new(&g, in);
		int r;

		g.map[(size_t)(copy.ptr - g.map) + i] ^= (uint8_t)(1 +
		    test_below(255));
		r = clienthello_parse(copy, &h);
		bad += r > 0 && !str_is_hostname(h.name);
		bad += r < 0 && (h.alert == 0 || h.text == NULL);
		test_guard_free(&g);
	}
	eq_int(bad, 0, "%s: corruption of any byte has a clear answer",
	    title);
}

static void
test_real(void)
{
	static const char *const files[] = {"openssl-tls13", "openssl-tls12",
	    "curl-h2", "node-tls"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char path[128];
		struct clienthello h;
		struct error e;
		struct buf b;

		str_format(path, sizeof path, "tests/fuzz/corpus/clienthello/"
		    "%s", files[i]);
		buf_init(&b, BUILD_MAX);
		if (!ok(io_read_file(path, &b, &e) == 0, "%s", path))
			continue;
		eq_int(parse(buf_bytes(&b), &h), 1, "%s: accepted", files[i]);
		eq_str(h.name, HOST, "%s: the name", files[i]);
		check_prefixes(buf_bytes(&b), files[i]);
		check_corruption(buf_bytes(&b), files[i]);
		buf_reset(&b);
	}
}

static void
test_fragments(void)
{
	struct plan p = {.name = HOST};
	size_t good = 0, want = 0;

	for (p.record_len = 1; p.record_len < 160; p.record_len++) {
		struct clienthello h;
		struct buf b;

		want++;
		good += parse(build(&b, &p), &h) == 1 && str_eq(h.name, HOST);
		if (p.record_len % 40 == 3)
			check_prefixes(buf_bytes(&b), "in records");
		buf_reset(&b);
	}
	eq_int(good, want, "records of 1 to 159 bytes");
}

static void
test_accepted(void)
{
	static const uint8_t more[] = "\x14\3\3\0\1\1";
	struct clienthello h;
	struct plan p = {.name = HOST};
	struct buf b;

	expect_name(&p, "with GREASE");
	p.versions = bytes_of("\6\x6a\x6a\3\4\3\3", 7);
	expect_name(&p, "TLS 1.3");
	p.version = 0x0301;
	expect_name(&p, "an old legacy_version with supported_versions");
	p = (struct plan){.name = "DOCS.Acme.tunnel.EXAMPLE"};
	expect_name(&p, "upper case");
	p = (struct plan){.server_name = bytes_of("\0\x20\1\0\2xx\0\0\x18" HOST,
	    34)};
	expect_name(&p, "a name type that is not known before the host name");
	p = (struct plan){.name = HOST};
	build(&b, &p);
	put(&b, more, sizeof more - 1);
	eq_int(parse(buf_bytes(&b), &h), 1, "records may follow");
	buf_reset(&b);
}

/* The length of p's message without padding. */
static size_t
bare_len(struct plan p)
{
	struct buf b;
	size_t len;

	buf_init(&b, BUILD_MAX);
	put_message(&b, &p);
	len = buf_len(&b);
	buf_reset(&b);
	return len;
}

static void
test_limits(void)
{
	char name[300] = "";
	struct plan p = {.name = HOST};
	size_t padding = CLIENTHELLO_MAX - bare_len(p) - 4;
	struct clienthello h;
	struct buf b;

	for (int more = -1; more <= 1; more++) {
		p.padding = (size_t)((int)padding + more);
		p.record_len = 10000;
		eq_int(parse(build(&b, &p), &h), more > 0 ? -1 : 1,
		    "a message of the limit %+d", more);
		buf_reset(&b);
	}
	p = (struct plan){.name = HOST, .padding = padding, .record_len = 60};
	expect_plan_alert(&p, ALERT_DECODE_ERROR, "too many records");
	for (size_t i = 0; i < 253; i++)
		name[i] = i % 4 == 3 ? '.' : 'a';
	p = (struct plan){.name = name};
	eq_int(parse(build(&b, &p), &h), 1, "a name of 253 bytes");
	buf_reset(&b);
	name[253] = 'a';
	expect_plan_alert(&p, ALERT_UNRECOGNIZED_NAME, "a name of 254 bytes");
}

static void
test_names(void)
{
	static const struct {
		struct bytes body;
		enum tls_alert alert;
		const char *title;
	} cases[] = {
		{{(const uint8_t *)"\0\0", 2}, ALERT_DECODE_ERROR,
		    "an empty list"},
		{{(const uint8_t *)"\0\3\0\0\0", 5}, ALERT_DECODE_ERROR,
		    "an empty name"},
		{{(const uint8_t *)"\0\4\0\0\2a", 6}, ALERT_DECODE_ERROR,
		    "a name beyond the list"},
		{{(const uint8_t *)"\0\5\0\0\1a", 6}, ALERT_DECODE_ERROR,
		    "a list beyond the extension"},
		{{(const uint8_t *)"\0\3\0\0\1a", 6}, ALERT_DECODE_ERROR,
		    "bytes after the list"},
		{{(const uint8_t *)"\0\xa\0\0\2ab\0\0\2cd", 12},
		    ALERT_ILLEGAL_PARAMETER, "two names"},
		{{(const uint8_t *)"\0\6\0\0\3a\0b", 8},
		    ALERT_UNRECOGNIZED_NAME, "a NUL in a name"},
		{{(const uint8_t *)"\0\xc\0\0\x9" "127.0.0.1", 14},
		    ALERT_UNRECOGNIZED_NAME, "an address"},
		{{(const uint8_t *)"\0\5\0\0\2a.", 7},
		    ALERT_UNRECOGNIZED_NAME, "a dot at the end"},
		{{(const uint8_t *)"\0\5\1\0\2ab", 7},
		    ALERT_MISSING_EXTENSION, "only an unknown type"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct plan p = {.server_name = cases[i].body};

		expect_plan_alert(&p, cases[i].alert, cases[i].title);
	}
}

static void
test_refused(void)
{
	struct plan p = {.name = NULL};

	expect_plan_alert(&p, ALERT_MISSING_EXTENSION, "no server name");
	p = (struct plan){.name = HOST, .version = 0x0302};
	expect_plan_alert(&p, ALERT_PROTOCOL_VERSION, "TLS 1.1");
	p.versions = bytes_of("\4\3\2\x3a\x3a", 5);
	expect_plan_alert(&p, ALERT_PROTOCOL_VERSION,
	    "TLS 1.1 and GREASE as supported_versions");
	p.versions = bytes_of("\3\3\4\3", 4);
	expect_plan_alert(&p, ALERT_DECODE_ERROR, "half a version");
	p = (struct plan){.name = HOST, .twice = true};
	expect_plan_alert(&p, ALERT_ILLEGAL_PARAMETER, "an extension twice");
	p = (struct plan){.name = HOST, .trailing = bytes_of("\0", 1)};
	expect_plan_alert(&p, ALERT_UNEXPECTED_MESSAGE,
	    "a byte after the message in its record");
	p.record_len = 50;
	expect_plan_alert(&p, ALERT_UNEXPECTED_MESSAGE,
	    "a byte after the message in the last record");
	expect_alert(bytes_cstr("GET / HTTP/1.1\r\n"),
	    ALERT_UNEXPECTED_MESSAGE, "HTTP");
	expect_alert(bytes_of("\x15\3\1\0\2\1\0", 7),
	    ALERT_UNEXPECTED_MESSAGE, "an alert");
	expect_alert(bytes_of("\x80\x2e\1\3\1", 5), ALERT_PROTOCOL_VERSION,
	    "SSL 2.0");
	expect_alert(bytes_of("\x16\2\0", 3), ALERT_PROTOCOL_VERSION,
	    "a record of another protocol");
	expect_alert(bytes_of("\x16\3\1\0\0", 5), ALERT_DECODE_ERROR,
	    "an empty record");
	expect_alert(bytes_of("\x16\3\1\x40\1", 5), ALERT_RECORD_OVERFLOW,
	    "a record of 16385 bytes");
	expect_alert(bytes_of("\x16\3\1\0\4\2\0\0\0", 9),
	    ALERT_UNEXPECTED_MESSAGE, "a ServerHello");
	expect_alert(bytes_of("\x16\3\1\0\4\1\0\x3f\xfd", 9),
	    ALERT_DECODE_ERROR, "a message of 16385 bytes");
}

static void
test_alert(void)
{
	uint8_t out[CLIENTHELLO_ALERT_LEN];

	clienthello_put_alert(out, ALERT_UNRECOGNIZED_NAME);
	eq_bytes(bytes_of(out, sizeof out),
	    bytes_of("\x15\3\3\0\2\2\x70", 7), "the record of an alert");
}

int
main(void)
{
	test_real();
	test_fragments();
	test_accepted();
	test_limits();
	test_names();
	test_refused();
	test_alert();
	return test_done();
}
