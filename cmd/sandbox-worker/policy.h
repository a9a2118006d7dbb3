/* SPDX-License-Identifier: ISC */
/* The policy of a session's sandbox, as an operator's jq program gives it.
 * It may take as long and as much as it wants: see chooser.h. */
#ifndef ADIT_WORKER_POLICY_H
#define ADIT_WORKER_POLICY_H

#include "cmd/sandbox-worker/work.h"
#include "common/buf.h"

/* Whether the program compiles.  Returns 0 or -1 with a text. */
int policy_check(const char *program, struct error *e);

/* Runs the program on {session, work, environment_id} and appends what it
 * gives, which must be one object.  Everything else is an error, so that no
 * session runs without the policy that was meant for it.  Returns 0 or -1 with
 * a text. */
int policy_evaluate(const char *program, struct bytes session,
    const struct work *work, struct buf *out, struct error *e);

#endif
