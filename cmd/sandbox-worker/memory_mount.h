/* SPDX-License-Identifier: ISC */
/* Where the memory stores of a session go: read from its resources and
 * judged.  No store is fetched here. */
#ifndef ADIT_WORKER_MEMORY_MOUNT_H
#define ADIT_WORKER_MEMORY_MOUNT_H

#include "cmd/sandbox-worker/memory_store.h"
#include "common/jsonr.h"

enum {
	MEMORY_STORES_MAX = 8,      /* of a session */
	MEMORY_MOUNT_CAP = 1024,
};

struct memory_mount {
	char id[MEMORY_STORE_ID_CAP], name[MEMORY_STORE_NAME_CAP];
	char inside[MEMORY_MOUNT_CAP]; /* path in the sandbox */
	bool read_only;
};

/* Reads the stores among resources, an array or absent.  inside is where the
 * sandbox shows its working directory.  Returns how many there are, or -1
 * with a text. */
int memory_mounts_parse(struct jsonr resources, const char *inside,
    struct memory_mount ret[static MEMORY_STORES_MAX], struct error *e);

#endif
