/* SPDX-License-Identifier: ISC */
/* What the payload must not change in what is writable, and what leads
 * there. */
#ifndef ADIT_SANDBOX_MASKS_KEEP_H
#define ADIT_SANDBOX_MASKS_KEEP_H

#include "cmd/sandbox-exec/finder.h"

/* Keeps protected names (protect.h) of a writable path and of the
 * repositories below it. */
void masks_keep_path(struct finder *f, const struct policy_path *path);

/* Pins what leads to a path that is not writable inside of one that is: with
 * a directory between them that is renamed it would go elsewhere, and another
 * be in its place. */
void masks_pin_grants(struct finder *f);

/* Pins what leads to a masked file in what is writable: one sandbox would move
 * it about while another one looks for what to mask. */
void masks_pin_hidden(struct finder *f);

#endif
