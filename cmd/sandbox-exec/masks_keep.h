/* SPDX-License-Identifier: ISC */
/* What the payload must not change in what is writable, and what leads
 * there. */
#ifndef ADIT_SANDBOX_MASKS_KEEP_H
#define ADIT_SANDBOX_MASKS_KEEP_H

#include "cmd/sandbox-exec/finder.h"

/* Keeps a list's names in the directory fd, where the finder is; of a link,
 * what it leads to.  Unless the supervisor knows the directory, what cannot be
 * kept by a mount is watched. */
void masks_keep_names(struct finder *f, int fd, enum protect_list list);

/* Where the finder is, if it can be changed there: keeps it, or lets it be
 * changed but not moved.  Returns whether it can be changed. */
bool masks_keep_here(struct finder *f, mode_t mode);
bool masks_pin_here(struct finder *f);

/* Keeps protected names (protect.h) of a writable path and of the
 * repositories below it. */
void masks_keep_path(struct finder *f, const struct policy_path *path);

/* Keeps what home directories run or read by themselves, as far as they are in
 * what is writable or that is in them. */
void masks_keep_homes(struct finder *f);

/* Pins what leads to a path that is not writable inside of one that is: with
 * a directory between them that is renamed it would go elsewhere, and another
 * be in its place. */
void masks_pin_grants(struct finder *f);

/* Pins what leads to a masked file in what is writable: one sandbox would move
 * it about while another one looks for what to mask. */
void masks_pin_hidden(struct finder *f);

#endif
