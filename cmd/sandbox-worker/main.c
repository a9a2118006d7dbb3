/* SPDX-License-Identifier: ISC */
/* sandbox-worker runs the tool calls of managed agents in sandboxes on this
 * machine.  See sandbox-worker(8). */
#include <curl/curl.h>
#include <sys/prctl.h>

#include "cmd/sandbox-worker/chooser.h"
#include "cmd/sandbox-worker/command.h"
#include "cmd/sandbox-worker/content.h"
#include "cmd/sandbox-worker/hook.h"
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
run_bare(const char *word)
{
	const struct opt_command *list[COMMAND_COUNT + 1] = {NULL};

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		list[i] = commands[i].options;
	return opt_run_bare(program, purpose, list, word);
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
		return run_bare(NULL);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (str_eq(argv[1], commands[i].options->name))
			return commands[i].run(argc, argv);
	}
	if (run_inner(argv[1], &status) == 1)
		return status;
	return run_bare(argv[1]);
}
