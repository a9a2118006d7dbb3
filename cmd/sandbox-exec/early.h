/* SPDX-License-Identifier: ISC */
/* Init, started before the policy is known.  What takes the kernel longest,
 * the namespaces and above all the network's, is the same for nearly every
 * command: it is made while the command line is read.
 *
 * Init shares the supervisor's memory and descriptors until the payload runs.
 * Before the policy is there it calls nothing that sets errno; then the
 * supervisor waits for it (confine_start).  Where this does not work, or the
 * policy turns out to want something else, it is killed, and confine_start
 * begins anew in the ordinary way, which tells what is wrong. */
#ifndef ADIT_SANDBOX_EARLY_H
#define ADIT_SANDBOX_EARLY_H

#include "cmd/sandbox-exec/init.h"

/* Starts it, unless the words of the command line look as if it would be of
 * no use. */
void early_start(char *const *argv);

enum early_taking {
	EARLY_NONE,  /* there is none of use */
	EARLY_TAKEN, /* the confine has it */
	EARLY_LOST,  /* the ids that this takes could not be given back, and
		      * nothing may go on; with errno */
};

/* Gives it the policy, if what args ask for can be had this way.  What was not
 * begun early begins now. */
enum early_taking early_take(struct init_args *a, struct confine *c);

/* It runs the payload, or has ended: closes what it had of ours.  Returns
 * whether it had begun with the tree, which nobody can use then; the command
 * may have run. */
bool early_taken(void);

/* Kills it if nobody has taken it. */
void early_cancel(void);

#endif
