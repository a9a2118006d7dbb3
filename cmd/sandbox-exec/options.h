/* SPDX-License-Identifier: ISC */
/* The command line of sandbox-exec, and with it the policy: defaults, then
 * the policy file, then options. */
#ifndef ADIT_SANDBOX_OPTIONS_H
#define ADIT_SANDBOX_OPTIONS_H

#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/setting.h"

enum options_mode {
	OPTIONS_COMMAND, /* run it */
	OPTIONS_EXPLAIN, /* say what would be enforced, run nothing */
	OPTIONS_SERVE,   /* many sandboxes, asked for by frames */
	OPTIONS_MCP,     /* one sandbox, its tools by MCP */
};

struct options {
	enum options_mode mode;
	char **argv;          /* the command; argv[0] NULL if there is none */
	const char *listen;   /* Unix socket to serve at; NULL: stdio */
	int ready_fd;         /* -1: none */
	int status_fd;        /* -1: none */
	int64_t sandboxes_max, call_ms_max;
	bool audit_input;
	bool json;            /* for explain and diff */
	bool diff, commit, discard; /* of overlays, in this order */
	const char *changes;  /* directory that keeps overlays' changes; NULL:
			       * they are gone at the end */
	const char *audit;    /* file, or NULL */
	const char *netns;    /* the network to use, or NULL */
	struct setting_target target; /* the policy's, for options_extend */
	struct policy policy;

	/* What is long is last. */
	char cwd[PATH_LEN], home[PATH_LEN];
	/* Where these two are, without links, or "". */
	char listen_place[PATH_LEN], audit_place[PATH_LEN];
};

/* Fills *ret, once: what it holds lasts as long as the process.  Prints what
 * --help and --version ask for (OPT_DONE), and everything that is wrong
 * (OPT_INVALID: the exit status is EXIT_SANDBOX). */
enum opt_result options_parse(int argc, char **argv, struct options *ret);

/* Takes settings of one sandbox, the keys of a policy file as JSON, into the
 * policy that the command line has made.  "env" takes no values from the
 * environment.  Empty settings are none.  Returns 0, or -1 with a text; the
 * policy is then of no use. */
int options_extend(struct options *o, struct bytes settings,
    struct error *e);

#endif
