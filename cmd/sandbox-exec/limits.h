/* SPDX-License-Identifier: ISC */
/* Resource limits: a cgroup where one can be made (v2 where delegated, v1
 * where that is what the host has), rlimits for the rest; each one knows
 * whether it is enforced for the sandbox as a whole or merely advisory. */
#ifndef ADIT_SANDBOX_LIMITS_H
#define ADIT_SANDBOX_LIMITS_H

#include <stdbool.h>

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

enum { LIMITS_CGROUPS_MAX = 3, LIMITS_PATH_MAX = 512 };

struct limits_cgroup {
	char path[LIMITS_PATH_MAX]; /* made for this sandbox; "" if none */
	int procs_fd;               /* its cgroup.procs, or -1 */
	int dir_fd;
};

struct limits {
	enum limit_state state[LIMIT_COUNT];
	struct limits_cgroup cgroups[LIMITS_CGROUPS_MAX];
	size_t cgroup_count;
	bool v2;           /* one group, to clone into */
	pid_t janitor;     /* removes the groups if the supervisor is killed */
	int janitor_fd;
};

/* "mem", "cpu", ... */
const char *limits_name(enum limit_kind kind);

/* Makes the cgroups that the policy's limits need, as far as this host lets
 * the caller.  Never fails: what cannot be enforced is advisory. */
void limits_open(struct limits *l, const struct policy *p);

/* In init: joins the cgroups (v1). */
int limits_join(const struct limits *l);

/* In the payload, before capabilities go: the rlimits.  Returns 0 or -1 with
 * errno. */
int limits_set_rlimits(const struct limits *l, const struct policy *p);

/* Which limit the sandbox has run into, as bits 1 << enum limit_kind. */
unsigned limits_hit(const struct limits *l);

/* Kills what is in the cgroups and removes them.  Idempotent. */
void limits_close(struct limits *l);

#endif
