/* SPDX-License-Identifier: ISC */
/* The lower tier, where the host refuses user namespaces: the host's own tree
 * with Landlock in front of it, a private directory for temporary files and
 * home, and an init that is no PID 1 and has to look for what it kills. */
#ifndef ADIT_SANDBOX_LSM_H
#define ADIT_SANDBOX_LSM_H

#include "cmd/sandbox-exec/policy.h"
#include "common/landlock.h"

enum { LSM_SCRATCH_MAX = 64 };

/* In the supervisor: makes the private directory for uid and gid.  Returns 0,
 * or -1 with a text. */
int lsm_open_scratch(char path[static LSM_SCRATCH_MAX], uid_t uid, gid_t gid,
    struct error *e);

/* Removes it with all that is in it; "" is none. */
void lsm_remove_scratch(const char *path);

/* In init: allows what the policy grants, and nothing else.  Returns 0, or -1
 * with a text. */
int lsm_allow(const struct policy *p, const char *scratch,
    struct landlock *l, struct error *e);

/* The policy's environment with HOME and TMPDIR in the private directory; its
 * strings live as long as the process. */
char *const *lsm_environment(const struct policy *p, const char *scratch);

/* Whether the policy has masks or the like, which Landlock cannot do. */
bool lsm_lacks(const struct policy *p);

/* In a subreaper, before it starts anything: makes what it starts killable at
 * a stroke, where Landlock knows signals. */
void lsm_scope(void);

/* In a subreaper: kills its children, or at a stroke all descendants.  Returns
 * whether they can be found. */
bool lsm_kill_children(void);

/* The same where /proc does not tell of them: asks the kernel about numbers
 * that a process can have until it has found at least one. */
void lsm_search_children(void);

/* In a subreaper: kills every descendant, as often as new ones appear: at a
 * stroke there are none, as no process is made while the kernel does that. */
void lsm_kill_all(void);

#endif
