/* SPDX-License-Identifier: ISC */
/* Whether sessions could read or change what is not theirs: a file that an
 * option names, or the directory of another, would lie where they can write.
 * A session that writes its own policy, the audit, or what another remembers
 * has no sandbox. */
#ifndef ADIT_WORKER_JUDGE_H
#define ADIT_WORKER_JUDGE_H

#include "cmd/sandbox-worker/settings.h"

enum {
	JUDGE_POLICY_MS = 5000,        /* for sandbox-exec to explain */
	JUDGE_ANSWER_MAX = 1 << 20,
};

/* Refuses settings with which that is so.  Returns 0 or -1 with a text. */
int judge_settings(const struct settings *s, struct error *e);

/* Refuses a --policy with which it is so, or which sandbox-exec refuses.
 * Blocks while that program explains it.  Returns 0 or -1 with a text. */
int judge_policy_file(const struct settings *s, struct error *e);

/* The same, and refuses what --require names and is not enforced here, and a
 * sandbox-exec that cannot be run. */
int judge_sandbox(const struct settings *s, struct error *e);

/* Refuses a policy of --policy-jq, a JSON object, with which it is so.
 * Returns 0 or -1 with a text. */
int judge_policy(const struct settings *s, struct bytes policy,
    struct error *e);

#endif
