/* SPDX-License-Identifier: ISC */
/* sandbox-worker: runs the tool calls of managed agents in sandboxes on this
 * machine.  See sandbox-worker(8). */
#include <curl/curl.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "cmd/sandbox-worker/chooser.h"
#include "cmd/sandbox-worker/command.h"
#include "cmd/sandbox-worker/content.h"
#include "cmd/sandbox-worker/hook.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/settings.h"
#include "cmd/sandbox-worker/unpacker.h"
#include "common/exit.h"
#include "common/proc.h"
#include "common/str.h"

static const char program[] = "sandbox-worker";
static const char purpose[] =
    "Runs the tool calls of managed agents in sandboxes.";

struct command {
	const struct opt_command *options;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{&settings_poll, command_poll},
	{&settings_run, command_run},
	{&hook_options, command_hook},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int
print_commands(void)
{
	const struct opt_command *list[COMMAND_COUNT + 1] = {NULL};

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		list[i] = commands[i].options;
	opt_print_commands(program, purpose, list);
	return opt_close_stdout();
}

static int
print_version(void)
{
	printf("%s %s\n", program, ADIT_VERSION_STRING);
	return opt_close_stdout();
}

static int
usage_error(const char *text, const char *word)
{
	char quoted[80];

	if (word == NULL)
		diag_error("%s", text);
	else
		diag_error("%s %s", text,
		    diag_quote(quoted, sizeof quoted, bytes_cstr(word)));
	fprintf(stderr, "Try '%s --help'.\n", program);
	return EXIT_USAGE;
}

/* The processes that this program starts of itself. */
static int
run_inner(const char *name, int *ret_status)
{
	if (str_eq(name, "content"))
		*ret_status = content_main();
	else if (str_eq(name, "unpack"))
		*ret_status = unpacker_main();
	else if (str_eq(name, "choose"))
		*ret_status = chooser_main();
	else
		return 0;
	return 1;
}

int
main(int argc, char **argv)
{
	struct error e;
	int status;

	diag_init(program);
	/* What it holds is nobody's to read: no core, no ptrace, and /proc
	 * belongs to root. */
	proc_forbid_core();
	prctl(PR_SET_DUMPABLE, 0);
	if (settings_take_environment(&e) != 0) {
		diag_error("%s", e.text);
		return EXIT_USAGE;
	}
	if (argc < 2)
		return usage_error("a command is required", NULL);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (str_eq(argv[1], commands[i].options->name))
			return commands[i].run(argc, argv);
	}
	if (run_inner(argv[1], &status) == 1)
		return status;
	if (str_eq(argv[1], "-h") || str_eq(argv[1], "--help"))
		return print_commands();
	if (str_eq(argv[1], "-V") || str_eq(argv[1], "--version"))
		return print_version();
	return usage_error(argv[1][0] == '-' ? "option: unknown"
	    : "no such command", argv[1]);
}
