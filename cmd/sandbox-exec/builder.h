/* SPDX-License-Identifier: ISC */
/* Builds the sandbox from the inside.
 *
 * In the full tier two processes do that at the same time, init (PID 1) and
 * the builder, which become the reaper and the payload.  Init makes the
 * namespaces, of which that of the network takes the kernel as long as all of
 * the rest; the builder makes the tree and the rules.  They share their
 * memory, and with it errno, which is the builder's until it has built: what
 * init does before does not touch it. */
#ifndef ADIT_SANDBOX_BUILDER_H
#define ADIT_SANDBOX_BUILDER_H

#include "cmd/sandbox-exec/init.h"

/* Starts the builder, from init, which has all signals blocked and catches
 * SIGCHLD.  Returns 0, or -1 with errno. */
int builder_start(struct init_start *s);

/* Waits until it has reached stage.  Returns 0; or -1 if it failed or was
 * killed, with all that *s says about that. */
int builder_wait(struct init_start *s, enum builder_stage stage);

/* When nothing is left of the host's tree: lets it execute the command.
 * Returns its pid, or -1 as payload_start does. */
pid_t builder_run(struct init_start *s, struct error *e);

/* The lower tier, in init: the host's tree behind Landlock.  Returns as
 * builder_wait does. */
int builder_lower(struct init_start *s);

#endif
