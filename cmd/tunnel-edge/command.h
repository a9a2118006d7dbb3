/* SPDX-License-Identifier: ISC */
/* The sub-commands of tunnel-edge.  Each takes main's arguments, its own
 * options beginning at argv[2], reports its errors, and returns the exit
 * status. */
#ifndef ADIT_COMMAND_H
#define ADIT_COMMAND_H

#include "common/opt.h"

extern const struct opt_command init_options, add_options, limit_options,
    rotate_options, revoke_options, list_options, run_options;

int command_init(int argc, char **argv);
int command_add(int argc, char **argv);
int command_limit(int argc, char **argv);
int command_rotate(int argc, char **argv);
int command_revoke(int argc, char **argv);
int command_list(int argc, char **argv);
int command_run(int argc, char **argv);

#define COMMAND_STATE_ENV "TUNNEL_EDGE_STATE"

/* The option of every sub-command; FIELD gives the offset of a setting. */
#define COMMAND_STATE_ROW(help) \
	{0, "state", "DIR", OPT_STRING, FIELD(state), 0, 0, COMMAND_STATE_ENV, \
	    help}

/* Prints e and returns EXIT_FAILED. */
int command_failed(const struct error *e);

struct command_operands {
	char **at;
	int count;
};

/* Parses the options of c, which include "--state".  Returns OPT_RUN, or
 * another result with the exit status in *ret_status. */
enum opt_result command_parse(const struct opt_command *c, int argc,
    char **argv, void *settings, const char *const *state,
    struct command_operands *ret, int *ret_status);

#endif
