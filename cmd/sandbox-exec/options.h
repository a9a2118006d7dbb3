/* SPDX-License-Identifier: ISC */
/* The command line of sandbox-exec, and with it the policy: defaults, then
 * the policy file, then options. */
#ifndef ADIT_SANDBOX_OPTIONS_H
#define ADIT_SANDBOX_OPTIONS_H

#include "cmd/sandbox-exec/policy.h"

struct options {
	struct policy policy;
	char **argv;          /* the command; argv[0] NULL if there is none */
	bool explain;         /* say what would be enforced, run nothing */
	bool json;            /* for explain and diff */
	bool diff, commit, discard; /* of overlays, in this order */
	const char *changes;  /* directory that keeps overlays' changes; NULL:
			       * they are gone at the end */
	const char *audit;    /* file, or NULL */
	const char *netns;    /* the network to use, or NULL */
	int status_fd;        /* -1: none */
};

/* Fills *ret, to be freed with options_done in any case.  Prints what --help
 * and --version ask for (OPT_DONE), and everything that is wrong
 * (OPT_INVALID: the exit status is EXIT_SANDBOX). */
enum opt_result options_parse(int argc, char **argv, struct options *ret);
void options_done(struct options *o);

#endif
