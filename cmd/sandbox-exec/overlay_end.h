/* SPDX-License-Identifier: ISC */
/* What becomes of the changes in overlays: --diff, --commit and --discard. */
#ifndef ADIT_SANDBOX_OVERLAY_END_H
#define ADIT_SANDBOX_OVERLAY_END_H

#include "cmd/sandbox-exec/options.h"
#include "cmd/sandbox-exec/overlay.h"

/* Lists, makes and drops them as the options say, after a command with this
 * status or without one (EXIT_OK), and prints what fails.  Returns the exit
 * status: the command's, unless that is EXIT_OK and something failed. */
int overlay_end(struct overlays *l, const struct options *o, int status);

#endif
