/* SPDX-License-Identifier: ISC */
/* The strict reader of HTTP heads: what it takes, what it refuses and with
 * which status, where it says "need more", and what it writes. */
#include "common/http.h"
#include "tests/unit/test.h"

enum { MAX = 4096 };

static struct http_head head;
static struct body body;
static struct error why;

static struct bytes
text(const char *s)
{
	return bytes_cstr(s);
}

/* Returns 0, or the status to answer with. */
static int
parse_bytes(struct bytes in)
{
	struct http_scan scan = {0};
	ssize_t n;

	why.code = 0;
	why.text[0] = '\0';
	n = http_scan_head(&scan, in, MAX, &why);
	if (n == 0)
		return -1;
	if (n < 0 || http_parse_request(bytes_of(in.ptr, (size_t)n), &head,
	    &body, &why) != 0)
		return why.code;
	return 0;
}

static int
parse(const char *request)
{
	return parse_bytes(text(request));
}

struct refused {
	int status;
	const char *name, *request;
};

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static const struct refused refused[] = {
	{400, "LF alone", "GET / HTTP/1.1\nHost: a\n\n"},
	{400, "LF alone in a field", LINE "Host: a\nX: b\r\n\r\n"},
	{400, "CR in a field", LINE HOST "X: a\rb\r\n\r\n"},
	{400, "CR CR LF", LINE HOST "X: a\r\r\n\r\n"},
	{400, "obs-fold", LINE HOST "X: a\r\n b\r\n\r\n"},
	{400, "obs-fold with TAB", LINE HOST "X: a\r\n\tb\r\n\r\n"},
	{400, "space before the first field", LINE " Host: a\r\n\r\n"},
	{400, "space before a colon", LINE "Host : a\r\n\r\n"},
	{400, "TAB before a colon", LINE HOST "X\t: a\r\n\r\n"},
	{400, "no colon", LINE HOST "X\r\n\r\n"},
	{400, "no name", LINE HOST ": a\r\n\r\n"},
	{400, "name with a bracket", LINE HOST "X[: a\r\n\r\n"},
	{400, "name beyond ASCII", LINE HOST "X\xc3\xa9: a\r\n\r\n"},
	{400, "control byte in a value", LINE HOST "X: a\x01\r\n\r\n"},
	{400, "DEL in a value", LINE HOST "X: a\x7f\r\n\r\n"},
	{400, "no Host", LINE "X: a\r\n\r\n"},
	{400, "no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"},
	{400, "two Hosts", LINE HOST HOST "\r\n"},
	{400, "empty Host", LINE "Host:\r\n\r\n"},
	{400, "Host with a path", LINE "Host: a/b\r\n\r\n"},
	{400, "Host with a user", LINE "Host: u@a\r\n\r\n"},
	{400, "Host list", LINE "Host: a, b\r\n\r\n"},
	{400, "Host with a bad port", LINE "Host: a:x\r\n\r\n"},
	{400, "Host with a port above 65535", LINE "Host: a:65536\r\n\r\n"},
	{400, "Host with an open bracket", LINE "Host: [::1\r\n\r\n"},
	{400, "two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n"},
	{400, "TAB in the request line", "GET\t/ HTTP/1.1\r\n" HOST "\r\n"},
	{400, "trailing space", "GET / HTTP/1.1 \r\n" HOST "\r\n"},
	{400, "no version", "GET /\r\n" HOST "\r\n"},
	{400, "version in lower case", "GET / http/1.1\r\n" HOST "\r\n"},
	{400, "no method", " / HTTP/1.1\r\n" HOST "\r\n"},
	{400, "method with a colon", "G:T / HTTP/1.1\r\n" HOST "\r\n"},
	{400, "target beyond ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"},
	{400, "relative target", "GET a HTTP/1.1\r\n" HOST "\r\n"},
	{400, "* without OPTIONS", "GET * HTTP/1.1\r\n" HOST "\r\n"},
	{400, "another absolute host",
	    "GET http://b/ HTTP/1.1\r\n" HOST "\r\n"},
	{400, "another absolute port",
	    "GET http://a:1/ HTTP/1.1\r\n" HOST "\r\n"},
	{400, "another scheme", "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"},
	{501, "unknown method", "BREW / HTTP/1.1\r\n" HOST "\r\n"},
	{501, "CONNECT", "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"},
	{505, "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n"},
	{505, "HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n"},
	{505, "HTTP/0.9 by number", "GET / HTTP/0.9\r\n" HOST "\r\n"},
	{400, "length and coding", LINE HOST
	    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{400, "coding and length", LINE HOST
	    "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n"},
	{400, "two lengths", LINE HOST
	    "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"},
	{400, "two equal lengths", LINE HOST
	    "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"},
	{400, "list of lengths", LINE HOST "Content-Length: 3, 3\r\n\r\n"},
	{400, "empty length", LINE HOST "Content-Length:\r\n\r\n"},
	{400, "signed length", LINE HOST "Content-Length: +3\r\n\r\n"},
	{400, "negative length", LINE HOST "Content-Length: -1\r\n\r\n"},
	{400, "hexadecimal length", LINE HOST "Content-Length: 0x3\r\n\r\n"},
	{400, "length with a space", LINE HOST "Content-Length: 1 0\r\n\r\n"},
	{400, "length above 63 bits", LINE HOST
	    "Content-Length: 9223372036854775808\r\n\r\n"},
	{400, "identity", LINE HOST "Transfer-Encoding: identity\r\n\r\n"},
	{400, "chunked, identity", LINE HOST
	    "Transfer-Encoding: chunked, identity\r\n\r\n"},
	{400, "two codings", LINE HOST
	    "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"},
	{400, "empty coding", LINE HOST "Transfer-Encoding:\r\n\r\n"},
	{400, "xchunked", LINE HOST "Transfer-Encoding: xchunked\r\n\r\n"},
	{400, "quoted coding", LINE HOST
	    "Transfer-Encoding: \"chunked\"\r\n\r\n"},
	{501, "gzip, chunked", LINE HOST
	    "Transfer-Encoding: gzip, chunked\r\n\r\n"},
	{501, "chunked, chunked", LINE HOST
	    "Transfer-Encoding: chunked, chunked\r\n\r\n"},
	{400, "chunked in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST
	    "Transfer-Encoding: chunked\r\n\r\n"},
	{400, "Connection: Host", LINE HOST "Connection: host\r\n\r\n"},
	{400, "Connection: Content-Length", LINE HOST
	    "Content-Length: 0\r\nConnection: close, content-length\r\n\r\n"},
	{400, "Connection: Transfer-Encoding", LINE HOST
	    "Connection: Transfer-Encoding\r\n\r\n"},
};

static void
test_refused(void)
{
	struct test_guard g;
	int status;

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		status = parse_bytes(test_guard_new(&g,
		    text(refused[i].request)));
		eq_int(status, refused[i].status, "%s: %s", refused[i].name,
		    why.text);
		test_guard_free(&g);
	}
	status = parse_bytes(bytes_of("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b"
	    "\r\n\r\n", 36));
	eq_int(status, 400, "NUL in a value");
}

static void
test_taken(void)
{
	eq_int(parse("POST /a?b=c HTTP/1.1\r\nHOST: a.b:443\r\n"
	    "Content-Length: 12\r\n\r\n"), 0, "a request is taken");
	eq_bytes(head.method, text("POST"), "its method");
	eq_bytes(head.target, text("/a?b=c"), "its target");
	eq_bytes(head.host, text("a.b"), "its host without the port");
	eq_int(head.framing, BODY_LENGTH, "its framing");
	eq_int((int64_t)head.length, 12, "its length");
	ok(!head.close, "HTTP/1.1 stays open");
	eq_int(parse("GET / HTTP/1.1\r\nHost: a.b.\r\n\r\n"), 0, "a dot");
	eq_bytes(head.host, text("a.b"), "at the end of the host is dropped");
	eq_int(parse("GET / HTTP/1.1\r\nHost: [::1]:8\r\n\r\n"), 0, "IPv6");
	eq_bytes(head.host, text("[::1]"), "keeps its brackets");
	eq_int(parse("GET http://A:1/x HTTP/1.1\r\nHost: a:1\r\n\r\n"), 0,
	    "an absolute target for the same host");
	eq_bytes(head.target, text("/x"), "becomes a path");
	eq_int(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "OPTIONS *");
	eq_int(parse("POST / HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: CHUNKED\r\n\r\n"), 0, "chunked in any case");
	eq_int(head.framing, BODY_CHUNKED, "is chunked");
	eq_int(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n"
	    "\r\n"), 0, "Connection: close");
	ok(head.close, "closes");
	eq_int(parse("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), 0, "HTTP/1.0");
	ok(head.close, "closes");
	eq_int(parse("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n"
	    "\r\n"), 0, "HTTP/1.0 with keep-alive");
	ok(!head.close, "stays open");
	eq_int(parse("GET / HTTP/1.1\r\nHost: a\r\nX:\xc3\xa9\t\r\nY:\r\n"
	    "\r\n"), 0, "values beyond ASCII and empty ones");
	eq_int(parse("POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"
	    "Connection: Upgrade\r\nContent-Length: 2\r\n\r\n"), 0,
	    "a wish to upgrade is ignored");
}

static void
test_prefixes(void)
{
	const char *request = "POST /a HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 3\r\n\r\n";
	size_t whole = strlen(request), bad = 0;
	struct http_scan step = {0};
	ssize_t n = 0;

	for (size_t len = 0; len < whole; len++)
		bad += parse_bytes(bytes_of(request, len)) != -1;
	eq_int(bad, 0, "every strict prefix needs more");
	for (size_t len = 0; len <= whole && n == 0; len++)
		n = http_scan_head(&step, bytes_of(request, len), MAX, &why);
	eq_int(n, whole, "byte by byte finds the same end");
}

/* A head of exactly len bytes. */
static const char *
sized_head(size_t len)
{
	static char out[MAX + 8];
	size_t n = (size_t)snprintf(out, sizeof out, "%s%sX: ", LINE, HOST);

	memset(out + n, 'x', len - n - 4);
	memcpy(out + len - 4, "\r\n\r\n", 5);
	return out;
}

/* A head with count fields. */
static const char *
many_fields(int count)
{
	static char out[MAX];
	size_t n = (size_t)snprintf(out, sizeof out, "%s%s", LINE, HOST);

	for (int i = 1; i < count; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "X: %d\r\n", i);
	snprintf(out + n, sizeof out - n, "\r\n");
	return out;
}

static void
test_limits(void)
{
	char method[64] = "";

	eq_int(parse(sized_head(MAX - 1)), 0, "a head below the limit");
	eq_int(parse(sized_head(MAX)), 0, "a head at the limit");
	eq_int(parse(sized_head(MAX + 1)), 400, "a head above the limit");
	eq_str(why.text, "head: longer than 4096 bytes", "says so");
	eq_int(parse(many_fields(HTTP_FIELDS_MAX - 1)), 0, "99 fields");
	eq_int(parse(many_fields(HTTP_FIELDS_MAX)), 0, "100 fields");
	eq_int(parse(many_fields(HTTP_FIELDS_MAX + 1)), 400, "101 fields");
	memset(method, 'A', HTTP_METHOD_MAX);
	memcpy(method + HTTP_METHOD_MAX, " / HTTP/1.1\r\nHost: a\r\n\r\n", 25);
	eq_int(parse(method), 501, "a method of 24 letters is not known");
	memset(method, 'A', HTTP_METHOD_MAX + 1);
	memcpy(method + HTTP_METHOD_MAX + 1, " / HTTP/1.1\r\nHost: a\r\n\r\n",
	    25);
	eq_int(parse(method), 400, "one of 25 is not read");
	eq_int(parse(LINE HOST "Content-Length: 9223372036854775807\r\n\r\n"),
	    0, "a length of 63 bits");
}

static void
test_write_request(void)
{
	struct buf out;

	buf_init(&out, MAX);
	parse("POST /p?q HTTP/1.1\r\nhOsT: a:1\r\nMcp-Session-Id:  x \r\n"
	    "Connection: close, X-Hop\r\nx-hop: 1\r\nKeep-Alive: 3\r\n"
	    "TE: trailers\r\nTrailer: Y\r\nUpgrade: h2c\r\n"
	    "Proxy-Connection: x\r\nAdit-Error: x\r\nAuthorization: B t\r\n"
	    "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
	eq_int(http_write_request(&out, &head), 0, "a request is written");
	eq_bytes(buf_bytes(&out), text("POST /p?q HTTP/1.1\r\nhOsT: a:1\r\n"
	    "Mcp-Session-Id: x\r\nAdit-Error: x\r\nAuthorization: B t\r\n"
	    "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    "without what belongs to the hop, the rest as it came");
	buf_clear(&out);
	parse("GET http://a?x HTTP/1.0\r\nHost: a\r\n\r\n");
	http_write_request(&out, &head);
	eq_bytes(buf_bytes(&out), text("GET /?x HTTP/1.1\r\nHost: a\r\n\r\n"),
	    "an empty absolute path becomes /");
	buf_reset(&out);
}

/* Returns 0 or -1. */
static int
response(const char *in, bool to_head)
{
	why.text[0] = '\0';
	return http_parse_response(text(in), to_head, &head, &body, &why);
}

static void
test_responses(void)
{
	eq_int(response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
	    "Keep-Alive: max=5, timeout=7\r\n\r\n", false), 0, "200");
	eq_int(head.framing, BODY_LENGTH, "with a length");
	eq_int(head.keep_alive_ms, 7000, "Keep-Alive: timeout");
	eq_int(response("HTTP/1.1 200 \r\n\r\n", false), 0, "no reason");
	eq_int(head.framing, BODY_TO_END, "no length: to the end");
	ok(head.close, "after which nothing comes");
	eq_int(response("HTTP/1.1 200\r\n\r\n", false), 0, "no space");
	eq_int(response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true),
	    0, "to HEAD");
	eq_int(body.state, BODY_DONE, "no body follows");
	ok(head.close, "or if one does, nothing after it is read");
	eq_int(response("HTTP/1.1 304 N\r\n\r\n", false), 0, "304");
	ok(!head.close, "does not end a connection");
	eq_int(response("HTTP/1.1 304 N\r\nContent-Length: 3\r\n\r\n", false),
	    0, "304");
	eq_int(body.state, BODY_DONE, "no body follows");
	ok(head.close, "or nothing after it is read");
	eq_int(response("HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n"
	    "\r\n", false), 0, "204");
	eq_int(body.state, BODY_DONE, "no body follows");
	ok(head.close, "or nothing after it is read");
	eq_int(response("HTTP/1.1 100 Continue\r\n\r\n", false), 0, "100");
	eq_int(body.state, BODY_DONE, "no body follows");
	eq_int(response("HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n", false),
	    0, "an empty body");
	eq_int(body.state, BODY_DONE, "is complete");
}

static void
test_bad_responses(void)
{
	static const char *const bad[] = {
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"HTTP/1.1 200 O\x01\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA B: c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Content-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		eq_int(response(bad[i], false), -1, "bad response %zu: %s", i,
		    why.text);
}

static void
test_write_response(void)
{
	struct buf out;

	buf_init(&out, MAX);
	response("HTTP/1.1 401 Who\r\nWWW-Authenticate: Bearer x\r\n"
	    "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
	    "Adit-Error: forged\r\nContent-Length: 3\r\n\r\n", false);
	http_write_response(&out, &head, BODY_LENGTH, false);
	eq_bytes(buf_bytes(&out), text("HTTP/1.1 401 Who\r\n"
	    "WWW-Authenticate: Bearer x\r\nContent-Length: 3\r\n\r\n"),
	    "a response is written without hop fields and Adit-Error");
	buf_clear(&out);
	response("HTTP/1.0 200 OK\r\nX: y\r\n\r\n", false);
	http_write_response(&out, &head, BODY_CHUNKED, true);
	eq_bytes(buf_bytes(&out), text("HTTP/1.1 200 OK\r\nX: y\r\n"
	    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"),
	    "with a framing of its own");
	buf_clear(&out);
	response("HTTP/1.1 204 N\r\nContent-Length: 3\r\n\r\n", false);
	http_write_response(&out, &head, BODY_NONE, false);
	eq_bytes(buf_bytes(&out), text("HTTP/1.1 204 N\r\n\r\n"),
	    "a 204 has no length");
	buf_reset(&out);
}

static void
test_idempotent(void)
{
	ok(http_is_idempotent(text("GET")), "GET is idempotent");
	ok(http_is_idempotent(text("DELETE")), "DELETE is");
	ok(!http_is_idempotent(text("POST")), "POST is not");
	ok(!http_is_idempotent(text("get")), "get is no method");
}

int
main(void)
{
	http_set_head_max(MAX);
	test_refused();
	test_taken();
	test_prefixes();
	test_limits();
	test_write_request();
	test_responses();
	test_bad_responses();
	test_write_response();
	test_idempotent();
	return test_done();
}
