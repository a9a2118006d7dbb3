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

static const struct opt_subcommand commands[] = {
	{&settings_poll, command_poll},
	{&settings_run, command_run},
	{&hook_options, command_hook},
	{NULL, NULL},
};

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

	diag_init("sandbox-worker");
	/* What it holds is nobody's to read: no core, no ptrace, and /proc
	 * belongs to root. */
	proc_forbid_core();
	prctl(PR_SET_DUMPABLE, 0);
	if (settings_take_environment(&e) != 0) {
		diag_error("%s", e.text);
		return EXIT_USAGE;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (argc > 1 && run_inner(argv[1], &status) == 1)
		return status;
	return opt_run_subcommand("sandbox-worker", "Runs the tool calls of "
	    "managed agents in sandboxes.", commands, argc, argv, 1);
}
