/* SPDX-License-Identifier: ISC */
/* Resource limits: a cgroup where one can be made (v2 where delegated, v1
 * where that is what the host has), rlimits for the rest; each one knows
 * whether it is enforced for the sandbox as a whole or merely advisory. */
#ifndef ADIT_SANDBOX_LIMITS_H
#define ADIT_SANDBOX_LIMITS_H

#include <stdbool.h>

#include "cmd/sandbox-exec/cgroup.h"
#include "cmd/sandbox-exec/policy.h"

enum limit_kind {
	LIMIT_MEM,
	LIMIT_CPU,
	LIMIT_PIDS,
	LIMIT_TIME,
	LIMIT_FSIZE,
	LIMIT_OUT,
	LIMIT_COUNT,
};

enum limit_state {
	LIMIT_UNSET,
	LIMIT_ADVISORY, /* per process, or what the payload can undo */
	LIMIT_ENFORCED, /* for the whole sandbox */
};


struct limits {
	enum limit_state state[LIMIT_COUNT];
	struct cgroups cgroups;
	unsigned hit;      /* bits 1 << enum limit_kind; by limits_close */
};

/* "mem", "cpu", ... */
const char *limits_name(enum limit_kind kind);

/* Makes the cgroups that the policy's limits need, as far as this host lets
 * the caller.  Never fails: what cannot be enforced is advisory.  namespaces:
 * the sandbox has a user namespace of its own. */
void limits_open(struct limits *l, const struct policy *p, bool namespaces);

/* In init: joins the cgroups, with v2 that of version 2 too.  Returns 0, or -1
 * with errno. */
int limits_join(const struct limits *l, bool v2);

/* In the payload, before capabilities go: the rlimits.  Returns 0 or -1 with
 * errno. */
int limits_set_rlimits(const struct limits *l, const struct policy *p);

/* Whether each limit of the policy is enforced. */
bool limits_all_enforced(const struct limits *l);

/* When all that was in the cgroups is dead: notes which limits it ran into
 * (l->hit, bits 1 << enum limit_kind) and removes them.  Idempotent. */
void limits_close(struct limits *l);

#endif
