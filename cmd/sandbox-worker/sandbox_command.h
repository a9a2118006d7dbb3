/* SPDX-License-Identifier: ISC */
/* The command line of sandbox-exec, for each time that it is started. */
#ifndef ADIT_WORKER_SANDBOX_COMMAND_H
#define ADIT_WORKER_SANDBOX_COMMAND_H

#include <limits.h>

#include "cmd/sandbox-worker/settings.h"

enum { SANDBOX_ARGS_MAX = 2 * OPT_LIST_MAX + 16 };

struct sandbox_command {
	const char *argv[SANDBOX_ARGS_MAX + 1];
	char program[PATH_MAX], call_time[32];
};

/* The program: that of the settings, or the one that stands beside this one,
 * or its name alone, to be found through PATH.  Returns out. */
const char *sandbox_command_find(const struct settings *s,
    char out[static PATH_MAX]);

/* Fills c, which keeps what is in s; audit is where the sandbox's own lines
 * go, of the caller, or NULL. */
void sandbox_command_fill(struct sandbox_command *c, const struct settings *s,
    const char *audit);

#endif
