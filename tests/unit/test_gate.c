/* SPDX-License-Identifier: ISC */
/* The pure parts of the gate: SOCKS, DNS, heads, made-up addresses, and the
 * decision about a target. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cmd/sandbox-exec/gate_confine.h"
#include "cmd/sandbox-exec/gate_dns.h"
#include "cmd/sandbox-exec/gate_fake.h"
#include "cmd/sandbox-exec/gate_head.h"
#include "cmd/sandbox-exec/gate_socks.h"
#include "cmd/sandbox-exec/gate_target.h"
#include "tests/unit/test.h"

#define LITERAL(s) bytes_of((s), sizeof(s) - 1)

/* ---- SOCKS ---- */

static void
test_greeting(void)
{
	struct bytes both = LITERAL("\5\2\0\2");
	bool accepted = false;

	for (size_t n = 0; n < both.len; n++)
		eq_int(gate_socks_greeting(bytes_of(both.ptr, n), &accepted),
		    0, "%zu bytes of a greeting", n);
	eq_int(gate_socks_greeting(both, &accepted), 4, "a greeting");
	ok(accepted, "no authentication is offered");
	eq_int(gate_socks_greeting(LITERAL("\5\1\2"), &accepted), 3,
	    "a greeting with a password");
	ok(!accepted, "no authentication is not offered");
	eq_int(gate_socks_greeting(LITERAL("\4\1"), &accepted), -1,
	    "SOCKS 4");
	eq_int(gate_socks_greeting(LITERAL("\5\0"), &accepted), -1,
	    "no method at all");
}

struct request {
	struct bytes in;
	ssize_t want;
	const char *host;
	uint16_t port;
	enum socks_reply why;
};

static void
test_request(void)
{
	const struct request all[] = {
		{LITERAL("\5\1\0\1\12\1\2\3\25\70"), 10, "10.1.2.3", 5432, 0},
		{LITERAL("\5\1\0\3\4a.bc\1\273"), 11, "a.bc", 443, 0},
		{LITERAL("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\120"),
		    22, "::1", 80, 0},
		{LITERAL("\5\3\0"), -1, NULL, 0, SOCKS_BAD_COMMAND},
		{LITERAL("\5\2\0"), -1, NULL, 0, SOCKS_BAD_COMMAND},
		{LITERAL("\5\1\0\2"), -1, NULL, 0, SOCKS_BAD_ADDRESS},
		{LITERAL("\5\1\0\3\3a\0b\0\120"), -1, NULL, 0,
		    SOCKS_BAD_ADDRESS},
		{LITERAL("\4\1"), -1, NULL, 0, SOCKS_FAILURE},
		{LITERAL("\5\1\1"), -1, NULL, 0, SOCKS_FAILURE},
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct gate_socks r;
		enum socks_reply why;

		eq_int(gate_socks_request(all[i].in, &r, &why), all[i].want,
		    "request %zu", i);
		if (all[i].want < 0) {
			eq_int(why, all[i].why, "request %zu: reply", i);
			continue;
		}
		eq_str(r.host, all[i].host, "request %zu: host", i);
		eq_int(r.port, all[i].port, "request %zu: port", i);
		for (size_t n = 0; n < all[i].in.len; n++)
			ok(gate_socks_request(bytes_of(all[i].in.ptr, n), &r,
			    &why) == 0, "request %zu: %zu bytes", i, n);
	}
}

static void
test_reply(void)
{
	uint8_t out[SOCKS_REPLY_MAX];
	char text[400];
	size_t n = gate_socks_reply(SOCKS_OK, "", out);

	eq_bytes(bytes_of(out, n), LITERAL("\5\0\0\1\0\0\0\0\0\0"), "success");
	n = gate_socks_reply(SOCKS_NOT_ALLOWED, "no", out);
	eq_bytes(bytes_of(out, n), LITERAL("\5\2\0\3\2no\0\0"), "refused");
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	eq_int(gate_socks_reply(SOCKS_NOT_ALLOWED, text, out),
	    SOCKS_REPLY_MAX, "a long sentence is cut");
}

/* ---- DNS ---- */

#define HEADER "\1\2\1\0\0\1\0\0\0\0\0\0"
#define GOOD HEADER "\4Good\7example\0\0\1\0\1"

static void
test_dns_query(void)
{
	struct bytes good = LITERAL(GOOD);
	struct gate_dns q;

	eq_int(gate_dns_parse(good, &q), DNS_OK, "a query");
	eq_str(q.name, "good.example", "its name is canonical");
	eq_str(q.shown, "Good.example", "and as it came");
	eq_int(q.type, DNS_TYPE_A, "its type");
	for (size_t n = 0; n < good.len; n++)
		eq_int(gate_dns_parse(bytes_of(good.ptr, n), &q),
		    n < 12 ? -1 : DNS_FORMAT_ERROR, "%zu bytes of it", n);
	eq_int(gate_dns_parse(LITERAL("\1\2\201\0\0\1\0\0\0\0\0\0"), &q), -1,
	    "a response gets no answer");
	eq_int(gate_dns_parse(LITERAL("\1\2\50\0\0\1\0\0\0\0\0\0"), &q),
	    DNS_NOT_IMPLEMENTED, "an update");
	eq_int(gate_dns_parse(LITERAL("\1\2\1\0\0\2\0\0\0\0\0\0"), &q),
	    DNS_FORMAT_ERROR, "two questions");
	eq_int(gate_dns_parse(LITERAL(HEADER "\300\14\0\1\0\1"), &q),
	    DNS_FORMAT_ERROR, "a compressed question");
	eq_int(gate_dns_parse(LITERAL(HEADER "\1a\0\0\1\0\3"), &q),
	    DNS_NOT_IMPLEMENTED, "another class");
	eq_int(gate_dns_parse(LITERAL(HEADER "\5a.b\0\n\0\0\1\0\1"), &q),
	    DNS_OK, "a name of odd bytes");
	eq_str(q.name, "", "is no host name");
	eq_str(q.shown, "a\\x2eb\\x00\\x0a", "and shown escaped");
}

static void
test_dns_answer(void)
{
	static const uint8_t v4[] = {198, 18, 0, 1};
	uint8_t out[GATE_DNS_ANSWER_MAX];
	struct bytes query = LITERAL(GOOD);
	struct gate_dns q;
	size_t n;

	gate_dns_parse(query, &q);
	n = gate_dns_answer(query, &q, DNS_OK, bytes_of(v4, sizeof v4), out);
	eq_bytes(bytes_of(out, n), LITERAL("\1\2\205\200\0\1\0\1\0\0\0\0"
	    "\4Good\7example\0\0\1\0\1"
	    "\300\14\0\1\0\1\0\0\1\54\0\4\306\22\0\1"), "an address");
	n = gate_dns_answer(query, &q, DNS_NO_NAME, bytes_of(NULL, 0), out);
	eq_bytes(bytes_of(out, n), LITERAL("\1\2\205\203\0\1\0\0\0\0\0\0"
	    "\4Good\7example\0\0\1\0\1"), "no such name");
}

static void
test_dns_longest(void)
{
	uint8_t in[12 + 255 + 4] = HEADER;
	uint8_t out[GATE_DNS_ANSWER_MAX];
	static const uint8_t v6[16];
	struct gate_dns q;
	size_t at = 12;

	for (int i = 0; i < 4; i++) {
		size_t len = i < 3 ? 63 : 61;

		in[at++] = (uint8_t)len;
		memset(in + at, 0xff, len);
		at += len;
	}
	at++;
	be16_put(in + at, DNS_TYPE_AAAA);
	be16_put(in + at + 2, 1);
	eq_int(gate_dns_parse(bytes_of(in, at + 4), &q), DNS_OK,
	    "a name of 255 bytes");
	eq_int(strlen(q.shown), 250 * 4 + 3, "is shown whole");
	ok(gate_dns_answer(bytes_of(in, at + 4), &q, DNS_OK,
	    bytes_of(v6, 16), out) <= sizeof out, "and answered");
}

/* ---- heads ---- */

static void
test_connect(void)
{
	static const char *const bad[] = {
		"CONNECT a HTTP/1.1\r\n\r\n",
		"CONNECT :443 HTTP/1.1\r\n\r\n",
		"CONNECT a:443\r\n\r\n",
		"CONNECT a:443 HTTP/2.0\r\n\r\n",
		"CONNECT a:65536 HTTP/1.1\r\n\r\n",
		"CONNECT a:443:443 HTTP/1.1\r\n\r\n",
		"CONNECT  a:443 HTTP/1.1\r\n\r\n",
		"CONNECT\r\n\r\n", "X\r\n\r\n", "GET\r\n\r\n",
		"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
		"GET http://x@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	};
	struct gate_head h;
	struct error e;

	eq_int(gate_head_parse(LITERAL("CONNECT [::1]:443 HTTP/1.1\r\n"
	    "Host: other\r\n\r\n"), &h, &e), 0, "CONNECT");
	eq_int(h.form, FORM_CONNECT, "its form");
	eq_str(h.host, "::1", "its host");
	eq_int(h.port, 443, "its port");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(gate_head_parse(bytes_cstr(bad[i]), &h, &e) == -1 &&
		    e.code == 400, "bad head %zu", i);
}

static void
test_rewrite(void)
{
	struct bytes in = LITERAL("GET http://A.example:80?q HTTP/1.0\r\n"
	    "Host: A.example:80\r\nProxy-Authorization: secret\r\n"
	    "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
	    "Upgrade: websocket\r\nAccept: */*\r\n\r\n");
	struct gate_head h;
	struct error e;
	struct buf out;

	buf_init(&out, 4096);
	eq_int(gate_head_parse(in, &h, &e), 0, "absolute-form");
	eq_int(h.form, FORM_ABSOLUTE, "its form");
	eq_int(gate_head_write(&out, &h, "a.example"), 0, "is written");
	eq_bytes(buf_bytes(&out), LITERAL("GET /?q HTTP/1.0\r\n"
	    "Host: a.example\r\nAccept: */*\r\nConnection: close\r\n\r\n"),
	    "for the server");
	buf_reset(&out);
	eq_int(gate_head_refuse(&out, 403, "No."), 0, "a refusal");
	eq_bytes(buf_bytes(&out), LITERAL("HTTP/1.1 403 No.\r\n"
	    "Content-Type: text/plain\r\nContent-Length: 4\r\n"
	    "Connection: close\r\n\r\nNo.\n"), "is a response");
	buf_reset(&out);
}

/* ---- targets ---- */

static struct policy policy;

static void
add_allow(const char *text)
{
	struct error e;

	if (allow_parse(text, &policy.allow[policy.allow_count++], &e) != 0) {
		fprintf(stderr, "%s: %s\n", text, e.text);
		exit(1);
	}
}

static struct gate_verdict
decide(const char *host, uint16_t port, const struct gate_fakes *fakes)
{
	struct gate_verdict v = {.allowed = false};
	struct gate_target t;
	struct error e;

	if (gate_target_parse(bytes_cstr(host), port, fakes, &t, &e) == 0)
		gate_target_decide(&t, &policy, &v);
	return v;
}

static void
test_fakes(void)
{
	static struct gate_fakes f;
	uint8_t v4[4], v6[16], mapped[16] = {[10] = 0xff, 0xff};
	char name[32];

	for (int i = 0; i < GATE_FAKES_MAX; i++) {
		snprintf(name, sizeof name, "n%d.example", i);
		if (gate_fake_assign(&f, name, v4, v6) != 0)
			ok(false, "%s gets an address", name);
	}
	memcpy(mapped + 12, v4, 4);
	eq_str(gate_fake_name(&f, mapped), name, "IPv4 leads back");
	eq_str(gate_fake_name(&f, v6), name, "IPv6 leads back");
	ok(gate_fake_assign(&f, "more.example", v4, v6) == -1 &&
	    errno == ENOSPC, "ENOSPC when all are taken");
	eq_int(gate_fake_assign(&f, "n0.example", v4, v6), 0, "a known name");
	eq_bytes(bytes_of(v4, 4), LITERAL("\306\22\0\1"), "keeps its own");
	be32_put(mapped + 12, 0xc6120000);
	ok(gate_fake_name(&f, mapped) == NULL, "198.18.0.0 is nobody's");
	be32_put(mapped + 12, 0xc6120000 + GATE_FAKES_MAX + 1);
	ok(gate_fake_name(&f, mapped) == NULL, "nor what was not given out");
}

static void
test_decide(void)
{
	static struct gate_fakes f;
	uint8_t v4[4], v6[16];

	add_allow("good.example");
	add_allow("*.good.example:8443");
	add_allow("10.1.2.0/24:5432");
	add_allow("tcp:good.example:22");
	gate_fake_assign(&f, "good.example", v4, v6);
	ok(decide("GOOD.example.", 443, &f).allowed, "a name as it is said");
	ok(!decide("good.example", 443, &f).opaque, "and TLS is asked for");
	ok(decide("good.example", 22, &f).opaque, "but for tcp:");
	ok(!decide("good.example", 8443, &f).allowed, "not the wildcard's");
	ok(decide("a.b.good.example", 8443, &f).allowed, "the wildcard");
	ok(!decide("agood.example", 8443, &f).allowed, "not a longer label");
	ok(decide("198.18.0.1", 443, &f).allowed, "a made-up address");
	ok(decide("fd00::1", 443, &f).allowed, "of either family");
	ok(!decide("198.18.0.2", 443, &f).allowed, "not one of nobody's");
	ok(decide("10.1.2.255", 5432, &f).allowed, "a range");
	ok(decide("::ffff:10.1.2.255", 5432, &f).allowed, "mapped as well");
	ok(!decide("10.1.3.0", 5432, &f).allowed, "not the next one");
	ok(!decide("0x0a010203", 5432, &f).allowed, "no number");
	ok(gate_target_is_known("good.example", &policy), "known to DNS");
	ok(gate_target_is_known("x.good.example", &policy), "below too");
	ok(!gate_target_is_known("example", &policy), "not above");
}

static size_t
keeps(const char *ip, uint16_t port)
{
	struct gate_target t = {.name = "good.example", .port = port};
	struct sock_addr a;
	struct error e;

	sock_parse_ip(ip, port, &a);
	return gate_target_guard(&t, &policy, &a, 1, &e);
}

static void
test_guard(void)
{
	static const char *const refused[] = {
		"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1",
		"169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254",
		"0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255",
		"10.0.0.1", "10.1.3.1", "172.16.0.1", "192.168.1.1",
		"100.64.0.1", "fc00::1", "fd12::1", "198.18.0.1", "240.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::",
		"::127.0.0.1", "fec0::1", "64:ff9b:1:7f00:0:100::",
		"64:ff9b:1::808:808", "2001:2::1", "5f00::1",
	};

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		eq_int(keeps(refused[i], 5432), 0, "%s is not dialed",
		    refused[i]);
	eq_int(keeps("93.184.216.34", 443), 1, "the Internet's is");
	eq_int(keeps("2606:2800:220:1::1", 443), 1, "of either family");
	eq_int(keeps("10.1.2.3", 5432), 1, "what a range grants is");
	eq_int(keeps("10.1.2.3", 443), 0, "but for its port only");
}

static void
test_sentence(void)
{
	struct gate_target t = {.name = "evil.example", .port = 443};
	char out[GATE_SENTENCE_MAX];
	struct gate_verdict v;

	gate_target_decide(&t, &policy, &v);
	eq_str(gate_target_sentence(&t, &v, out), "evil.example:443 is "
	    "refused by the sandbox: not in the allow list (good.example, "
	    "*.good.example:8443, 10.1.2.0/24:5432, tcp:good.example:22); do "
	    "not try other ways to reach it.", "a sentence");
	add_allow("more.example");
	gate_target_decide(&t, &policy, &v);
	ok(strstr(v.reason, ":22, ...)") != NULL, "a long list is cut");
}

/* ---- the cage ---- */

/* A way out; how it ends. */
struct way {
	const char *name;
	long (*go)(int arg);
	int arg;
	int want; /* errno, 0: it is open */
};

static long
go_socket(int family)
{
	return socket(family, family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM,
	    0);
}

static long
go_read(int unused)
{
	(void)unused;
	return open("/etc/hosts", O_RDONLY | O_CLOEXEC);
}

static long
go_write(int flags)
{
	return open("/etc/hosts.new", O_WRONLY | O_CLOEXEC | flags, 0600);
}

static long
go_fork(int unused)
{
	(void)unused;
	return fork();
}

static long
go_kill(int sig)
{
	return kill(getppid(), sig);
}

static long
go_exec(int unused)
{
	char *const argv[] = {NULL};

	(void)unused;
	return execv("/bin/true", argv);
}

static const struct way ways[] = {
	{"IPv4", go_socket, AF_INET, 0},
	{"IPv6", go_socket, AF_INET6, 0},
	{"routes", go_socket, AF_NETLINK, 0},
	{"a Unix socket", go_socket, AF_UNIX, EPERM},
	{"a packet socket", go_socket, AF_PACKET, EPERM},
	{"a socket of the hypervisor's", go_socket, AF_VSOCK, EPERM},
	{"names of hosts", go_read, 0, 0},
	{"a new file", go_write, O_CREAT, EACCES},
	{"a process", go_fork, 0, EPERM},
	{"a signal", go_kill, 0, EPERM},
	{"a program", go_exec, 0, EPERM},
};

enum { WAYS = sizeof ways / sizeof *ways };

/* The caged child writes the errno of each. */
static _Noreturn void
try_ways(pid_t parent, int fd)
{
	int got[WAYS] = {0};

	if (gate_confine(parent) != 0)
		_exit(1);
	for (size_t i = 0; i < WAYS; i++)
		got[i] = ways[i].go(ways[i].arg) == -1 ? errno : 0;
	_exit(write(fd, got, sizeof got) != (ssize_t)sizeof got);
}

static void
test_cage(void)
{
	pid_t parent = getpid(), pid;
	int got[WAYS] = {0}, pair[2], status;

	fflush(stdout);
	if (pipe2(pair, O_CLOEXEC) != 0)
		return;
	pid = fork();
	if (pid == 0)
		try_ways(parent, pair[1]);
	close(pair[1]);
	ok(read(pair[0], got, sizeof got) == (ssize_t)sizeof got,
	    "the cage closes");
	close(pair[0]);
	waitpid(pid, &status, 0);
	for (size_t i = 0; i < WAYS; i++)
		eq_int(got[i], ways[i].want, "from the cage: %s",
		    ways[i].name);
}

int
main(void)
{
	http_set_head_max(GATE_HEAD_MAX);
	test_greeting();
	test_request();
	test_reply();
	test_dns_query();
	test_dns_answer();
	test_dns_longest();
	test_connect();
	test_rewrite();
	test_fakes();
	test_decide();
	test_guard();
	test_sentence();
	test_cage();
	policy_done(&policy);
	return test_done();
}
