/* SPDX-License-Identifier: ISC */
/* A claimed item as the dispatcher hands it to the process that does it:
 * a JSON object on a descriptor, so that nothing secret is in arguments or
 * environment.  Pure but for secrets being wiped. */
#ifndef ADIT_CLAIM_H
#define ADIT_CLAIM_H

#include <limits.h>

#include "cmd/sandbox-worker/api.h"
#include "cmd/sandbox-worker/secret_file.h"
#include "cmd/sandbox-worker/work.h"

enum { CLAIM_MAX = 65000 }; /* bytes; a pipe takes 65536 at once */

struct claim {
	struct work work;
	char key[API_SECRET_MAX];      /* of the environment, or "" */
	char headers[API_SECRET_MAX];  /* for all calls, or "" */
	char files[SECRET_FILES_MAX][PATH_MAX]; /* that hold secrets */
	size_t file_count;
};

/* What goes with an item; each may be NULL. */
struct claim_keys {
	const char *key, *headers;
};

/* Writes the item, and which files hold secrets (secret_file.h).  Returns 0 or -1 with ENOBUFS. */
int claim_write(struct buf *out, const struct work *work,
    const struct claim_keys *keys);

/* Reads one.  Returns 0 or -1 with a text. */
int claim_read(struct bytes in, struct claim *ret, struct error *e);

#endif
