/* SPDX-License-Identifier: ISC */
/* What an operator can do about what is degraded. */
#ifndef ADIT_SANDBOX_REMEDY_H
#define ADIT_SANDBOX_REMEDY_H

#include "cmd/sandbox-exec/confine.h"

/* A static sentence for a degraded feature, or NULL if there is nothing to be
 * done or it goes with another.  proc_fd: the host's /proc, where the settings
 * are looked at. */
const char *remedy_find(const struct confine_degraded *d, int proc_fd);

#endif
