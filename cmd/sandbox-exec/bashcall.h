/* SPDX-License-Identifier: ISC */
/* What the tool bash is called with and what it answers: the texts and rules
 * of agent_toolset_20260401.  Pure. */
#ifndef ADIT_SANDBOX_BASHCALL_H
#define ADIT_SANDBOX_BASHCALL_H

#include "cmd/sandbox-exec/shell.h"

struct bashcall {
	bool restart;
	bool has_command;
	struct buf command;
	int64_t timeout_ms; /* 0: not given */
};

/* Reads the input of a call.  A value of the wrong type counts as absent.
 * Returns 0, to be freed with bashcall_done; or -1 with the text that the call
 * is answered with. */
int bashcall_parse(struct bytes input, struct bashcall *ret,
    struct error *e);
void bashcall_done(struct bashcall *c);

/* Appends the text of a result, never empty; ms is how long the command was
 * given, was_short what box_was_short says.  Returns whether it tells an
 * error. */
bool bashcall_format(const struct shell_result *r, int64_t ms, bool was_short,
    struct buf *out);

#endif
