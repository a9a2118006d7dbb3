/* SPDX-License-Identifier: ISC */
/* The process that every long-lived sandbox descends from.  It is forked
 * before the program has read a byte from anybody, so that no sandbox can hold
 * a copy of what belongs to another one: the keepers that it forks, one for
 * each sandbox, know the command line and what they are told themselves. */
#ifndef ADIT_SANDBOX_ZYGOTE_H
#define ADIT_SANDBOX_ZYGOTE_H

#include "cmd/sandbox-exec/keeper.h"

/* Who serves says this and ends: another one could not be forked any more. */
#define ZYGOTE_GONE "the process that builds sandboxes was killed"

struct zygote {
	int fd; /* -1: none; readable when it was killed */
	pid_t pid;
};

/* Starts it.  Returns 0, or -1 with a text. */
int zygote_start(struct zygote *z, struct options *o,
    const struct audit *audit, protect_found *found, struct error *e);

/* Has a keeper forked.  Returns our end of the channel to it, which does not
 * block, or -1 with errno. */
int zygote_fork(struct zygote *z);

/* Waits until every keeper, and so every sandbox, has gone; each has to be
 * left before. */
void zygote_stop(struct zygote *z);

#endif
