/* SPDX-License-Identifier: ISC */
/* Who the payload is, inside and on the host. */
#ifndef ADIT_SANDBOX_OWNER_H
#define ADIT_SANDBOX_OWNER_H

#include <stdbool.h>

#include "cmd/sandbox-exec/ids.h"

enum { OWNER_UID = 1000 }; /* inside, when the caller is root */

struct owner {
	struct ids inside, host;
	bool map; /* the host's are not the caller's */
};

/* The caller; or, when that is root, an id that nobody else has.  Returns 0,
 * or -1 when there is no other than root's. */
int owner_choose(struct owner *o);

#endif
