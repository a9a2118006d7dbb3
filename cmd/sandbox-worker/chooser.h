/* SPDX-License-Identifier: ISC */
/* The process that runs an operator's jq program to choose the policy of a
 * session.  It has no credential, a limit of its time and one of its memory,
 * and while it runs heartbeats go on. */
#ifndef ADIT_WORKER_CHOOSER_H
#define ADIT_WORKER_CHOOSER_H

#include <ev.h>

#include "cmd/sandbox-worker/work.h"
#include "common/bytes.h"
#include "common/error.h"

enum {
	CHOOSER_MS = 5000,               /* for the program, start and end */
	CHOOSER_MEMORY_MAX = 512 << 20,  /* bytes of address space */
	CHOOSER_PROGRAM_MAX = 65536,
	CHOOSER_POLICY_MAX = 12288,      /* bytes of what it gives */
};

struct chooser;

/* Once, and not from inside chooser_start: the policy, a JSON object, or e. */
typedef void chooser_done(void *user, struct bytes policy,
    const struct error *e);

/* Starts the program in file on {session, work, environment_id}; session is
 * a JSON object.  ev is the default loop, for ev_child.  Returns NULL with
 * a text. */
struct chooser *chooser_start(struct ev_loop *ev, const char *file,
    struct bytes session, const struct work *work, chooser_done *done,
    void *user, struct error *e);

/* Kills what still runs; done is not called.  Not from inside done, which
 * ends with it.  c may be NULL. */
void chooser_free(struct chooser *c);

/* The process ("sandbox-worker choose"): the order is on standard input, the
 * policy or the text of a failure goes to standard output. */
int chooser_main(void);

#endif
