/* SPDX-License-Identifier: ISC */
/* The tools that an agent calls by name, the set agent_toolset_20260401: bash,
 * which the session runs, and the file tools read, write, edit, glob and grep,
 * which run here: in a process of their own inside the sandbox, with the
 * rights of the payload, one call at a time, blocking.
 *
 * The file tools reach what is below the roots and nothing else, whatever the
 * payload does to links and directories meanwhile.  sandbox-exec(1), TOOLS. */
#ifndef ADIT_SANDBOX_TOOLSET_H
#define ADIT_SANDBOX_TOOLSET_H

#include "common/buf.h"
#include "common/error.h"

enum {
	TOOL_ROOTS_MAX = 264,     /* workdir and every path of a policy */
	TOOL_INPUT_MAX = 8 << 20, /* JSON of one call */
	TOOL_TEXT_MAX = 1 << 20,  /* of a result: what read may return, with
				   * every byte replaced by U+FFFD */
	TOOL_TIME_MS = 60000,     /* a file tool ends itself after this */
};

/* A directory, or a single file, that the tools may touch. */
struct tool_root {
	char *path;      /* canonical; where it is inside */
	int fd;          /* O_PATH */
	bool read_only;
	bool directory;
};

/* at[0] is the working directory.  What is in several roots belongs to the
 * innermost, of equal ones to the last. */
struct tool_roots {
	struct tool_root at[TOOL_ROOTS_MAX];
	size_t count;
	const char *search; /* PATH to find rg in; NULL: never.  Not owned */
};

void tool_roots_init(struct tool_roots *r);

/* Opens path, absolute, with its links resolved.  Returns 0, or -1 with a
 * text. */
int tool_roots_add(struct tool_roots *r, const char *path, bool read_only,
    struct error *e);
void tool_roots_done(struct tool_roots *r);

struct tool {
	const char *name, *title;
	const char *description; /* for the model */
	const char *schema;      /* of the input, JSON Schema 2020-12 */
	bool read_only;          /* hints of MCP tools/list */
	bool destructive;
	bool idempotent;
	bool open_world;
};

/* All six, bash first, in the order they are listed in. */
const struct tool *tool_table(size_t *ret_count);

/* The tool of this name, or NULL. */
const struct tool *tool_find(const char *name);

/* Runs a file tool.  input is the call's JSON object; out, of a cap of at
 * least TOOL_TEXT_MAX, gets the text, which is UTF-8 and may be empty.
 * Returns whether the text tells an error.  May block, but not for longer
 * than TOOL_TIME_MS and what the file system takes for one call. */
bool tool_run(const struct tool_roots *roots, const char *name,
    struct bytes input, struct buf *out);

#endif
