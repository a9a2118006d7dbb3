/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/value.h"

#include "cmd/mcp-proxy/duration.h"
#include "common/diag.h"
#include "common/num.h"
#include "common/sock.h"

enum { DNS_PORT = 53, LISTEN_LEN = SOCK_HOST_MAX + 16 };

int
value_text(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	char *copy = strdup(text);

	(void)limits;
	if (copy == NULL)
		return error_set(e, "out of memory");
	*(char **)ret = copy;
	return 0;
}

int
value_bool(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	static const char *const words[] = {
		"false", "true", "no", "yes", "off", "on",
	};

	(void)limits;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (str_eq_nocase(text, words[i])) {
			*(bool *)ret = i % 2 != 0;
			return 0;
		}
	}
	return error_set(e, "must be true or false");
}

int
value_number(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	if (num_parse(text, limits.min, limits.max, ret) == 0)
		return 0;
	return error_set(e, "must be a whole number from %lld to %lld",
	    (long long)limits.min, (long long)limits.max);
}

int
value_size(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	if (num_parse_size(text, limits.min, limits.max, ret) == 0)
		return 0;
	return error_set(e, "must be a size such as 64k, from %lldk to %lldk",
	    (long long)limits.min >> 10, (long long)limits.max >> 10);
}

int
value_duration(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	return duration_parse(text, limits.min, limits.max, ret, e);
}

int
value_level(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	static const struct {
		const char *name;
		enum diag_level level;
	} levels[] = {
		{"debug", DIAG_DEBUG}, {"info", DIAG_INFO},
		{"warn", DIAG_WARNING}, {"error", DIAG_ERROR},
	};

	(void)limits;
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (str_eq_nocase(text, levels[i].name)) {
			*(int *)ret = (int)levels[i].level;
			return 0;
		}
	}
	return error_set(e, "must be debug, info, warn or error");
}

int
value_version(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	(void)limits;
	if (!str_eq(text, "1.2") && !str_eq(text, "1.3"))
		return error_set(e, "must be \"1.3\" or \"1.2\"");
	*(bool *)ret = str_eq(text, "1.2");
	return 0;
}

int
value_listen(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	char host[SOCK_HOST_MAX], full[LISTEN_LEN];
	struct sock_addr a;
	uint16_t port;

	if (sock_parse_hostport(text, 0, host, &port, e) != 0)
		return error_set(e, "must be as :8080 or 127.0.0.1:8080");
	if (str_eq_nocase(host, "localhost"))
		str_format(host, sizeof host, "127.0.0.1");
	if (host[0] != '\0' && sock_parse_ip(host, port, &a) != 0)
		return error_set(e, "the host must be an address, localhost "
		    "or empty");
	str_format(full, sizeof full, strchr(host, ':') != NULL ? "[%s]:%u"
	    : "%s:%u", host, port);
	return value_text(full, limits, ret, e);
}

int
value_domain(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	if (!str_is_hostname(text))
		return error_set(e, "no domain name such as "
		    "abcd1234.tunnel.example");
	if (value_text(text, limits, ret, e) != 0)
		return -1;
	for (char *c = *(char **)ret; *c != '\0'; c++)
		*c = ascii_lower(*c);
	return 0;
}

int
value_server(const char *text, struct value_limits limits, void *ret,
    struct error *e)
{
	char host[SOCK_HOST_MAX], full[SOCK_TEXT_MAX];
	struct sock_addr a;
	uint16_t port;

	if (sock_parse_ip(text, DNS_PORT, &a) != 0 &&
	    (sock_parse_hostport(text, DNS_PORT, host, &port, e) != 0 ||
	    port == 0 || sock_parse_ip(host, port, &a) != 0))
		return error_set(e, "must be the address of a DNS server, as "
		    "10.0.0.53:53");
	return value_text(sock_format(&a.any, full), limits, ret, e);
}
