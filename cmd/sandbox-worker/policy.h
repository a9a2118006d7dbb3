/* SPDX-License-Identifier: ISC */
/* The policy of a session's sandbox, chosen by an operator's jq program. */
#ifndef ADIT_WORKER_POLICY_H
#define ADIT_WORKER_POLICY_H

#include "cmd/sandbox-worker/work.h"
#include "common/buf.h"

enum { POLICY_PROGRAM_MAX = 65536 };

/* Runs the program in the file on {session, work, environment_id} and appends
 * what it gives, which must be one object.  Everything else is an error, so
 * that no session runs without the policy that was meant for it.  Returns 0 or
 * -1 with a text. */
int policy_choose(const char *file, struct bytes session,
    const struct work *work, struct buf *out, struct error *e);

/* The same with the program's text. */
int policy_evaluate(const char *program, struct bytes session,
    const struct work *work, struct buf *out, struct error *e);

#endif
