/* SPDX-License-Identifier: ISC */
/* The directories of a session on the host, and the policy that shows them in
 * its sandbox. */
#ifndef ADIT_PLACE_H
#define ADIT_PLACE_H

#include <limits.h>

#include "cmd/sandbox-worker/content.h"
#include "cmd/sandbox-worker/secret_file.h"
#include "cmd/sandbox-worker/settings.h"
#include "common/buf.h"

enum { PLACE_POLICY_MAX = 12288, PLACE_MADE_MAX = 32 };

struct place {
	int lock_fd;             /* of the working directory, -1: none */
	char host[PATH_MAX];     /* the working directory */
	char inside[PATH_MAX];   /* its name in the sandbox */
	char outputs[PATH_MAX];  /* "" if there are none */
	char masks[SECRET_FILES_MAX][PATH_MAX]; /* patterns */
	size_t mask_count;
	char state[PATH_MAX];    /* private, for this process; "" for none */
	int state_fd;            /* holds it, see leftover.h */
	/* Directories in host that were made to mount something on. */
	char made[PLACE_MADE_MAX][PATH_MAX];
	size_t made_count;
};

/* Finds or makes the directories that are shown.  Returns 0 or -1 with a text. */
int place_open(struct place *p, const struct settings *s,
    const char *session_id, struct error *e);

/* Has the working directory for this process alone, until place_close.
 * Returns 1 then, 0 if another one has it, or -1 with a text. */
int place_lock(struct place *p, struct error *e);

/* Makes the private directory.  Returns 0 or -1 with a text. */
int place_make_state(struct place *p, const struct settings *s,
    struct error *e);

/* Makes the directory for a mount, if it lies in the working directory, where
 * links lead nowhere.  Returns 0 or -1 with a text. */
int place_make_mount(struct place *p, const char *inside, struct error *e);

/* Removes what is private to this process, and directories that were made for
 * mounts. */
void place_close(struct place *p);

/* A name for a file from any id: the id itself if it is harmless, else
 * a digest. */
void place_name(const char *id, char out[static 80]);

/* Writes the policy of a session: base, a JSON object of an operator's
 * program ("{}" for none), with the directories added. */
int place_write_policy(const struct place *p, struct bytes base,
    const struct content_mount *mounts, size_t count, struct buf *out,
    struct error *e);

#endif
