/* SPDX-License-Identifier: ISC */
/* Removes what a payload has made, however deep it is and whatever rights it
 * has taken from itself.  Follows no link and leaves no mount. */
#ifndef ADIT_SANDBOX_REMOVAL_H
#define ADIT_SANDBOX_REMOVAL_H

enum { REMOVAL_DEPTH = 64 }; /* directories open at once */

/* Removes dir_fd/name and all that is below it.  Nobody else may change it
 * meanwhile.  Returns 0, or -1 with errno, ENOENT if nothing is there. */
int removal_remove(int dir_fd, const char *name);

#endif
