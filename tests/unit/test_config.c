/* SPDX-License-Identifier: ISC */
/* The configuration file: what is accepted, what each mistake is called and
 * where it is, and which route a host has. */
#include "cmd/mcp-proxy/duration.h"
#include "cmd/mcp-proxy/origin.h"
#include "common/buf.h"
#include "common/diag.h"
#include "common/str.h"
#include "common/yamldoc.h"
#include "tests/unit/config.h"

#define HOUR_MS INT64_C(3600000)

#define ROUTES "routes: {a.example: http://10.0.0.1:80}\n"

/* One check: the text gives exactly these problems, in lines. */
static void
expect(const char *text, const char *want)
{
	struct config_problems problems;
	struct config c;
	struct buf got;

	buf_init(&got, 1 << 16);
	if (config_parse("f", bytes_cstr(text), &c, &problems) == 0)
		config_done(&c);
	for (size_t i = 0; i < problems.count; i++)
		buf_format(&got, "%s\n", problems.text[i]);
	buf_add(&got, bytes_of("", 1));
	eq_str((const char *)buf_bytes(&got).ptr, want, "%.*s",
	    (int)strcspn(want, "\n"), want);
	config_problems_done(&problems);
	buf_reset(&got);
}

static void
test_original(void)
{
	static const char text[] =
	    "# As the tunnel's own documentation has it.\n"
	    "listen_addr: \":8080\"\n"
	    "log_level: info\n"
	    "shutdown_timeout: 30s\n"
	    "tunnel_domain: ABCD1234.tunnel.example\n"
	    "tls:\n"
	    "  cert_file: /data/tls.crt\n"
	    "  key_file: /data/tls.key\n"
	    "routes:\n"
	    "  docs: http://docs-mcp:9000\n"
	    "  \"Wiki\": 'https://wiki_server.internal:8443'\n"
	    "  tools.other.example: http://[fd12::1]:80\n"
	    "  7: http://10.1.2.3:8000\n"
	    "upstream:\n"
	    "  allowed_ips:\n"
	    "    - 10.0.0.0/8\n"
	    "    - 192.168.1.7\n"
	    "  tls:\n"
	    "    ca_file: /data/upstream-ca.crt\n"
	    "    include_system_cas: true\n";
	const struct config_route *r;
	struct config c;

	if (!ok(parse(text, &c), "the original's file is accepted"))
		return;
	eq_str(c.listen_addr, ":8080", "listen_addr");
	eq_int(c.log_level, DIAG_INFO, "log_level");
	eq_int(c.shutdown_ms, 30000, "shutdown_timeout");
	eq_str(c.tunnel_domain, "abcd1234.tunnel.example", "tunnel_domain");
	eq_str(c.cert_file, "/data/tls.crt", "tls.cert_file");
	eq_str(c.key_file, "/data/tls.key", "tls.key_file");
	eq_str(c.ca_file, "/data/upstream-ca.crt", "upstream.tls.ca_file");
	ok(c.system_cas, "upstream.tls.include_system_cas");
	ok(c.guard.mode == GUARD_LISTED && c.guard.count == 2,
	    "upstream.allowed_ips");
	eq_int(c.route_count, 4, "routes");
	r = config_route(&c, bytes_cstr("wiki.abcd1234.tunnel.example"));
	if (ok(r != NULL, "a route below tunnel_domain")) {
		ok(r->https && r->port == 8443, "its scheme and port");
		eq_str(r->host, "wiki_server.internal", "its host");
		eq_str(r->origin, "https://wiki_server.internal:8443",
		    "its text");
	}
	r = config_route(&c, bytes_cstr("tools.other.example"));
	if (ok(r != NULL, "a route by its full host"))
		eq_str(r->host, "fd12::1", "an IPv6 upstream");
	config_done(&c);
}

static void
test_defaults(void)
{
	struct config c;

	if (!ok(parse(TLS ROUTES, &c), "the least that is needed"))
		return;
	ok(c.listen_addr == NULL, "no listener");
	eq_int(c.log_level, -1, "no log level");
	eq_int(c.shutdown_ms, 30000, "shutdown_timeout is 30s");
	ok(c.tunnel_domain == NULL, "no tunnel_domain");
	ok(!c.allow_tls12, "TLS 1.3 only");
	ok(c.guard.mode == GUARD_PRIVATE, "private upstreams");
	ok(c.ca_file == NULL && !c.system_cas, "no trust");
	eq_int(c.connect_ms, 10000, "upstream.connect_timeout is 10s");
	eq_int(c.response_ms, 600000, "upstream.response_timeout is 10m");
	eq_int(c.idle_ms, HOUR_MS, "limits.idle_timeout is 1h");
	eq_int(c.header_ms, 30000, "limits.header_timeout is 30s");
	eq_int(c.header_max, 65536, "limits.header_size is 64k");
	eq_int(c.streams_max, 1024, "limits.streams is 1024");
	ok(c.resolver == NULL, "the system's resolver");
	config_done(&c);
}

static void
test_extras(void)
{
	static const char text[] = TLS ROUTES
	    "listen_addr: localhost:0\n"
	    "upstream:\n"
	    "  disable_ip_validation: yes\n"
	    "  allowed_ips: []\n"
	    "  connect_timeout: 1.5s\n"
	    "  response_timeout: 0\n"
	    "  resolver: 127.0.0.1\n"
	    "limits: {idle_timeout: 2h, header_timeout: 500ms,\n"
	    "  header_size: 16k, streams: 7}\n"
	    "tunnel_domain: ''\n"
	    "log_level: WARN\n";
	struct config c;

	if (!ok(parse(text, &c), "what we add"))
		return;
	eq_str(c.listen_addr, "127.0.0.1:0", "localhost is an address");
	ok(c.guard.mode == GUARD_OFF, "an empty list excludes nothing");
	eq_int(c.connect_ms, 1500, "upstream.connect_timeout");
	eq_int(c.response_ms, 0, "upstream.response_timeout");
	eq_str(c.resolver, "127.0.0.1:53", "upstream.resolver");
	eq_int(c.idle_ms, 2 * HOUR_MS, "limits.idle_timeout");
	eq_int(c.header_ms, 500, "limits.header_timeout");
	eq_int(c.header_max, 16384, "limits.header_size");
	eq_int(c.streams_max, 7, "limits.streams");
	ok(c.tunnel_domain == NULL, "an empty tunnel_domain is none");
	eq_int(c.log_level, DIAG_WARNING, "log_level in capitals");
	config_done(&c);
	ok(parse("tls: {cert_file: c, key_file: k, min_version: 1.2}\n"
	    ROUTES "upstream: {allowed_ips: ['fd12::/16', '::1']}\n", &c) &&
	    c.allow_tls12 && c.guard.count == 2, "TLS 1.2 and IPv6 ranges");
	config_done(&c);
	ok(parse(TLS ROUTES "upstream:\nlimits:\nlog_level:\n", &c) &&
	    c.log_level == -1, "a key without a value is as good as absent");
	config_done(&c);
}

static void
test_missing(void)
{
	expect("", "f:1:1: the file is empty\n");
	expect("# nothing\n", "f:2:1: the file is empty\n");
	expect("{}", "f: tls.cert_file: missing\nf: tls.key_file: missing\n"
	    "f: routes: missing\n");
	expect(ROUTES "tls:\n  cert_file: c\n",
	    "f:2:1: tls.key_file: missing\n");
	expect(TLS "routes: {}\n", "f:2:9: routes: empty\n");
	expect(TLS "routes:\n", "f: routes: missing\n");
	expect("- a\n", "f:1:1: the file is a list, must be a map of keys\n");
	expect("hello", "f:1:1: the file is one value, must be a map of "
	    "keys\n");
}

static void
test_routes_wrong(void)
{
	expect(TLS "routes:\n  - docs: http://10.0.0.1:80\n",
	    "f:3:3: routes: a list, must be a map with one line "
	    "'name: http://host:port' for each route\n");
	expect(TLS "routes: http://10.0.0.1:80\n", "f:2:9: routes: one value, "
	    "must be a map with one line 'name: http://host:port' for each "
	    "route\n");
	expect(TLS "routes:\n  a.example: [http://10.0.0.1:80]\n",
	    "f:3:14: routes.a.example: must be an upstream, "
	    "scheme://host:port, or a map of keys\n");
	expect(TLS "routes:\n  a.example:\n", "f:3:13: routes.a.example: must "
	    "be an upstream, scheme://host:port, or a map of keys\n");
	expect(TLS "routes:\n  a.example: http://10.0.0.1:80/mcp\n",
	    "f:3:14: routes.a.example: invalid upstream "
	    "'http://10.0.0.1:80/mcp': no path, since the request's own is "
	    "passed on: must be scheme://host:port\n");
	expect(TLS "routes:\n  a.example: http://docs\n", "f:3:14: "
	    "routes.a.example: invalid upstream 'http://docs': no port: must "
	    "be scheme://host:port\n");
	expect(TLS "routes: {docs: 'http://10.0.0.1:80'}\n", "f:2:16: "
	    "routes.docs: without tunnel_domain a route needs a full host "
	    "name\n");
	expect(TLS "routes:\n  b..c: http://10.0.0.1:80\n",
	    "f:3:3: routes.b..c: no host name\n");
	expect(TLS "routes:\n  a.example: http://10.0.0.1:80\n"
	    "  A.example: http://10.0.0.2:80\n",
	    "f:4:14: routes.a.example: given twice, also in line 3\n");
	expect(TLS "routes:\n  a.example: http://10.0.0.1:80\n"
	    "  a.example: http://10.0.0.2:80\n",
	    "f:4:3: a.example: given twice, first in line 3\n");
	expect(TLS "routes: {a.example: 'https://10.0.0.1:443'}\n",
	    "f:2:21: routes.a.example: an https upstream needs "
	    "upstream.tls.ca_file or upstream.tls.include_system_cas: true\n");
}

static void
test_unknown(void)
{
	expect(TLS ROUTES "listen_adr: ':1'\n", "f:3:1: listen_adr: unknown "
	    "key, did you mean listen_addr?\n");
	expect(TLS ROUTES "upstream:\n  alowed_ips: []\n",
	    "f:4:3: upstream.alowed_ips: unknown key, did you mean "
	    "upstream.allowed_ips?\n");
	expect(TLS ROUTES "allowed_ips: []\n", "f:3:1: allowed_ips: unknown "
	    "key, did you mean upstream.allowed_ips?\n");
	expect(TLS ROUTES "upstream: {tls: {cafile: x}}\n",
	    "f:3:18: upstream.tls.cafile: unknown key, did you mean "
	    "upstream.tls.ca_file?\n");
	expect(TLS ROUTES "policy: {rego: x}\n", "f:3:10: policy.rego: "
	    "unknown key\n");
	expect(TLS ROUTES "zzzzzzzz: 1\n", "f:3:1: zzzzzzzz: unknown key\n");
	expect(TLS ROUTES "\"x\\e[2Jy\": 1\n",
	    "f:3:1: x\\x1b[2Jy: unknown key\n");
}

static void
test_values_wrong(void)
{
	expect(TLS ROUTES "listen_addr: 8080\n", "f:3:14: listen_addr: '8080': "
	    "must be as :8080 or 127.0.0.1:8080\n");
	expect(TLS ROUTES "listen_addr: proxy.example:1\n", "f:3:14: "
	    "listen_addr: 'proxy.example:1': the host must be an address, "
	    "localhost or empty\n");
	expect(TLS ROUTES "log_level: loud\n", "f:3:12: log_level: 'loud': "
	    "must be debug, info, warn or error\n");
	expect(TLS ROUTES "shutdown_timeout: 30\n", "f:3:19: "
	    "shutdown_timeout: '30': must be a duration such as 30s or "
	    "1m30s\n");
	expect(TLS ROUTES "shutdown_timeout: 48h\n", "f:3:19: "
	    "shutdown_timeout: '48h': must be from 0 ms to 86400 s\n");
	expect(TLS ROUTES "tunnel_domain: a_b\n", "f:3:16: tunnel_domain: "
	    "'a_b': no domain name such as abcd1234.tunnel.example\n");
	expect(ROUTES "tls: {cert_file: [c], key_file: {}}\n",
	    "f:2:18: tls.cert_file: a list, must be one value\n"
	    "f:2:33: tls.key_file: a map, must be one value\n");
	expect(ROUTES "tls: {cert_file: '', key_file: k}\n",
	    "f:2:18: tls.cert_file: empty\n");
	expect(ROUTES "tls: {cert_file: c, key_file: k, min_version: 1.1}\n",
	    "f:2:47: tls.min_version: '1.1': must be \"1.3\" or \"1.2\"\n");
	expect(ROUTES "tls: c\n",
	    "f:2:6: tls: one value, must be a map of keys\n");
	expect(TLS ROUTES "limits: {streams: many, header_size: 5}\n",
	    "f:3:19: limits.streams: 'many': must be a whole number from 1 to "
	    "1048576\n"
	    "f:3:38: limits.header_size: '5': must be a size such as 64k, "
	    "from 1k to 1024k\n");
}

static void
test_upstream_wrong(void)
{
	expect(TLS ROUTES "upstream:\n  allowed_ips: 10.0.0.0/8\n",
	    "f:4:16: upstream.allowed_ips: must be a list such as "
	    "[10.0.0.0/8, 192.168.1.7]\n");
	expect(TLS ROUTES "upstream:\n  allowed_ips: [10.0.0.0/40, x, []]\n",
	    "f:4:17: upstream.allowed_ips: '10.0.0.0/40': the prefix length "
	    "is not 0 to 32\n"
	    "f:4:30: upstream.allowed_ips: 'x': not an address or a range "
	    "such as 10.0.0.0/8 or fd12::/16\n"
	    "f:4:33: upstream.allowed_ips: an item that is no address or "
	    "range\n");
	expect(TLS ROUTES "upstream:\n  disable_ip_validation: true\n"
	    "  allowed_ips: [10.0.0.0/8]\n",
	    "f:4:3: upstream.disable_ip_validation: true and "
	    "upstream.allowed_ips exclude each other\n");
	expect(TLS ROUTES "upstream: {disable_ip_validation: maybe}\n",
	    "f:3:35: upstream.disable_ip_validation: 'maybe': must be true or "
	    "false\n");
	expect(TLS ROUTES "upstream: {resolver: dns.example}\n",
	    "f:3:22: upstream.resolver: 'dns.example': must be the address of a "
	    "DNS server, as 10.0.0.53:53\n");
}

static void
test_yaml_wrong(void)
{
	static const uint8_t nul[] = "tls: \"a\\0b\"";
	struct config_problems problems;
	struct config c;
	char deep[64];

	expect("a: b: c\n", "f:1:5: not YAML: mapping values are not allowed "
	    "in this context\n");
	expect("a: &x 1\n", "f:1:4: anchors ('&name') are not supported\n");
	expect("a: *x\n", "f:1:4: aliases ('*name') are not supported\n");
	expect("a: !secret x\n", "f:1:4: tags ('!name') are not supported\n");
	expect("[a]: b\n", "f:1:1: a key must be a plain text\n");
	expect(TLS ROUTES "---\n" TLS, "f:3:1: a second document\n");
	eq_int(config_parse("f", bytes_of(nul, sizeof nul - 1), &c,
	    &problems), -1, "a NUL inside a text");
	config_problems_done(&problems);
	memset(deep, '[', sizeof deep);
	eq_int(config_parse("f", bytes_of(deep, sizeof deep), &c, &problems),
	    -1, "nested too deep");
	eq_str(problems.text[0], "f:1:17: nested too deep", "and says so");
	config_problems_done(&problems);
}

static void
test_many_problems(void)
{
	struct config_problems problems;
	struct config c;
	struct buf b;

	buf_init(&b, 1 << 16);
	buf_add_str(&b, TLS ROUTES);
	for (int i = 0; i < CONFIG_PROBLEMS_MAX + 1; i++)
		buf_format(&b, "unknown-%d: 1\n", i);
	eq_int(config_parse("f", buf_bytes(&b), &c, &problems), -1,
	    "many problems");
	ok(problems.count == CONFIG_PROBLEMS_MAX && problems.cut,
	    "the first are told, and that there are more");
	config_problems_done(&problems);
	buf_reset(&b);
	eq_int(config_load("/nonexistent/f", &c, &problems), -1, "no file");
	eq_str(problems.text[0], "/nonexistent/f: No such file or directory",
	    "and says so");
	config_problems_done(&problems);
}

static void
test_lookup(void)
{
	static const struct {
		const char *host, *origin;
	} hosts[] = {
		{"docs.t.example", "http://10.0.0.1:80"},
		{"DOCS.T.Example", "http://10.0.0.1:80"},
		{"docs.t.example.", "http://10.0.0.1:80"},
		{"both.t.example", "http://10.0.0.3:80"},
		{"both", "http://10.0.0.2:80"},
		{"a.b.t.example", "http://10.0.0.4:80"},
		{"other.example", "http://10.0.0.5:80"},
		{"t.example", NULL}, {".t.example", NULL}, {"", NULL},
		{".", NULL}, {"docst.example", NULL}, {"x.t.example", NULL},
		{"docs.t.example.t.example", NULL},
		{"docs.t.example.evil.example", NULL},
		{"docs.other.example", NULL},
	};
	struct config c;
	char longest[300];

	if (!ok(parse(TLS "tunnel_domain: t.example\nroutes:\n"
	    "  docs: http://10.0.0.1:80\n  both: http://10.0.0.2:80\n"
	    "  both.t.example: http://10.0.0.3:80\n"
	    "  a.b: http://10.0.0.4:80\n"
	    "  other.example: http://10.0.0.5:80\n", &c), "some routes"))
		return;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		const struct config_route *r = config_route(&c,
		    bytes_cstr(hosts[i].host));

		eq_str(r == NULL ? "none" : r->origin,
		    hosts[i].origin == NULL ? "none" : hosts[i].origin,
		    "the route of '%s'", hosts[i].host);
	}
	memset(longest, 'a', sizeof longest);
	ok(config_route(&c, bytes_of(longest, sizeof longest)) == NULL,
	    "a host that is too long has none");
	ok(config_route(&c, bytes_of("docs\0.t.example", 15)) == NULL,
	    "nor one with a NUL inside");
	config_done(&c);
}

static void
test_origins(void)
{
	static const char *const bad[] = {
		"", "10.0.0.1:80", "http:/10.0.0.1:80", "ftp://a:21",
		"http://", "http://:80", "http://a", "http://a:",
		"http://a:0", "http://a:65536", "http://a:80x", "http://a:80/",
		"http://a:80?x", "http://a:80#x", "http://u@a:80",
		"http://u:p@a:80", "http://a b:80", "http://-a:80",
		"http://fd12::1:80", "http://[fd12::1]", "http://[fd12::1:80",
		"http://[10.0.0.1]:80", "http://[fd12::1]x:80",
		"http://1.2.3:80", "unix:/run/x", "http://a:80\\b",
		"http://a:+80", "http://a: 80",
	};
	struct origin o;
	struct error e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(origin_parse(bad[i], &o, &e) != 0 && e.text[0] != '\0',
		    "'%s' is no upstream: %s", bad[i], e.text);
	ok(origin_parse("HTTPS://My_Host.Example:65535", &o, &e) == 0 &&
	    o.https && o.port == 65535, "capitals and underscores");
	eq_str(o.host, "my_host.example", "are made small");
}

static void
test_durations(void)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} some[] = {
		{"0", 0}, {"0s", 0}, {"1ms", 1}, {"1.5s", 1500},
		{"1m30s", 90000}, {"1h2m3s4ms", 3723004}, {"2d", 172800000},
		{".5s", 500}, {"1.s", 1000}, {"100us", 1}, {"1000us", 1},
		{"1\xc2\xb5s", 1}, {"1\xce\xbcs", 1}, {"1ns", 1},
		{"1000000ns", 1}, {"0.1s0.1s", 200}, {"", -1}, {"1", -1},
		{"s", -1}, {".s", -1}, {"-1s", -1}, {"+1s", -1}, {"1 s", -1},
		{"1.2.3s", -1}, {"1x", -1}, {"1s ", -1}, {"1sm", -1},
		{"99999999999999999999s", -1}, {"9223372036854775807h", -1},
		{"106751d106751d", -1}, {"1.00000000000000000000s", -1},
	};
	struct error e;

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		int64_t ms = -1;

		duration_parse(some[i].text, 0, INT64_MAX, &ms, &e);
		eq_int(ms, some[i].ms, "duration '%s'", some[i].text);
	}
	int64_t ms = 7;
	eq_int(duration_parse("1s", 1001, 2000, &ms, &e), -1, "too short");
	eq_int(duration_parse("3s", 1001, 2000, &ms, &e), -1, "too long");
	eq_int(ms, 7, "the result is left alone");
}

/* Every prefix of a file is judged without a crash; bytes beyond it are not
 * touched. */
static void
test_prefixes(void)
{
	static const char text[] = "tls: {cert_file: \"c\", key_file: 'k'}\n"
	    "routes:\n  a.example: http://10.0.0.1:80 # x\n"
	    "upstream:\n  allowed_ips:\n  - 10.0.0.0/8\n";
	size_t accepted = 0;

	for (size_t len = 0; len < sizeof text; len++) {
		struct config_problems problems;
		struct test_guard guard;
		struct config c;

		if (config_parse("f", test_guard_new(&guard,
		    bytes_of(text, len)), &c, &problems) == 0) {
			config_done(&c);
			accepted++;
		}
		config_problems_done(&problems);
		test_guard_free(&guard);
	}
	ok(accepted != 0 && accepted < sizeof text, "prefixes of a file");
}

#define LONG(keys) TLS "routes:\n  a.example: {" keys "}\n"

static void
test_routes_long(void)
{
	struct config c;
	const struct config_route *r;

	ok(parse(TLS "routes:\n"
	    "  a.example: unix:/run/a.sock\n"
	    "  b.example: {upstream: 'unix:b', host: 'localhost:80', "
	    "prefix: /v1}\n"
	    "  c.example:\n"
	    "    command: [server, -x, '']\n"
	    "    env: {A: b, EMPTY: ''}\n"
	    "    sandbox: [--ro, /]\n"
	    "    directory: /srv\n"
	    "    pool: 3\n"
	    "    message_size: 1m\n"
	    "  d.example: {command: [server], mode: shared}\n"
	    "  e.example: {command: [server]}\n", &c), "routes that are "
	    "sockets and commands");
	r = c.routes[0];
	ok(r->kind == CONFIG_UNIX && str_eq(r->socket, "/run/a.sock") &&
	    str_eq(r->origin, "unix:/run/a.sock"), "a socket");
	r = c.routes[1];
	ok(r->kind == CONFIG_UNIX && str_eq(r->as_host, "localhost:80") &&
	    str_eq(r->prefix, "/v1"), "with another host and a prefix");
	ok(!config_is_same(r, c.routes[0]), "which is another route");
	r = c.routes[2];
	ok(r->kind == CONFIG_STDIO && str_eq(r->origin, "stdio:c.example"),
	    "a command");
	eq_str(r->stdio->argv[0], "sandbox-exec", "in a sandbox");
	eq_str(r->stdio->argv[3], "--", "whose options end");
	eq_str(r->stdio->argv[6], "", "before the command's words");
	ok(r->stdio->argv[7] == NULL, "of which none is lost");
	eq_str(r->stdio->envp[0], "A=b", "a variable");
	eq_str(r->stdio->envp[1], "EMPTY=", "an empty one");
	ok(r->stdio->mode == CONFIG_POOL && r->stdio->pool == 3 &&
	    r->stdio->message_max == 1 << 20, "a pool");
	r = c.routes[3];
	ok(r->stdio->mode == CONFIG_POOL && r->stdio->pool == 1 &&
	    r->stdio->sessions_max == 1024, "shared is a pool of one");
	r = c.routes[4];
	ok(r->stdio->mode == CONFIG_SESSION && r->stdio->sessions_max == 64 &&
	    r->stdio->idle_ms == HOUR_MS / 2 && str_eq(r->stdio->path, "/mcp"),
	    "a process for each session by default");
	config_done(&c);
}

static void
test_routes_long_wrong(void)
{
	char path[140];
	char text[300];

	expect(LONG("comand: [a], upstream: 'unix:x'"), "f:3:15: routes.a."
	    "example.comand: unknown key, did you mean "
	    "routes.a.example.command?\n");
	expect(LONG("mode: shared"), "f:3:14: routes.a.example: needs "
	    "upstream or command\n");
	expect(LONG("upstream: 'unix:x', command: [a]"), "f:3:14: "
	    "routes.a.example: upstream and command exclude each other\n");
	expect(LONG("upstream: 'unix:x', env: {A: b}"), "f:3:14: "
	    "routes.a.example: has keys that only a command can have\n");
	expect(LONG("command: [a], prefix: /x"), "f:3:14: "
	    "routes.a.example: host, prefix and headers_file are not "
	    "for a command\n");
	expect(LONG("command: []"), "f:3:14: routes.a.example: command: "
	    "empty\n");
	expect(LONG("command: [a], pool: 2, mode: session"), "f:3:14: "
	    "routes.a.example: mode: session and pool exclude each other\n");
	expect(LONG("command: server"), "f:3:24: routes.a.example.command: "
	    "must be a list of words such as [node, server.js]\n"
	    "f:3:14: routes.a.example: needs upstream or command\n");
	expect(LONG("command: [a], env: [b]"), "f:3:34: "
	    "routes.a.example.env: must be a map such as {NAME: value}\n");
	expect(LONG("command: [a], env: {a-b: c}"), "f:3:35: "
	    "routes.a.example.env: no name of a variable\n");
	expect(LONG("command: [[a]]"), "f:3:25: routes.a.example.command: "
	    "an item that is not one value\n"
	    "f:3:14: routes.a.example: command: empty\n");
	expect(LONG("command: [a], mode: both"), "f:3:35: "
	    "routes.a.example.mode: 'both': must be session or shared\n");
	expect(LONG("command: [a], path: mcp"), "f:3:35: "
	    "routes.a.example.path: 'mcp': must be a path such as /mcp\n");
	expect(LONG("upstream: 'unix:x', prefix: /v1/"), "f:3:43: "
	    "routes.a.example.prefix: '/v1/': must not end in '/', since "
	    "paths begin with one\n");
	expect(LONG("upstream: 'unix:x', host: 'a b'"), "f:3:41: "
	    "routes.a.example.host: 'a b': must be a host, or host:port\n");
	expect(LONG("upstream: 'unix:'"), "f:3:14: routes.a.example: "
	    "invalid upstream 'unix:': no path: must be "
	    "unix:/path/of/socket\n");
	for (int len = 106; len <= 108; len++) {
		struct config_problems problems;
		struct config c;
		int r;

		memset(path, 'x', sizeof path);
		path[len] = '\0';
		snprintf(text, sizeof text, TLS "routes: {a.example: "
		    "'unix:%s'}\n", path);
		r = config_parse("f", bytes_cstr(text), &c, &problems);
		eq_int(r, len <= 107 ? 0 : -1, "a socket of %d bytes", len);
		if (r == 0)
			config_done(&c);
		config_problems_done(&problems);
	}
}

static void
test_policy(void)
{
	const struct config_policy *p;
	struct config c;

	if (!ok(parse(TLS "routes:\n  a.example: http://10.0.0.1:80\n"
	    "  b.example: {upstream: http://10.0.0.1:80, policy: {}}\n"
	    "  c.example: {command: [x], policy: {tools: [],"
	    " message_size: 16m}}\n"
	    "policy:\n  tools: [\"get_*\", \"!get_x\"]\n  prompts:\n"
	    "  resources: [\"file:///a/*\"]\n  methods: [tools/*]\n"
	    "  program: p.jq\n", &c), "policies"))
		return;
	p = config_route(&c, bytes_cstr("a.example"))->policy;
	if (ok(p != NULL && p == c.policy, "the general one")) {
		eq_str(p->tools[0], "get_*", "its tools");
		eq_str(p->tools[1], "!get_x", "and those that are not");
		ok(p->tools[2] == NULL && p->prompts == NULL, "no prompts");
		eq_str(p->resources[0], "file:///a/*", "its resources");
		eq_str(p->methods[0], "tools/*", "its methods");
		eq_str(p->program, "p.jq", "its program");
		eq_int(p->message_max, 4 << 20, "the usual size");
	}
	p = config_route(&c, bytes_cstr("b.example"))->policy;
	ok(p != NULL && p != c.policy && p->tools == NULL &&
	    p->program == NULL, "one that allows all");
	ok(!config_is_same(config_route(&c, bytes_cstr("a.example")),
	    config_route(&c, bytes_cstr("b.example"))),
	    "is not the same route");
	p = config_route(&c, bytes_cstr("c.example"))->policy;
	ok(p != NULL && p->tools != NULL && p->tools[0] == NULL &&
	    p->message_max == 16 << 20, "one of a command");
	config_done(&c);
	if (ok(parse(TLS ROUTES, &c), "without"))
		ok(c.routes[0]->policy == NULL, "nothing is judged");
	config_done(&c);
}

static void
test_bad_policy(void)
{
	expect(TLS ROUTES "policy: [a]\n",
	    "f:3:9: policy: a list, must be a map of keys\n");
	expect(TLS ROUTES "policy: {tool: [a]}\n",
	    "f:3:10: policy.tool: unknown key, did you mean policy.tools?\n");
	expect(TLS ROUTES "policy: {tools: a}\n", "f:3:17: policy.tools: must "
	    "be a list of patterns such as [\"get_*\", \"!get_secret\"]\n");
	expect(TLS ROUTES "policy: {tools: [a, \"\", \"!\", [b]]}\n",
	    "f:3:21: policy.tools: an item that is no pattern\n"
	    "f:3:25: policy.tools: an item that is no pattern\n"
	    "f:3:30: policy.tools: an item that is no pattern\n");
	expect(TLS ROUTES "policy: {message_size: 17m}\n",
	    "f:3:24: policy.message_size: '17m': must be a size such as 64k, "
	    "from 4k to 16384k\n");
	expect(TLS "routes: {a.example: {upstream: http://10.0.0.1:80, "
	    "policy: {allowed_things: 1}}}\n", "f:2:61: routes.a.example.policy.allowed_things: "
	    "unknown key\n");
	expect(TLS ROUTES "polcy: {}\n",
	    "f:3:1: polcy: unknown key, did you mean policy?\n");
}

static void
test_agents(void)
{
	const struct config_agents *a;
	struct config c;

	if (!ok(parse(TLS "agents: {file: f}\nroutes:\n"
	    "  a.example: http://10.0.0.1:80\n"
	    "  b.example: {upstream: http://10.0.0.1:80, agents: {issuer: "
	    "https://i.example/x, audience: 'https://a.example/mcp', keys_file: k, "
	    "scope: mcp}}\n"
	    "  c.example: {command: [x], agents: {anybody: true}}\n", &c),
	    "agents"))
		return;
	a = config_route(&c, bytes_cstr("a.example"))->agents;
	ok(a != NULL && a == c.agents && c.asks_certs, "the general ones");
	eq_str(a->file, "f", "their file");
	a = config_route(&c, bytes_cstr("b.example"))->agents;
	if (ok(a != NULL && a != c.agents && a->file == NULL, "others")) {
		eq_str(a->issuer, "https://i.example/x", "their issuer");
		eq_str(a->audience, "https://a.example/mcp", "the audience");
		eq_str(a->keys_file, "k", "the issuer's keys");
		eq_str(a->scope, "mcp", "the scope");
	}
	ok(config_route(&c, bytes_cstr("c.example"))->agents == NULL,
	    "anybody");
	config_done(&c);
	if (ok(parse(TLS ROUTES, &c), "without"))
		ok(c.routes[0]->agents == NULL && !c.asks_certs, "anybody");
	config_done(&c);
}

static void
test_bad_agents(void)
{
	expect(TLS ROUTES "agents: f\n",
	    "f:3:9: agents: one value, must be a map of keys\n");
	expect(TLS ROUTES "agents: {}\n", "f:3:9: agents: needs file, issuer, "
	    "or anybody: true\n");
	expect(TLS ROUTES "agents: {anybody: false}\n",
	    "f:3:9: agents: needs file, issuer, or anybody: true\n");
	expect(TLS ROUTES "agents: {anybody: true, file: f}\n",
	    "f:3:9: agents: anybody excludes the other keys\n");
	expect(TLS ROUTES "agents: {issuer: https://i.example}\n", "f:3:9: "
	    "agents: issuer, audience and keys_file belong together\n");
	expect(TLS ROUTES "agents: {file: f, audience: a}\n", "f:3:9: "
	    "agents: issuer, audience and keys_file belong together\n");
	expect(TLS ROUTES "agents: {file: f, scope: s}\n",
	    "f:3:9: agents: scope needs issuer\n");
	expect(TLS ROUTES "agents: {issuer: 'http://i.example'}\n", "f:3:18: "
	    "agents.issuer: 'http://i.example': must be a URL such as "
	    "https://login.example\n");
	expect(TLS ROUTES "agents: {issuer: 'https://i.example?x'}\n",
	    "f:3:18: agents.issuer: 'https://i.example?x': must be a URL such "
	    "as https://login.example\n");
	expect(TLS ROUTES "agents: {scope: 'a b'}\n",
	    "f:3:17: agents.scope: 'a b': must be one word\n");
	expect(TLS "routes: {a.example: {upstream: http://10.0.0.1:80, "
	    "agents: {fil: f}}}\n", "f:2:61: routes.a.example.agents.fil: "
	    "unknown key, did you mean routes.a.example.agents.file?\n");
}

static void
test_upstream_credentials(void)
{
	struct config c;

	if (ok(parse(TLS "routes: {a.example: {upstream: http://10.0.0.1:80, "
	    "headers_file: h}}\nupstream: {tls: {cert_file: c, key_file: k}}\n",
	    &c), "credentials for upstreams")) {
		eq_str(c.routes[0]->headers_file, "h", "headers");
		eq_str(c.client_cert_file, "c", "a certificate");
		eq_str(c.client_key_file, "k", "and its key");
		config_done(&c);
	}
	expect(TLS ROUTES "upstream: {tls: {cert_file: c}}\n", "f:3:12: "
	    "upstream.tls: cert_file and key_file belong together\n");
	expect(TLS ROUTES "upstream: {tls: {key_file: c}}\n", "f:3:12: "
	    "upstream.tls: cert_file and key_file belong together\n");
	expect(TLS "routes: {a.example: {command: [x], headers_file: h}}\n",
	    "f:2:21: routes.a.example: host, prefix and headers_file are not "
	    "for a command\n");
}

static void
test_digest(void)
{
	struct config a, b;

	if (!parse(TLS ROUTES, &a))
		return;
	if (parse(TLS ROUTES "# x\n", &b)) {
		eq_int(strlen(a.digest), 64, "a digest");
		ok(strcmp(a.digest, b.digest) != 0, "of all of the text");
		config_done(&b);
	}
	config_done(&a);
}

int
main(void)
{
	test_original();
	test_routes_long();
	test_routes_long_wrong();
	test_defaults();
	test_extras();
	test_missing();
	test_routes_wrong();
	test_unknown();
	test_values_wrong();
	test_upstream_wrong();
	test_yaml_wrong();
	test_many_problems();
	test_lookup();
	test_origins();
	test_durations();
	test_prefixes();
	test_policy();
	test_bad_policy();
	test_agents();
	test_bad_agents();
	test_upstream_credentials();
	test_digest();
	return test_done();
}
