/* SPDX-License-Identifier: ISC */
/* Hides what is known to be secret: credentials in home directories, files of
 * the system, sockets that stand for all of the host. */
#ifndef ADIT_SANDBOX_MASKS_DEFAULT_H
#define ADIT_SANDBOX_MASKS_DEFAULT_H

#include "cmd/sandbox-exec/finder.h"

void masks_hide_defaults(struct finder *f);

#endif
