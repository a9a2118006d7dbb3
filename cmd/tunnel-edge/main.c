/* SPDX-License-Identifier: ISC */
/* tunnel-edge is the public end of tunnels: it takes links from connectors
 * and TLS connections from agents, and routes the latter to the former by
 * server name without decrypting them.  See tunnel-edge(8). */
#include "cmd/tunnel-edge/command.h"
#include "common/exit.h"
#include "common/str.h"

static const char program[] = "tunnel-edge";
static const char purpose[] =
    "Gives private MCP servers behind tunnel-up(1) a public address.";

struct command {
	const struct opt_command *options;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{&init_options, command_init},
	{&add_options, command_add},
	{&limit_options, command_limit},
	{&rotate_options, command_rotate},
	{&revoke_options, command_revoke},
	{&list_options, command_list},
	{&run_options, command_run},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

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

static int
run_bare(const char *word)
{
	const struct opt_command *list[COMMAND_COUNT + 1] = {NULL};

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		list[i] = commands[i].options;
	return opt_run_bare(program, purpose, list, word);
}

int
main(int argc, char **argv)
{
	diag_init(program);
	if (argc < 2)
		return run_bare(NULL);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (str_eq(argv[1], commands[i].options->name))
			return commands[i].run(argc, argv);
	}
	return run_bare(argv[1]);
}
