/* SPDX-License-Identifier: ISC */
/* Webhooks: the vector of the scheme, every way to be wrong, and deliveries
 * taken out of HTTP whole and byte by byte. */
#include "cmd/sandbox-worker/delivery.h"

#include "tests/unit/test.h"

#define KEY "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define MAC "v1,rkwp5YuvdrMkcu0ZhuMsXoTg44mHAr1Q0+FFgFpXsjY="

enum { THEN = 1700000000 };

static struct webhook_key key;
static struct error why;

/* 0 if it is good, else the status. */
static int
verify(const char *id, const char *at, const char *signature,
    const char *body, int64_t now_s)
{
	struct webhook_delivery d = {
		.id = bytes_cstr(id), .timestamp = bytes_cstr(at),
		.signature = bytes_cstr(signature), .body = bytes_cstr(body),
	};

	why.code = 0;
	return webhook_verify(&key, &d, now_s, &why) == 0 ? 0 : why.code;
}

static int
verify_signature(const char *signature)
{
	return verify("msg_1", "1700000000", signature, "{\"a\":1}", THEN);
}

static void
test_verify(void)
{
	eq_int(verify_signature(MAC), 0, "the vector: %s", why.text);
	eq_int(verify_signature("v1a,xx v2,yy " MAC " v1,zz"), 0,
	    "any of several");
	eq_int(verify_signature("  " MAC "  "), 0, "spaces around");
	eq_int(verify_signature("v2,rkwp5YuvdrMkcu0ZhuMsXoTg44mHAr1Q0+"
	    "FFgFpXsjY="), 401, "of another version");
	eq_int(verify_signature("v1,rkwp5YuvdrMkcu0ZhuMsXoTg44mHAr1Q0+"
	    "FFgFpXsjY"), 401, "without its end");
	eq_int(verify_signature(MAC "="), 401, "with more");
	eq_int(verify_signature("v1,"), 401, "empty");
	eq_int(verify_signature(" "), 401, "none");
	eq_int(verify_signature(""), 400, "absent");
	eq_int(verify("msg_2", "1700000000", MAC, "{\"a\":1}", THEN), 401,
	    "another id");
	eq_int(verify("msg_1", "1700000001", MAC, "{\"a\":1}", THEN), 401,
	    "another time");
	eq_int(verify("msg_1", "1700000000", MAC, "{\"a\":2}", THEN), 401,
	    "another body");
	eq_int(verify("", "1700000000", MAC, "{\"a\":1}", THEN), 400,
	    "no id");
	eq_int(verify("msg_1", "", MAC, "{\"a\":1}", THEN), 400, "no time");
	eq_int(verify("msg_1", "17e8", MAC, "{\"a\":1}", THEN), 400,
	    "no number");
	eq_int(verify("msg_1", "-1700000000", MAC, "{\"a\":1}", THEN), 400,
	    "a negative one");
	eq_int(verify("msg_1", "99999999999999999999", MAC, "{\"a\":1}",
	    THEN), 400, "one too large");
	for (int64_t off = 299; off <= 301; off++) {
		eq_int(verify("msg_1", "1700000000", MAC, "{\"a\":1}",
		    THEN + off), off <= 300 ? 0 : 401, "%lld s late",
		    (long long)off);
		eq_int(verify("msg_1", "1700000000", MAC, "{\"a\":1}",
		    THEN - off), off <= 300 ? 0 : 401, "%lld s early",
		    (long long)off);
	}
}

/* Every bit of a signature counts. */
static void
test_bits(void)
{
	char mac[] = MAC;
	int good = 0;

	for (size_t i = 3; i < sizeof mac - 1; i++) {
		for (unsigned bit = 0; bit < 7; bit++) {
			mac[i] = (char)(MAC[i] ^ (1 << bit));
			good += verify_signature(mac) == 0;
		}
		mac[i] = MAC[i];
	}
	eq_int(good, 0, "no changed signature passes");
}

static void
test_key(void)
{
	static const char *const bad[] = {
		"", "whsec_", "whsec_MDEy", "MDEyMzQ1Njc4OWFiY2RlZj",
		"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZW===",
		"whsec_ MDEyMzQ1Njc4OWFiY2RlZg==",
		KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	};
	struct webhook_key k;
	char text[200];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		eq_int(webhook_key_parse(bad[i], &k, &why), -1,
		    "key %zu is none", i);
	eq_int(webhook_key_parse(&KEY[6], &k, &why), 0, "without prefix");
	eq_int(k.len, 32, "32 bytes");
	eq_int(webhook_key_parse("whsec_MDEyMzQ1Njc4OWFiY2RlZg==", &k, &why),
	    0, "16 bytes will do");
	eq_int(k.len, 16, "16 bytes");
	memset(text, 'A', sizeof text);
	text[86] = '\0';
	memcpy(text + 84, "AA", 2);
	text[86] = text[87] = '=';
	text[88] = '\0';
	eq_int(webhook_key_parse(text, &k, &why), 0, "64 bytes will do");
	memset(text, 'A', 88);
	eq_int(webhook_key_parse(text, &k, &why), -1, "66 do not");
}

static void
test_type(void)
{
	static const struct { const char *body; int want; } cases[] = {
		{"{\"data\":{\"type\":\"session.status_run_started\"}}", 1},
		{"{\"type\":\"event\",\"id\":\"whe_1\",\"data\":{\"id\":"
		    "\"s\",\"type\":\"session.status_run_started\"}}", 1},
		{"{\"data\":{\"type\":\"session.status_idled\"}}", 0},
		{"{\"data\":{}}", 0}, {"{\"data\":7}", 0}, {"{}", 0},
		{"{\"data\":{\"type\":5}}", 0},
		{"", -1}, {"[]", -1}, {"{", -1}, {"\xff", -1},
		{"{\"data\":{\"type\":\"a\"},\"data\":{}}", -1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		why.code = 0;
		eq_int(webhook_is_work(bytes_cstr(cases[i].body), &why),
		    cases[i].want, "%s", cases[i].body);
		eq_int(why.code == 400 || cases[i].want >= 0, 1, "status");
	}
}

/* ---- HTTP ---- */

#define START "POST /hook HTTP/1.1\r\nHost: h\r\n"
#define SIGNED "Webhook-Id: msg_1\r\nWEBHOOK-TIMESTAMP: 1700000000\r\n" \
	"webhook-signature: " MAC "\r\n"

/* 1 whole, 0 not yet, or the status. */
static int
feed(const char *text, size_t len, size_t step)
{
	struct delivery d;
	int r = 0;

	delivery_init(&d);
	for (size_t i = 0; i < len && r == 0; i += step)
		r = delivery_feed(&d, bytes_of(text + i, len - i < step
		    ? len - i : step), &why);
	if (r == 1 && webhook_verify(&key, &d.found, THEN, &why) != 0)
		r = why.code;
	else if (r == -1)
		r = why.code;
	delivery_done(&d);
	return r;
}

static void
test_http(void)
{
	static const struct { const char *text; int want; } cases[] = {
		{START SIGNED "Content-Length: 7\r\n\r\n{\"a\":1}", 1},
		{START SIGNED "Transfer-Encoding: chunked\r\n\r\n"
		    "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n", 1},
		{START "Content-Length: 7\r\n\r\n{\"a\":1}", 400},
		{START SIGNED "webhook-id: msg_1\r\nContent-Length: 7\r\n\r\n"
		    "{\"a\":1}", 400},
		{START SIGNED "\r\n", 401},
		{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
		{START SIGNED "Content-Length: 1048577\r\n\r\n", 413},
		{START SIGNED "Content-Length: 7\r\nContent-Length: 8\r\n"
		    "\r\n", 400},
		{"POST / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
		{"POST / HTTP/1.1\r\n\r\n", 400},
		{START SIGNED "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		{"\x16\x03\x01\x02", 0},
		{"hello\n", 400},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = strlen(cases[i].text);

		eq_int(feed(cases[i].text, len, len), cases[i].want,
		    "request %zu", i);
		eq_int(feed(cases[i].text, len, 1), cases[i].want,
		    "request %zu, byte by byte", i);
		for (size_t n = 0; cases[i].want == 1 && n < len; n++)
			if (feed(cases[i].text, n, len) != 0)
				ok(false, "request %zu cut at %zu", i, n);
	}
}

static void
test_large(void)
{
	size_t len = WEBHOOK_BODY_MAX;
	char *text = malloc(len + 1000);
	int n = snprintf(text, 1000, START SIGNED
	    "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", len);

	memset(text + n, 'a', len);
	memcpy(text + n + len, "\r\n0\r\n\r\n", 7);
	eq_int(feed(text, (size_t)n + len + 7, SIZE_MAX / 2), 401,
	    "1 MiB is read");
	eq_int(feed(text, (size_t)n + len + 7, 1000), 401, "in pieces too");
	memcpy(text + n + len, "\r\n1\r\na\r\n", 8);
	eq_int(feed(text, (size_t)n + len + 8, SIZE_MAX / 2), 413,
	    "one byte more is not");
	memset(text, 'a', 20000);
	memcpy(text, START "A: ", strlen(START "A: "));
	eq_int(feed(text, 20000, 999), 400, "nor is a head without end");
	free(text);
}

int
main(void)
{
	eq_int(webhook_key_parse(KEY, &key, &why), 0, "the key: %s", why.text);
	test_verify();
	test_bits();
	test_key();
	test_type();
	test_http();
	test_large();
	return test_done();
}
