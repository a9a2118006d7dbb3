/* SPDX-License-Identifier: ISC */
/* Covers files that the payload must not read (credentials) or change
 * (a repository's hooks, start-up files). */
#ifndef ADIT_SANDBOX_MASK_H
#define ADIT_SANDBOX_MASK_H

#include "cmd/sandbox-exec/tree.h"

/* In init, when everything is attached: masks by default and by the policy.
 * Returns 0, or -1 with a text. */
int mask_all(struct tree *t, const struct policy *p, struct error *e);

#endif
