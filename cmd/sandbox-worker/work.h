/* SPDX-License-Identifier: ISC */
/* A work item as the queue hands it out.  Pure. */
#ifndef ADIT_WORK_H
#define ADIT_WORK_H

#include "common/bytes.h"
#include "common/error.h"

enum {
	WORK_ID_MAX = 257,         /* of any id, with the NUL */
	WORK_SECRET_MAX = 32769,
	WORK_ANSWER_MAX = 1 << 20, /* bytes of an answer about work */
};

struct work {
	char id[WORK_ID_MAX];
	char environment_id[WORK_ID_MAX];
	char type[WORK_ID_MAX];       /* "session", "healthcheck", ... */
	char session_id[WORK_ID_MAX]; /* the id in data */
	char secret[WORK_SECRET_MAX]; /* "" if there is none */
};

/* Reads the body of a poll.  environment_id: what is assumed if the item says
 * none.  Returns 1 and the item; 0 if the queue is empty; -1 with a text. */
int work_parse(struct bytes body, const char *environment_id,
    struct work *ret, struct error *e);

/* Whether text can be an id: not empty, shorter than WORK_ID_MAX, no control
 * bytes or spaces. */
bool work_is_id(const char *text);

#endif
