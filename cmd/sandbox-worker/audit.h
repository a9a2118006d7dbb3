/* SPDX-License-Identifier: ISC */
/* The audit file: one line of JSON for each tool call, and for each decision
 * that a sandbox made about one.  It holds the digest of a call's input; the
 * input itself only if that was asked for. */
#ifndef ADIT_WORKER_AUDIT_H
#define ADIT_WORKER_AUDIT_H

#include "common/bytes.h"
#include "common/error.h"

enum { AUDIT_INPUT_MAX = 65536 }; /* bytes of an input that are shown */

struct audit {
	int fd;           /* -1: none */
	bool torn;        /* the last line is not whole */
	bool input;
	const char *environment_id, *work_id, *session_id;
};

struct audit_call {
	const char *tool, *id;
	struct bytes input;
	const char *verdict;  /* "allow", "confirmed", "refused", ... */
	bool is_error, timed_out;
	int64_t exit;         /* -1: none */
	int64_t duration_ms;
	size_t bytes;         /* of the result's text */
};

/* Opens path, which may not lie below dir or other ("" for none), to append to
 * it.  path NULL: none.  The ids are set by the caller.  Returns 0 or -1 with
 * a text. */
int audit_open(struct audit *a, const char *path, const char *dir,
    const char *other, struct error *e);
void audit_close(struct audit *a);

/* Returns 0, or -1 with errno. */
int audit_write(struct audit *a, const struct audit_call *c);

/* Writes a line of a sandbox's own audit with our ids, if its event is a
 * decision, and no line that says whose it is.  Returns 0, or -1 with
 * errno. */
int audit_copy(struct audit *a, struct bytes line);

#endif
