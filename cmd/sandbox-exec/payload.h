/* SPDX-License-Identifier: ISC */
/* The process that becomes the payload: gives up everything, in the order
 * that the kernel needs, and executes the command. */
#ifndef ADIT_SANDBOX_PAYLOAD_H
#define ADIT_SANDBOX_PAYLOAD_H

#include "cmd/sandbox-exec/init.h"

/* Starts it from init.  Returns its pid; or -1 with a text and e->code
 * EXIT_SANDBOX, EXIT_NOT_FOUND or EXIT_NOT_EXECUTABLE. */
pid_t payload_start(struct init_args *a, struct landlock *l, struct error *e);

/* Keeps whatever is executed from ever having a capability; the caller keeps
 * its own. */
void payload_bound_capabilities(void);

/* Drops every capability of the caller for good.  Returns 0, or -1 with
 * errno. */
int payload_drop_capabilities(void);

#endif
