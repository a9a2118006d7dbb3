/* SPDX-License-Identifier: ISC */
/* The process that becomes the payload: gives up everything, in the order
 * that the kernel needs, and executes the command. */
#ifndef ADIT_SANDBOX_PAYLOAD_H
#define ADIT_SANDBOX_PAYLOAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

struct init_args;
struct landlock;

struct payload {
	struct init_args *args;
	struct landlock *landlock;
	int code;            /* exit status if it could not; 0: it could */
	struct error failed; /* and why */
};

/* The steps, in this order; the next when one has returned 0, not -1.
 * payload_execute returns only if it fails.  p->failed tells why. */
int payload_give_up(struct payload *p);
int payload_restrict(struct payload *p);
int payload_execute(struct payload *p);

/* All of it in a new process, from init or another one in the sandbox.
 * Returns its pid; or -1 with a text and e->code EXIT_SANDBOX, EXIT_NOT_FOUND
 * or EXIT_NOT_EXECUTABLE. */
pid_t payload_start(struct init_args *a, struct landlock *l, struct error *e);

/* How many capabilities this kernel has. */
unsigned payload_capabilities(void);

/* Keeps whatever the caller executes from ever having one of them; the caller
 * keeps its own. */
void payload_bound_capabilities(unsigned count);

/* Drops every capability of the caller for good.  Returns 0, or -1 with
 * errno. */
int payload_drop_capabilities(void);

#endif
