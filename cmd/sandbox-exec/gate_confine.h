/* SPDX-License-Identifier: ISC */
/* The gate's own cage: it reads what the sandbox sends. */
#ifndef ADIT_SANDBOX_GATE_CONFINE_H
#define ADIT_SANDBOX_GATE_CONFINE_H

#include "cmd/sandbox-exec/confine.h"

enum { GATE_FDS_MAX = CONFINE_LISTENERS_MAX + 2 };

/* In the child: closes every descriptor but keep (-1 ones are skipped), lets
 * stdio be /dev/null, and ends with the process parent.  Returns 0, or -1
 * with errno. */
int gate_confine_fds(const int *keep, size_t count);

/* Gives up for good: root's ids, capabilities, every file but what resolving
 * names needs, every system call but those for sockets of the Internet and
 * files that are read.  Ends with the process parent.  Returns 0, or -1 with
 * errno. */
int gate_confine(pid_t parent);

#endif
