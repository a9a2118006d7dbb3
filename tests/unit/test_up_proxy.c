/* SPDX-License-Identifier: ISC */
/* Which proxy tunnel-up dials through. */
#include "cmd/tunnel-up/proxy.h"
#include "tests/unit/test.h"

struct variable {
	const char *name;
	char *value;
};

static const struct variable *environment;

static char *
lookup(const char *name)
{
	for (const struct variable *v = environment; v->name != NULL; v++) {
		if (str_eq(v->name, name))
			return v->value;
	}
	return NULL;
}

static void
test_good(void)
{
	static const struct {
		const char *option, *url, *shown;
		bool is_http;
	} cases[] = {
		{"p", "http://p", "http://p", true},
		{"p:1/", "http://p:1/", "http://p:1", true},
		{"http://p:1", "http://p:1", "http://p:1", true},
		{"HTTP://p:1", "HTTP://p:1", "HTTP://p:1", true},
		{"socks4a://p", "socks4a://p", "socks4a://p", false},
		{"socks4://p", "socks4://p", "socks4://p", false},
		{"socks5://p", "socks5://p", "socks5://p", false},
		{"socks5h://[::1]:1", "socks5h://[::1]:1",
		    "socks5h://[::1]:1", false},
		{"http://u:pw@p:1", "http://u:pw@p:1", "http://p:1", true},
		{"u:p@w@p:1", "http://u:p@w@p:1", "http://p:1", true},
		{"http://u@p:1/x@y", "http://u@p:1/x@y", "http://p:1", true},
		{"http://u:pw@p?a@b", "http://u:pw@p?a@b", "http://p", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct proxy p;
		struct error e;

		eq_int(proxy_choose(cases[i].option, lookup, &p, &e), 0,
		    "%s: accepted", cases[i].option);
		eq_str(p.url, cases[i].url, "%s: url", cases[i].option);
		eq_str(p.shown, cases[i].shown, "%s: shown",
		    cases[i].option);
		ok(p.is_http == cases[i].is_http, "%s: kind",
		    cases[i].option);
	}
}

static void
test_bad(void)
{
	static const struct {
		const char *option, *text;
	} cases[] = {
		{"https://u:secret@p:1", "--proxy: TLS to the proxy is not "
		    "supported, only http, socks4a and socks5h"},
		{"ftp://u:secret@p", "--proxy: proxies are http, socks4a or "
		    "socks5h, not 'ftp'"},
		{"http://", "--proxy: no host in the proxy URL"},
		{"http://u:secret@", "--proxy: no host in the proxy URL"},
		{"http:///", "--proxy: no host in the proxy URL"},
		{"http://:1", "--proxy: no host in the proxy URL"},
		{"a-scheme-that-is-too-long://p", "--proxy: not a proxy URL"},
	};
	struct proxy p;
	struct error e;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		eq_int(proxy_choose(cases[i].option, lookup, &p, &e), -1,
		    "%s: refused", cases[i].option);
		eq_str(e.text, cases[i].text, "%s: text", cases[i].option);
	}
}

static void
test_length(void)
{
	char url[PROXY_URL_MAX + 1];
	struct proxy p;
	struct error e;

	memset(url, 'p', sizeof url);
	memcpy(url, "http://", 7);
	url[PROXY_URL_MAX - 1] = '\0';
	eq_int(proxy_choose(url, lookup, &p, &e), 0, "a URL of %d bytes",
	    PROXY_URL_MAX - 1);
	eq_str(p.url, url, "is kept whole");
	url[PROXY_URL_MAX - 1] = 'p';
	url[PROXY_URL_MAX] = '\0';
	eq_int(proxy_choose(url, lookup, &p, &e), -1, "one more is refused");
}

static void
test_environment(void)
{
	static char a[] = "http://a", b[] = "http://b", c[] = "http://c",
	    d[] = "http://d", empty[] = "", bad[] = "https://d";
	static const struct variable all[] = {{"ALL_PROXY", d},
		{"all_proxy", c}, {"HTTPS_PROXY", b}, {"https_proxy", a},
		{NULL, NULL}};
	static const struct variable some[] = {{"https_proxy", empty},
		{"http_proxy", a}, {"ALL_PROXY", d}, {NULL, NULL}};
	static const struct variable wrong[] = {{"all_proxy", bad},
		{NULL, NULL}};
	struct proxy p;
	struct error e;

	environment = all;
	eq_int(proxy_choose(NULL, lookup, &p, &e), 0, "all set");
	eq_str(p.url, "http://a", "https_proxy is first");
	eq_int(proxy_choose("x", lookup, &p, &e), 0, "and an option");
	eq_str(p.url, "http://x", "the option wins");
	eq_int(proxy_choose("none", lookup, &p, &e), 0, "none");
	eq_str(p.url, "", "is no proxy");
	environment = some;
	eq_int(proxy_choose(NULL, lookup, &p, &e), 0, "an empty variable");
	eq_str(p.url, "http://d", "is not set, and http_proxy not ours");
	environment = wrong;
	eq_int(proxy_choose(NULL, lookup, &p, &e), -1, "a wrong one");
	ok(str_starts(e.text, "all_proxy: "), "is named: %s", e.text);
}

static void
test_credentials(void)
{
	ok(proxy_has_credentials("http://u:p@h"), "user and password");
	ok(proxy_has_credentials("u@h:1"), "user, no scheme");
	ok(!proxy_has_credentials("http://h:1"), "none");
	ok(!proxy_has_credentials("http://h/x@y"), "an '@' in the path");
	ok(!proxy_has_credentials(""), "nothing");
}

int
main(void)
{
	static const struct variable nothing[] = {{NULL, NULL}};

	environment = nothing;
	test_good();
	test_bad();
	test_length();
	test_environment();
	test_credentials();
	return test_done();
}
