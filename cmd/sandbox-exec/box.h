/* SPDX-License-Identifier: ISC */
/* A sandbox that lives on, as the supervisor sees it: it is built by a keeper
 * (keeper.h), stands without a command, and takes commands by and by.
 *
 * No handler is called from inside a function of this header.  From inside
 * a handler everything may be called, box_free too. */
#ifndef ADIT_SANDBOX_BOX_H
#define ADIT_SANDBOX_BOX_H

#include <ev.h>

#include "cmd/sandbox-exec/zygote.h"
#include "common/idmap.h"

/* What stands. */
struct box_facts {
	const char *workdir;     /* inside */
	struct bytes isolation;  /* a JSON object; see status.h */
	int64_t time_ms;         /* of the policy, 0: none */
	int64_t files;           /* open descriptors of a process, 0: no
				  * limit */
};

struct box;

struct box_events {
	/* Commands can be started. */
	void (*ready)(void *user, const struct box_facts *facts);
	/* Nothing of it is left: it could not be built (why says it), or has
	 * ended.  Its commands were ended before.  Once; the box remains to
	 * be freed.  hit: limits, bits 1 << enum limit_kind. */
	void (*gone)(void *user, const struct error *why, unsigned hit);
};

/* How a command ended. */
struct box_end {
	bool ran;           /* there is a wait_status */
	struct error error; /* why it did not; code is 125 to 127 */
	int wait_status;
};

struct box_command;

struct box_command_events {
	void (*started)(struct box_command *c);
	/* It has ended, and everything it had started; or it did not run. */
	void (*ended)(struct box_command *c, const struct box_end *end);
};

/* Embedded in what its owner knows of a command. */
struct box_command {
	struct box *box; /* NULL: it does not run */
	uint32_t id;
	const struct box_command_events *events;
};

/* What to start; descriptors stay the caller's. */
struct box_spawn {
	char *const *argv; /* NULL: the file tools' process */
	char *const *env;  /* variables before the policy's; NULL: none */
	int fds[3];        /* stdin, stdout, stderr */
	int extra_fd;      /* one more, -1: none */
	int extra_to;      /* its number inside */
};

/* Has a sandbox built: with settings of its own, JSON or empty, and the id
 * that it has in the audit.  Returns it, or NULL with a text. */
struct box *box_open(struct ev_loop *loop, struct zygote *z,
    struct bytes settings, const char *id, const struct box_events *events,
    void *user, struct error *e);

/* Starts a command once the box is ready; c tells how it goes.  Returns 0, or
 * -1 with a text: nothing will be told. */
int box_spawn(struct box *b, struct box_command *c,
    const struct box_spawn *how, struct error *e);

/* Whether commands can be started: it was ready, and neither has ended nor is
 * to end; gone may still have to be told. */
bool box_stands(const struct box *b);

/* Whether the kernel has killed a process of it for want of memory since this
 * was last asked. */
bool box_was_short(struct box *b);

/* Says that a sandbox has ended, and why if that is known; hit as in gone. */
const char *box_end_text(unsigned hit);

/* Ends a command and all that it has started. */
void box_kill(struct box_command *c);

/* Lets nothing more be told of c, and ends it. */
void box_forget(struct box_command *c);

/* A pipe whose ends the payload may open again by name (/dev/stdout).  Our
 * end, ret[1] with write and else ret[0], does not block.  Returns 0, or -1
 * with errno. */
int box_pipe(const struct box *b, bool write, int ret[static 2]);

/* Kills everything in it; gone tells when that is done. */
void box_stop(struct box *b);

/* Kills everything in it and tells nothing more.  NULL is no box. */
void box_free(struct box *b);

#endif
