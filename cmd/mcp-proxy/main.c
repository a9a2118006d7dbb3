/* SPDX-License-Identifier: ISC */
/* mcp-proxy ends agents' TLS and routes their requests to MCP servers.  See
 * mcp-proxy(1). */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/mcp-proxy/agentcmd.h"
#include "cmd/mcp-proxy/auditcmd.h"
#include "cmd/mcp-proxy/certcmd.h"
#include "cmd/mcp-proxy/judge.h"
#include "cmd/mcp-proxy/server.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/opt.h"
#include "common/proc.h"
#include "common/sock.h"
#include "common/str.h"

enum { FD_MAX = 1 << 20 };

struct settings {
	const char *config, *listen, *listen_tls, *metrics;
	bool stdio, check;
	int64_t ready_fd;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct opt options[] = {
	{'c', "config", "FILE", OPT_STRING, FIELD(config), 0, 0,
	    "MCP_PROXY_CONFIG", "configuration, mcp-proxy.yaml(5)"},
	{0, "check", NULL, OPT_FLAG, FIELD(check), 0, 0, NULL,
	    "check the configuration and its files, and exit"},
	{0, "listen", "PATH", OPT_STRING, FIELD(listen), 0, 0, NULL,
	    "take frames on this Unix socket"},
	{0, "listen-tls", "ADDR:PORT", OPT_STRING, FIELD(listen_tls), 0, 0,
	    NULL, "take agents' TLS here [listen_addr]"},
	{0, "metrics", "FILE", OPT_STRING, FIELD(metrics), 0, 0, NULL,
	    "keep metrics there, as Prometheus text"},
	{0, "ready-fd", "N", OPT_NUMBER, FIELD(ready_fd), 0, FD_MAX, NULL,
	    "write a line here when serving"},
	{0, "stdio", NULL, OPT_FLAG, FIELD(stdio), 0, 0, NULL,
	    "take frames on standard input and output"},
	OPT_END,
};

static const struct opt_command command = {
	.program = "mcp-proxy",
	.operands = "",
	.purpose = "End agents' TLS and route their requests to MCP servers.\n"
	    "See also 'mcp-proxy agent --help'.\n"
	    "See also 'mcp-proxy cert --help'.\n"
	    "See also 'mcp-proxy audit --help'.",
	.opts = options,
};

static int
print_problems(const struct config_problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		diag_error("%s", p->text[i]);
	if (p->cut)
		diag_error("more problems follow");
	return EXIT_USAGE;
}

/* Whether standard input and output are one socket, as tunnel-up and
 * frame-dump give to the command that they start. */
static bool
is_stdio_hop(void)
{
	struct stat in, out;

	return fstat(STDIN_FILENO, &in) == 0 && S_ISSOCK(in.st_mode) &&
	    fstat(STDOUT_FILENO, &out) == 0 && in.st_dev == out.st_dev &&
	    in.st_ino == out.st_ino;
}

static int
choose_sources(const struct settings *settings, const struct config *c,
    struct server_sources *ret, struct error *e)
{
	*ret = (struct server_sources){
		.stdio = settings->stdio, .listen_path = settings->listen,
		.listen_tls = settings->listen_tls,
		.metrics = settings->metrics,
	};
	if (ret->stdio || ret->listen_path != NULL || ret->listen_tls != NULL)
		return 0;
	ret->stdio = is_stdio_hop();
	if (!ret->stdio)
		ret->listen_tls = c->listen_addr;
	if (!ret->stdio && ret->listen_tls == NULL)
		return error_set(e, "nothing to serve: give --stdio, "
		    "--listen, --listen-tls or listen_addr in %s",
		    settings->config);
	return 0;
}

static void
announce(const struct server *s, int64_t ready_fd)
{
	char text[32] = "ready";

	if (s->tls_listener.fd != -1) {
		str_format(text, sizeof text, "tls=%u", s->tls_port);
		diag_notice("serving TLS: port=%u", s->tls_port);
	}
	for (size_t i = 0; i < s->proxy.config->route_count; i++)
		diag_info("route configured: %s=%s",
		    s->proxy.config->routes[i]->name,
		    s->proxy.config->routes[i]->origin);
	io_announce_ready((int)ready_fd, text);
}

/* Serves with a configuration that was read, which it frees. */
static int
serve(const struct settings *settings, struct config *c)
{
	static struct server server;
	struct server_sources sources = {.check = settings->check};
	struct ev_loop *loop;
	struct error e;
	int status;

	if (!settings->check &&
	    choose_sources(settings, c, &sources, &e) != 0) {
		config_free(c);
		return opt_usage_error(&command, &e);
	}
	sources.config_path = settings->config;
	sources.level_from_file = diag_shows(DIAG_NOTICE) &&
	    !diag_shows(DIAG_INFO); /* -v and -q go before it */
	/* Not the default loop, which would collect processes that are
	 * somebody else's to collect. */
	loop = ev_loop_new(EVFLAG_AUTO);
	if (server_start(&server, loop, c, &sources, &e) != 0) {
		diag_error("%s", e.text);
		status = e.code;
	} else if (settings->check) {
		status = diag_has_warned() ? EXIT_FAILED : EXIT_OK;
	} else {
		announce(&server, settings->ready_fd);
		status = server_run(&server);
	}
	server_done(&server);
	ev_loop_destroy(loop);
	return status;
}

static int
check_settings(const struct settings *s, struct error *e)
{
	if (s->config == NULL)
		return error_set(e, "no --config");
	if (s->stdio && s->listen != NULL)
		return error_set(e, "--stdio and --listen exclude each other");
	if (s->listen_tls != NULL && sock_check_listen(s->listen_tls, e) != 0)
		return error_prefix(e, "--listen-tls");
	if (s->ready_fd != -1 && fcntl((int)s->ready_fd, F_GETFD) == -1)
		return error_errno(e, "--ready-fd: descriptor %lld",
		    (long long)s->ready_fd);
	return 0;
}

static int
run(const struct settings *settings)
{
	struct config_problems problems;
	struct config *config = malloc(sizeof *config);
	struct error e;
	int status;

	if (config == NULL) {
		error_errno(&e, "%s", settings->config);
		diag_error("%s", e.text);
		return EXIT_FAILED;
	}
	if (config_load(settings->config, config, &problems) != 0) {
		status = print_problems(&problems);
		free(config);
	} else {
		status = serve(settings, config);
	}
	config_problems_done(&problems);
	return status;
}

int
main(int argc, char **argv)
{
	struct settings settings = {.ready_fd = -1};
	struct error e;
	int operand, status;

	diag_init(command.program);
	if (argc > 1 && str_eq(argv[1], "agent"))
		return agentcmd_run(argc, argv);
	if (argc > 1 && str_eq(argv[1], "cert"))
		return certcmd_run(argc, argv);
	if (argc > 1 && str_eq(argv[1], "audit"))
		return auditcmd_run(argc, argv);
	if (argc == 2 && str_eq(argv[1], "judge"))
		return judge_main();
	proc_hold_hangup();
	if (!opt_begin(&command, argc, argv, 1, &settings, &operand, &status))
		return status;
	if (operand != argc) {
		error_set(&e, "'%s': not an option", argv[operand]);
		return opt_usage_error(&command, &e);
	}
	if (check_settings(&settings, &e) != 0)
		return opt_usage_error(&command, &e);
	proc_forbid_core();
	proc_raise_files();
	return run(&settings);
}
