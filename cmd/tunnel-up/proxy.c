/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/proxy.h"

/* In the order of curl(1), section ENVIRONMENT. */
static const char *const variables[] = {
	"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
};

enum { VARIABLES = sizeof variables / sizeof variables[0] };

static const char *
choose_url(const char *option, char *(*lookup)(const char *name),
    const char **ret_source)
{
	*ret_source = "--proxy";
	if (option != NULL)
		return str_eq(option, "none") ? "" : option;
	for (size_t i = 0; i < VARIABLES; i++) {
		const char *value = lookup(variables[i]);

		if (value != NULL && value[0] != '\0') {
			*ret_source = variables[i];
			return value;
		}
	}
	return "";
}

/* The part of a URL after "scheme://". */
static const char *
after_scheme(const char *url)
{
	const char *mark = strstr(url, "://");

	return mark == NULL ? url : mark + 3;
}

/* Where the user name and password end: at the last '@' of the authority, or
 * at its beginning when there are none. */
static const char *
after_credentials(const char *authority)
{
	const char *end = authority + strcspn(authority, "/?#");

	for (const char *at = end; at > authority; at--) {
		if (at[-1] == '@')
			return at;
	}
	return authority;
}

bool
proxy_has_credentials(const char *value)
{
	const char *authority = after_scheme(value);

	return after_credentials(authority) != authority;
}

static int
check_scheme(const char *source, const char *url, size_t len,
    struct proxy *ret, struct error *e)
{
	static const char *const socks[] = {"socks4", "socks4a", "socks5",
		"socks5h"};
	char scheme[16];

	if (str_from_bytes(scheme, sizeof scheme, bytes_of(url, len)) != 0)
		return error_set(e, "%s: not a proxy URL", source);
	for (size_t i = 0; i < len; i++)
		scheme[i] = ascii_lower(scheme[i]);
	ret->is_http = str_eq(scheme, "http");
	if (ret->is_http)
		return 0;
	for (size_t i = 0; i < sizeof socks / sizeof socks[0]; i++) {
		if (str_eq(scheme, socks[i]))
			return 0;
	}
	if (str_eq(scheme, "https"))
		return error_set(e, "%s: TLS to the proxy is not supported, "
		    "only http, socks4a and socks5h", source);
	return error_set(e, "%s: proxies are http, socks4a or socks5h, "
	    "not '%s'", source, scheme);
}

int
proxy_choose(const char *option, char *(*lookup)(const char *name),
    struct proxy *ret, struct error *e)
{
	const char *source, *url = choose_url(option, lookup, &source);
	const char *authority = after_scheme(url);
	size_t len = authority == url ? 0 : (size_t)(authority - url) - 3;
	const char *scheme = len == 0 ? "http" : url;
	int scheme_len = len == 0 ? 4 : (int)len;
	const char *host = after_credentials(authority);

	memset(ret, 0, sizeof *ret);
	if (url[0] == '\0')
		return 0;
	if (check_scheme(source, scheme, (size_t)scheme_len, ret, e) != 0)
		return -1;
	if (strcspn(host, "/:?#") == 0)
		return error_set(e, "%s: no host in the proxy URL", source);
	if (str_format(ret->url, sizeof ret->url, "%.*s://%s", scheme_len,
	    scheme, authority) != 0)
		return error_errno(e, "%s", source);
	str_format(ret->shown, sizeof ret->shown, "%.*s://%.*s", scheme_len,
	    scheme, (int)strcspn(host, "/?#"), host);
	return 0;
}
