/* SPDX-License-Identifier: ISC */
/* The record of what a sandbox did: one JSON object a line, appended by one
 * write(2), in a file that only processes outside hold. */
#ifndef ADIT_SANDBOX_AUDIT_H
#define ADIT_SANDBOX_AUDIT_H

#include "cmd/sandbox-exec/policy.h"
#include "common/jsonw.h"

struct audit {
	int fd; /* -1: nobody wants to know; every call is then a no-op */
	struct buf line;
	struct jsonw w;
	char id[17]; /* of this run, in every line */
	bool torn;   /* the file ends with a part of a line */
	bool failed; /* and somebody was told */
};

/* Opens path, or nothing for NULL.  Refuses a file that the payload could
 * write.  Returns 0, or -1 with a text. */
int audit_open(struct audit *a, const char *path, const struct policy *p,
    struct error *e);

/* Starts a line: {"time":...,"run":...,"event":event; the caller adds members
 * to a->w. */
void audit_begin(struct audit *a, const char *event);

/* Ends the line and writes it.  Returns 0, or -1 with errno, of which the
 * first is told on standard error. */
int audit_end(struct audit *a);

void audit_close(struct audit *a);

#endif
