/* SPDX-License-Identifier: ISC */
/* Files of agents, and files of what upstreams get to see: what is taken, what
 * each mistake is called, and the limits. */
#include "cmd/mcp-proxy/headers.h"
#include "cmd/mcp-proxy/roster.h"
#include "common/str.h"
#include "tests/unit/test.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- agents ---- */

static void
refused(const char *text, const char *why)
{
	struct roster_list l;
	struct error e = {.text = ""};

	ok(roster_parse("f", bytes_cstr(text), &l, &e) != 0, "is refused: %s",
	    why);
	eq_str(e.text, why, "because");
}

static void
test_agents(void)
{
	struct credential a, b;
	struct roster_list l;
	struct error e;
	struct buf out;

	credential_parse(A, &a);
	credential_parse(B, &b);
	if (!ok(roster_parse("f", bytes_cstr("# who\n\n \t \n"
	    "ci token " B "\n  bob\tcert " A "  2027-01-31T00:00:00Z \n"
	    "ci  cert " B), &l, &e) == 0, "a file of agents"))
		return;
	eq_int(l.count, 3, "three credentials");
	eq_str(roster_find(&l, ROSTER_TOKEN, &b)->name, "ci", "a token");
	ok(roster_find(&l, ROSTER_TOKEN, &a) == NULL, "a cert is no token");
	eq_str(roster_find(&l, ROSTER_CERT, &b)->name, "ci",
	    "the same digest of the other kind");
	eq_int(l.at[1].expires, 1801353600, "when it is over");
	ok(roster_is_valid(&l.at[1], 1801353599) &&
	    !roster_is_valid(&l.at[1], 1801353600), "from that second on");
	ok(roster_is_valid(&l.at[0], INT64_MAX), "never, if nothing is said");
	buf_init(&out, 1 << 10);
	ok(roster_format(&out, &l.at[1]) == 0, "a line again");
	buf_add(&out, bytes_of("", 1));
	eq_str((const char *)buf_bytes(&out).ptr,
	    "bob cert " A " 2027-01-31T00:00:00Z\n", "which is");
	buf_reset(&out);
	roster_list_done(&l);
	ok(roster_parse("f", bytes_of(NULL, 0), &l, &e) == 0 && l.count == 0 &&
	    roster_find(&l, ROSTER_TOKEN, &a) == NULL, "nobody");
	roster_list_done(&l);
}

static void
test_bad_agents(void)
{
	refused("-x token " A, "f:1: the name of an agent is at most 63 of "
	    "a-z, 0-9, '-' and '_'");
	refused(A " token " A, "f:1: the name of an agent is at most 63 of "
	    "a-z, 0-9, '-' and '_'");
	refused("x", "f:1: 'x' must be followed by token or cert");
	refused("x tokens " A, "f:1: 'x' must be followed by token or cert");
	refused("x token", "f:1: no SHA-256 digest of 64 lower-case "
	    "hexadecimal digits");
	refused("x token " A "a", "f:1: no SHA-256 digest of 64 lower-case "
	    "hexadecimal digits");
	refused("x token " A " 2027-01-31", "f:1: no time such as "
	    "2027-01-31T00:00:00Z");
	refused("x token " A " 2027-01-31T00:00:00Z 1",
	    "f:1: more than four words");
	refused("x token " A "\r\n", "f:1: no SHA-256 digest of 64 lower-case "
	    "hexadecimal digits");
	refused("x token " A "\n\ny token " B "\nz token " A,
	    "f: 'x' and 'z' have the same token");
}

/* ---- headers ---- */

static int
parse_headers(const char *text, struct headers *ret, struct error *e)
{
	struct buf b;

	buf_init(&b, HEADERS_FILE_MAX);
	buf_add_str(&b, text);
	return headers_parse("f", &b, ret, e);
}

static void
refused_headers(const char *text, const char *why)
{
	struct headers h;
	struct error e = {.text = ""};

	ok(parse_headers(text, &h, &e) != 0, "is refused: %s", why);
	eq_str(e.text, why, "because");
}

static void
test_headers(void)
{
	static const char request[] = "POST /mcp HTTP/1.1\r\nHost: a\r\n"
	    "X: 1\r\nAUTHORIZATION: Bearer agent\r\nX: 2\r\n\r\n";
	struct headers put;
	struct http_head h;
	struct body body;
	struct error e;
	struct buf out;

	if (!ok(parse_headers("# for the server\nAuthorization: Bearer s\r\n"
	    "\nx-new:  v \n", &put, &e) == 0, "headers"))
		return;
	eq_int(put.count, 2, "two of them");
	buf_init(&out, 1 << 12);
	http_parse_request(bytes_cstr(request), &h, &body, &e);
	headers_put(&put, &h);
	ok(http_write_request(&out, &h) == 0, "are put into a request");
	buf_add(&out, bytes_of("", 1));
	eq_str((const char *)buf_bytes(&out).ptr, "POST /mcp HTTP/1.1\r\n"
	    "Host: a\r\nX: 1\r\nX: 2\r\nAuthorization: Bearer s\r\n"
	    "x-new: v\r\n\r\n", "in the place of the agent's");
	buf_reset(&out);
	headers_done(&put);
}

static void
test_bad_headers(void)
{
	char many[17 * 7 + 1] = "";
	struct headers h;
	struct error e;

	refused_headers("x\n", "f:1: not 'Name: value'");
	refused_headers("x : y\n", "f:1: not 'Name: value'");
	refused_headers("a: b\nx: y\x01\n", "f:2: not 'Name: value'");
	refused_headers("Host: x\n", "f:1: Host: cannot be set here");
	refused_headers("content-length: 1\n",
	    "f:1: content-length: cannot be set here");
	refused_headers("TE: x\n", "f:1: TE: cannot be set here");
	refused_headers("Mcp-Name: x\n", "f:1: Mcp-Name: cannot be set here");
	refused_headers("Adit-Error: x\n",
	    "f:1: Adit-Error: cannot be set here");
	refused_headers("a: s3cret\nA: s3cret\n", "f:2: A: given twice");
	for (int i = 0; i < 17; i++)
		str_format(many + strlen(many), 8, "x%02d: y\n", i);
	refused_headers(many, "f:17: more than 16");
	many[16 * 7] = '\0';
	ok(parse_headers(many, &h, &e) == 0 && h.count == 16, "16 are taken");
	headers_done(&h);
}

int
main(void)
{
	test_agents();
	test_bad_agents();
	test_headers();
	test_bad_headers();
	return test_done();
}
