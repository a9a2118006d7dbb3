/* SPDX-License-Identifier: ISC */
/* tunnel-edge is the public end of tunnels: it takes links from connectors
 * and TLS connections from agents, and routes the latter to the former by
 * server name without decrypting them.  See tunnel-edge(8). */
#include "cmd/tunnel-edge/command.h"
#include "common/exit.h"

static const struct opt_subcommand commands[] = {
	{&init_options, command_init},
	{&add_options, command_add},
	{&limit_options, command_limit},
	{&rotate_options, command_rotate},
	{&revoke_options, command_revoke},
	{&list_options, command_list},
	{&run_options, command_run},
	{NULL, NULL},
};

int
command_failed(const struct error *e)
{
	diag_error("%s", e->text);
	return EXIT_FAILED;
}

enum opt_result
command_parse(const struct opt_command *c, int argc, char **argv,
    void *settings, const char *const *state, struct command_operands *ret,
    int *ret_status)
{
	int operand = argc;
	struct error e;
	enum opt_result r = opt_parse(c, argc, argv, 2, settings, &operand,
	    &e);

	if (r == OPT_RUN && *state == NULL) {
		error_set(&e, "--state or $%s is required",
		    COMMAND_STATE_ENV);
		r = OPT_INVALID;
	}
	if (r == OPT_INVALID)
		*ret_status = opt_usage_error(c, &e);
	else if (r == OPT_DONE)
		*ret_status = opt_close_stdout();
	*ret = (struct command_operands){argv + operand, argc - operand};
	return r;
}

int
main(int argc, char **argv)
{
	diag_init("tunnel-edge");
	return opt_run_subcommand("tunnel-edge", "Gives private MCP servers "
	    "behind tunnel-up(1) a public address.", commands, argc, argv, 1);
}
