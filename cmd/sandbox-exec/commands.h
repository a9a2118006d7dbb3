/* SPDX-License-Identifier: ISC */
/* The life of init in a sandbox that stands without a command of its own: it
 * starts the commands that the supervisor sends, each below a process of its
 * own, the leader, to which all that the command leaves behind comes back,
 * whatever sessions and groups it makes; so one command can be ended with
 * everything it has started while others go on. */
#ifndef ADIT_SANDBOX_COMMANDS_H
#define ADIT_SANDBOX_COMMANDS_H

#include "cmd/sandbox-exec/init.h"

/* Serves the control channel until it ends, and with it the sandbox. */
_Noreturn void commands_serve(struct init_args *a, struct landlock *l);

/* Reads the strings of an INIT_SPAWN: argc and envc of them, each with its
 * NUL and nothing left over, into words, which gets a NULL after argv and
 * after env.  Returns 0, or -1. */
int commands_split(struct bytes strings, uint32_t argc, uint32_t envc,
    char *words[static INIT_WORDS_MAX + 2]);

#endif
