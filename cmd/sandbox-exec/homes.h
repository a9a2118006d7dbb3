/* SPDX-License-Identifier: ISC */
/* Where home directories are on the host. */
#ifndef ADIT_SANDBOX_HOMES_H
#define ADIT_SANDBOX_HOMES_H

#include "cmd/sandbox-exec/policy.h"

/* Sets p->home_of; home is the caller's HOME, or NULL. */
void homes_find(struct policy *p, const char *home);

#endif
