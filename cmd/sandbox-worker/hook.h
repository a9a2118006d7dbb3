/* SPDX-License-Identifier: ISC */
/* "sandbox-worker hook", which polls when a webhook says that there is work. */
#ifndef ADIT_WORKER_HOOK_H
#define ADIT_WORKER_HOOK_H

#include "common/opt.h"

extern const struct opt_command hook_options;

/* As the commands of command.h. */
int command_hook(int argc, char **argv);

#endif
