/* SPDX-License-Identifier: ISC */
/* What a policy means on this host, found out by doing it: a sandbox is built
 * as for a command, and from the inside everything is tried that must not
 * work. */
#ifndef ADIT_SANDBOX_EXPLAIN_H
#define ADIT_SANDBOX_EXPLAIN_H

#include "cmd/sandbox-exec/policy.h"

/* Prints to standard output.  Returns the exit status: EXIT_OK;
 * EXIT_SANDBOX if no sandbox can be built that satisfies the policy. */
int explain_run(const struct policy *p, bool json);

#endif
