/* SPDX-License-Identifier: ISC */
/* What the processes of stdio upstreams started and left: daemons that have
 * a session of their own, so that no signal to a group reaches them.  Whose
 * they are is told by a variable that they inherited; who has taken that out
 * of its environment is left alone, as is what was never ours. */
#ifndef ADIT_MCP_PROXY_STRAY_H
#define ADIT_MCP_PROXY_STRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STRAY_VARIABLE "MCP_PROXY_PROCESS"

enum {
	STRAY_MARK_LEN = 32,              /* hexadecimal digits: 128 bits */
	STRAY_WORD_LEN = STRAY_MARK_LEN + 48,
	STRAY_ENVIRONMENT_MAX = 16 << 10, /* bytes that are looked at */
	STRAY_LIST_MAX = 8 << 10,         /* bytes of pids, at a time */
	STRAY_WAIT_MS = 10,               /* for those that were killed, */
	STRAY_WAITS = 100,                /* so often */
};

/* Who may stay. */
struct stray_rules {
	char mark[STRAY_MARK_LEN + 1]; /* of this mcp-proxy; "": there are no
	                                * strays */
	bool (*is_process)(void *user, pid_t pid);
	bool (*is_running)(void *user, uint64_t serial);
	void *user;
};

/* Has processes whose parent ended become our children, and makes the mark. */
void stray_init(struct stray_rules *r);

/* Writes the variable for the process with this serial. */
void stray_format(const struct stray_rules *r, uint64_t serial,
    char out[static STRAY_WORD_LEN]);

/* Kills strays of processes that have ended, and collects what has ended.
 * Returns how many were killed and not collected. */
size_t stray_sweep(const struct stray_rules *r);

/* The same until there are none.  May block, up to STRAY_WAITS times
 * STRAY_WAIT_MS. */
void stray_end_all(const struct stray_rules *r);

#endif
