/* SPDX-License-Identifier: ISC */
/* tunnel-up joins a private network to an edge: it dials out, and hands the
 * streams that the edge opens to a local program.  See tunnel-up(1). */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>

#include "cmd/tunnel-up/connector.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/proc.h"
#include "common/sock.h"
#include "common/str.h"

enum {
	EDGES_MAX = 16,
	NAME_MAX_LEN = HOP_NAME_MAX - 8, /* room for the slot's number */
	FD_MAX = 1 << 20,
	SECOND = 1000,
	HOUR = 3600 * SECOND,
};

#define FIELD(name) offsetof(struct settings, name)

static const struct opt options[] = {
	{0, "edge", "HOST:PORT", OPT_LIST, FIELD(edges), 0, 0, NULL,
	    "keep a link to this edge; up to 16 times"},
	{0, "token-file", "FILE", OPT_STRING, FIELD(token_file), 0, 0, NULL,
	    "token to show, mode 0600"},
	{0, "token-fd", "N", OPT_NUMBER, FIELD(token_fd), 0, FD_MAX, NULL,
	    "read the token from this descriptor"},
	{0, "cert", "FILE", OPT_STRING, FIELD(cert), 0, 0, NULL,
	    "client certificate to show, PEM"},
	{0, "key", "FILE", OPT_STRING, FIELD(key), 0, 0, NULL,
	    "its key, PEM"},
	{0, "ca", "FILE", OPT_STRING, FIELD(ca), 0, 0, NULL,
	    "trust these CAs [the system's]"},
	{0, "server-name", "NAME", OPT_STRING, FIELD(server_name), 0, 0, NULL,
	    "name in the edge's certificate [HOST]"},
	{0, "proxy", "URL", OPT_STRING, FIELD(proxy), 0, 0, NULL,
	    "http, socks4a or socks5h proxy, or none"},
	{0, "connect", "PATH", OPT_STRING, FIELD(connect), 0, 0, NULL,
	    "hand streams to this Unix socket"},
	{0, "name", "INSTANCE", OPT_STRING, FIELD(name), 0, 0, NULL,
	    "name of this connector [random]"},
	{0, "ping", "TIME", OPT_DURATION, FIELD(ping_ms), 10, HOUR, NULL,
	    "ping interval; dead after three [4s]"},
	{0, "timeout", "TIME", OPT_DURATION, FIELD(timeout_ms), 1, HOUR, NULL,
	    "for connecting, then for greeting [15s]"},
	{0, "backoff-min", "TIME", OPT_DURATION, FIELD(backoff_min_ms), 1,
	    HOUR, NULL, "shortest delay before a redial [200ms]"},
	{0, "backoff-max", "TIME", OPT_DURATION, FIELD(backoff_max_ms), 1,
	    HOUR, NULL, "longest delay before a redial [30s]"},
	{0, "drain", "TIME", OPT_DURATION, FIELD(drain_ms), 0, HOUR, NULL,
	    "for open streams to end on SIGTERM [30s]"},
	{0, "metrics", "FILE", OPT_STRING, FIELD(metrics), 0, 0, NULL,
	    "keep metrics there, as Prometheus text"},
	{0, "ready-fd", "N", OPT_NUMBER, FIELD(ready_fd), 0, FD_MAX, NULL,
	    "write a line here when streams can flow"},
	{0, "check", NULL, OPT_FLAG, FIELD(check), 0, 0, NULL,
	    "try each edge once, print JSON, exit"},
	OPT_END,
};

static const struct opt_command command = {
	.program = "tunnel-up",
	.operands = "(--connect PATH | -- COMMAND [ARG]...)",
	.purpose = "Dial out to an edge and hand its streams to a local "
	    "program.",
	.opts = options,
};

/* ---- options ---- */

static int
check_token(const struct settings *s, struct error *e)
{
	int given = (s->token_file != NULL) + (s->token_fd != -1) +
	    (s->cert != NULL);

	if (given > 1)
		return error_set(e, "only one of --token-file, --token-fd "
		    "and --cert can be given");
	if (given == 0 && s->token_env == NULL)
		return error_set(e, "no token: give --token-file, "
		    "--token-fd, TUNNEL_UP_TOKEN or --cert");
	if (given == 0 && s->token_env[0] == '\0')
		return error_set(e, "TUNNEL_UP_TOKEN: empty");
	if ((s->cert != NULL) != (s->key != NULL))
		return error_set(e, "--cert and --key go together");
	if (s->token_fd != -1 && fcntl((int)s->token_fd, F_GETFD) == -1)
		return error_errno(e, "--token-fd: descriptor %lld",
		    (long long)s->token_fd);
	return 0;
}

static bool
is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return s[n] == '\0' && n <= NAME_MAX_LEN;
}

static int
check_local(const struct settings *s, struct error *e)
{
	if (s->check && (s->connect != NULL || s->command != NULL))
		return error_set(e, "--check needs no --connect and "
		    "no command");
	if (s->connect != NULL && s->command != NULL)
		return error_set(e, "--connect and a command exclude "
		    "each other");
	if (!s->check && s->connect == NULL && s->command == NULL)
		return error_set(e, "no local side: give --connect or "
		    "a command");
	return 0;
}

static bool
is_host(const char *text)
{
	struct sock_addr numeric;

	return str_is_hostname(text) || sock_parse_ip(text, 0, &numeric) == 0;
}

static int
check_settings(const struct settings *s, struct error *e)
{
	if (s->edges.count == 0)
		return error_set(e, "no --edge");
	if (s->edges.count > EDGES_MAX)
		return error_set(e, "--edge: more than %d", EDGES_MAX);
	if (s->backoff_max_ms < s->backoff_min_ms)
		return error_set(e, "--backoff-max is below --backoff-min");
	if (s->name != NULL && !is_name(s->name))
		return error_set(e, "--name: not up to %d letters, digits "
		    "and ._-", NAME_MAX_LEN);
	if (s->server_name != NULL && !is_host(s->server_name))
		return error_set(e, "--server-name: %s: not a host name or "
		    "address", s->server_name);
	if (s->ready_fd != -1 && fcntl((int)s->ready_fd, F_GETFD) == -1)
		return error_errno(e, "--ready-fd: descriptor %lld",
		    (long long)s->ready_fd);
	return check_local(s, e) != 0 ? -1 : check_token(s, e);
}

/* ---- what the child must not see ---- */

static const char *const proxy_variables[] = {
	"http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY",
	"all_proxy", "ALL_PROXY",
};

enum {
	PROXY_VARIABLES = sizeof proxy_variables / sizeof *proxy_variables,
	DROP_MAX = PROXY_VARIABLES + 3,
};

static void
fill_drop_env(const char *out[static DROP_MAX])
{
	size_t n = 0;

	out[n++] = "TUNNEL_UP_TOKEN";
	out[n++] = "NOTIFY_SOCKET";
	for (size_t i = 0; i < PROXY_VARIABLES; i++) {
		const char *value = getenv(proxy_variables[i]);

		if (value != NULL && proxy_has_credentials(value))
			out[n++] = proxy_variables[i];
	}
	out[n] = NULL;
}

int
main(int argc, char **argv)
{
	struct settings s = {
		.token_fd = -1, .ready_fd = -1, .ping_ms = 4 * SECOND,
		.timeout_ms = 15 * SECOND, .backoff_min_ms = 200,
		.backoff_max_ms = 30 * SECOND, .drain_ms = 30 * SECOND,
	};
	struct credentials credentials;
	struct proxy proxy;
	const char *drop_env[DROP_MAX];
	struct connector_settings connector = {
		.settings = &s, .credentials = &credentials, .proxy = &proxy,
		.drop_env = drop_env,
	};
	struct error e;
	int operand, status;

	diag_init("tunnel-up");
	proc_hold_hangup();
	if (!opt_begin(&command, argc, argv, 1, &s, &operand, &status))
		return status;
	if (s.check)
		proc_take_hangup();
	s.command = operand < argc ? argv + operand : NULL;
	s.token_env = getenv("TUNNEL_UP_TOKEN");
	if (check_settings(&s, &e) != 0 ||
	    proxy_choose(s.proxy, getenv, &proxy, &e) != 0)
		return opt_usage_error(&command, &e);
	if (s.proxy != NULL && proxy_has_credentials(s.proxy))
		diag_warning("--proxy: every user can read a password in an "
		    "argument; put the URL into https_proxy");
	if (credentials_open(&credentials, &s, &e) != 0) {
		diag_error("%s", e.text);
		credentials_close(&credentials);
		return EXIT_USAGE;
	}
	fill_drop_env(drop_env);
	status = s.check ? connector_check(&connector)
	    : connector_run(&connector);
	credentials_close(&credentials);
	return opt_close_stdout() == EXIT_OK || status != EXIT_OK ? status
	    : EXIT_FAILED;
}
