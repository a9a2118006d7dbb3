/* SPDX-License-Identifier: ISC */
/* The skills of a session: resolved, downloaded, unpacked to
 * <workdir>/skills/NAME, and taken away at the end. */
#ifndef ADIT_WORKER_SKILL_H
#define ADIT_WORKER_SKILL_H

#include "cmd/sandbox-worker/api.h"
#include "common/jsonr.h"

enum {
	SKILL_COUNT_MAX = 500,         /* of a session */
	SKILL_ARCHIVE_MAX = 64 << 20,  /* bytes downloaded */
	SKILL_NAME_CAP = 256,          /* NAME_MAX and a NUL */
	SKILL_CALL_MS = 120000,        /* for one attempt of a call */
	SKILL_REMOVE_MS = 10000,
};

struct skills {
	struct api *api;   /* of the caller */
	int workdir_fd;    /* of the caller */
	int stop_fd;       /* when it is readable, no further one; or -1 */
	int dir_fd;        /* <workdir>/skills, -1 until it is needed */
	bool made_dir;
	size_t count;
	char (*names)[SKILL_NAME_CAP]; /* installed */
	/* Unpacks an archive into a directory: unpacker_run. */
	int (*unpack)(int archive_fd, int dir_fd, struct error *e);
};

void skills_init(struct skills *s, struct api *api, int workdir_fd);

/* Installs each of list, "agent.skills" of a session.  One that fails is
 * left out with a warning. */
void skills_install(struct skills *s, struct jsonr list);

/* Takes what was installed away, and frees. */
void skills_remove(struct skills *s);

/* The directory's name for a skill: the last component of its name without
 * white space around, or else its id.  Returns 0, or -1 if neither will
 * do. */
int skill_directory(const char *name, const char *id,
    char out[static SKILL_NAME_CAP]);

#endif
