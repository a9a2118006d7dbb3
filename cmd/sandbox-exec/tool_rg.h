/* SPDX-License-Identifier: ISC */
/* ripgrep, if the sandbox has it in a place that the payload did not choose.
 * It opens files by their paths, and the payload may turn a directory into a
 * link meanwhile, so Landlock holds it to the roots and to where programs and
 * libraries are; without Landlock it is not used. */
#ifndef ADIT_SANDBOX_TOOL_RG_H
#define ADIT_SANDBOX_TOOL_RG_H

#include "cmd/sandbox-exec/tool.h"
#include "common/landlock.h"

enum { TOOL_GREP_OUTPUT_MAX = 102400 };

struct tool_rg {
	char path[PATH_MAX]; /* of the program, without links */
	struct landlock landlock;
};

/* Finds the first executable rg in roots->search that is in no root, or in a
 * read-only one.  Returns 0, or -1 if there is none that may be used. */
int tool_rg_open(struct tool_rg *rg, const struct tool_roots *roots);
void tool_rg_close(struct tool_rg *rg);

/* Searches what p is, a file or directory.  Returns whether the result is an
 * error. */
bool tool_rg_run(struct tool_rg *rg, struct tool_call *c,
    struct bytes pattern, const struct tool_path *p);

#endif
