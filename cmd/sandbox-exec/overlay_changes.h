/* SPDX-License-Identifier: ISC */
/* What a payload changed in an overlay: found by a walk of the upper only,
 * and made on the host. */
#ifndef ADIT_SANDBOX_OVERLAY_CHANGES_H
#define ADIT_SANDBOX_OVERLAY_CHANGES_H

#include <sys/stat.h>

#include "cmd/sandbox-exec/overlay.h"

enum {
	CHANGES_MAX = 1 << 20,
	CHANGES_DEPTH_MAX = 256,
};

enum change_kind { CHANGE_DELETED, CHANGE_ADDED, CHANGE_MODIFIED };

/* Why a change cannot be made. */
enum change_problem {
	CHANGE_FINE,
	CHANGE_PROTECTED, /* its name is, or one below it */
	CHANGE_CONFLICT,  /* the host's file is not what it was at the start */
	CHANGE_GONE,      /* it is no longer there */
	CHANGE_UNREADABLE,
	CHANGE_SPECIAL,   /* no file, directory or link */
};

struct change {
	enum change_kind kind;
	enum change_problem problem;
	mode_t mode;         /* new; of a deletion, old */
	struct stat was;     /* the host's file; not for CHANGE_ADDED */
	char *path;          /* relative */
	size_t stage_len;    /* of the path where it is staged, see overlay_stage */
	bool staged;
};

struct changes {
	struct change *at; /* deletions first, then by path */
	size_t count, size;
	bool cut; /* not all repositories there were looked for */
};

/* Returns 0, to be freed with changes_done; or -1 with a text. */
int changes_find(const struct overlay *o, struct changes *ret,
    struct error *e);
void changes_done(struct changes *c);

/* Writes a line for each to standard output: "D", "A" or "M", a tab and the
 * path, or a JSON object.  Returns 0, or -1 with errno. */
int changes_print(const struct overlay *o, const struct changes *c,
    bool json);

/* Makes the changes on the host: none if one has a problem or there is no room
 * for all, each by a rename that nobody sees half of.  Set-id bits,
 * capabilities and other attributes are not kept, but for the access list of a
 * file of the host's.  Returns 0, or -1 with a text. */
int changes_commit(const struct overlay *o, const struct changes *c,
    struct error *e);

/* "a protected name"; NULL for CHANGE_FINE. */
const char *changes_problem(enum change_problem problem);

#endif
