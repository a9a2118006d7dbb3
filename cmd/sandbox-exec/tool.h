/* SPDX-License-Identifier: ISC */
/* What the file tools share: one call, its input, and the texts of errors.
 * A function that returns bool returns whether the result is an error. */
#ifndef ADIT_SANDBOX_TOOL_H
#define ADIT_SANDBOX_TOOL_H

#include "cmd/sandbox-exec/tool_path.h"
#include "common/jsonr.h"

enum {
	TOOL_FILE_MAX = 262144, /* bytes that read and edit take */
};

struct tool_call {
	const struct tool_roots *roots;
	const char *tool;     /* its name begins its errors */
	struct jsonr input;
	struct buf *out;
	int64_t deadline_ms;  /* clock_ms */
};

/* Puts the text of an error in place of what out holds.  Returns true. */
bool tool_fail(struct tool_call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "tool: [what]file: the meaning of code", the words of the tool set. */
bool tool_fail_file(struct tool_call *c, const char *what, const char *file,
    int code);

/* Says that the text became too long for out, or that memory is short. */
bool tool_fail_memory(struct tool_call *c);

/* Takes a string of the input, which may be absent or empty unless needed is
 * set.  Returns whether the result is an error. */
bool tool_get(struct tool_call *c, const char *key, bool needed,
    struct buf *ret);

/* The same for a path, as a C string. */
bool tool_get_path(struct tool_call *c, const char *key, bool needed,
    char ret[static PATH_MAX]);

/* Finds given, which must be inside the roots. */
bool tool_find_path(struct tool_call *c, const char *given,
    struct tool_path *ret);

/* Opens the regular file that given is, to read; write says that it is going
 * to be replaced.  too_large is the format of the error for a file above
 * TOOL_FILE_MAX bytes (tool, file, size), NULL if any size will do.
 * The caller closes *ret_fd and ret. */
bool tool_open_file(struct tool_call *c, const char *given, bool write,
    struct tool_path *ret, int *ret_fd);

/* Whether p is in a read-only root; the result is then an error. */
bool tool_is_read_only(struct tool_call *c, const char *given,
    const struct tool_path *p);

/* Puts data in place of the file that p is, or would be, with the
 * directories above it.  Returns 0 or an errno; EAGAIN if what p is has
 * changed. */
int tool_replace(const struct tool_path *p, struct bytes data);

bool tool_read(struct tool_call *c);
bool tool_write(struct tool_call *c);
bool tool_edit(struct tool_call *c);
bool tool_glob(struct tool_call *c);
bool tool_grep(struct tool_call *c);

#endif
