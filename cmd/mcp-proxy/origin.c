/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/origin.h"

#include "common/num.h"

enum { PORT_MAX = 65535 };

bool
origin_is_host(const char *name)
{
	char plain[SOCK_HOST_MAX];
	struct sock_addr unused;

	if (sock_parse_ip(name, 0, &unused) == 0)
		return true;
	if (str_format(plain, sizeof plain, "%s", name) != 0)
		return false;
	/* Container networks give names such as my_server. */
	for (char *c = plain; *c != '\0'; c++) {
		if (*c == '_')
			*c = 'x';
	}
	return str_is_hostname(plain);
}

static int
take_scheme(const char **text, bool *ret_https, struct error *e)
{
	const char *end = strstr(*text, "://");
	char scheme[8];

	if (end == NULL)
		return error_set(e, "no scheme: must be scheme://host:port");
	if (str_from_bytes(scheme, sizeof scheme,
	    bytes_of(*text, (size_t)(end - *text))) != 0)
		scheme[0] = '\0';
	if (str_eq_nocase(scheme, "https"))
		*ret_https = true;
	else if (str_eq_nocase(scheme, "http"))
		*ret_https = false;
	else
		return error_set(e, "the scheme must be http or https");
	*text = end + 3;
	return 0;
}

/* Refuses what belongs to a URL but not to an origin. */
static int
check_extras(const char *rest, struct error *e)
{
	const char *extra = strpbrk(rest, "/?#@\\");

	if (extra == NULL)
		return 0;
	switch (*extra) {
	case '@':
		return error_set(e, "user names do not belong here: "
		    "must be scheme://host:port");
	case '?':
	case '#':
		return error_set(e, "no query or fragment: "
		    "must be scheme://host:port");
	default:
		return error_set(e, "no path, since the request's own is "
		    "passed on: must be scheme://host:port");
	}
}

static int
take_port(const char *colon, uint16_t *ret, struct error *e)
{
	int64_t port;

	if (*colon == '\0' || colon[1] == '\0')
		return error_set(e, "no port: must be scheme://host:port");
	if (*colon != ':')
		return error_set(e, "must be scheme://host:port");
	if (num_parse(colon + 1, 1, PORT_MAX, &port) != 0)
		return error_set(e, "the port is not 1 to %d", PORT_MAX);
	*ret = (uint16_t)port;
	return 0;
}

int
origin_parse(const char *text, struct origin *ret, struct error *e)
{
	const char *host, *end;
	struct origin o = {.https = false};
	struct sock_addr unused;
	bool brackets;

	if (take_scheme(&text, &o.https, e) != 0 || check_extras(text, e) != 0)
		return -1;
	brackets = text[0] == '[';
	host = brackets ? text + 1 : text;
	end = strchr(host, brackets ? ']' : ':');
	if (brackets && end == NULL)
		return error_set(e, "'[' without ']'");
	if (end == NULL)
		end = host + strlen(host);
	else if (!brackets && strchr(end + 1, ':') != NULL)
		return error_set(e, "an IPv6 address goes in brackets, "
		    "as http://[fd12::1]:8080");
	if (end == host)
		return error_set(e, "no host: must be scheme://host:port");
	if (str_from_bytes(o.host, sizeof o.host,
	    bytes_of(host, (size_t)(end - host))) != 0)
		return error_set(e, "the host is too long");
	for (char *c = o.host; *c != '\0'; c++)
		*c = ascii_lower(*c);
	if (brackets ? sock_parse_ip(o.host, 0, &unused) != 0 ||
	    unused.any.sa_family != AF_INET6 : !origin_is_host(o.host))
		return error_set(e, "the host is no host name or address");
	if (take_port(brackets ? end + 1 : end, &o.port, e) != 0)
		return -1;
	*ret = o;
	return 0;
}
