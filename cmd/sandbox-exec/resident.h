/* SPDX-License-Identifier: ISC */
/* How much memory the processes of a sandbox have, where no control group
 * counts it: looked at from outside, from time to time. */
#ifndef ADIT_SANDBOX_RESIDENT_H
#define ADIT_SANDBOX_RESIDENT_H

#include <stdint.h>
#include <sys/types.h>

enum {
	RESIDENT_PROCESSES_MAX = 16384,
	RESIDENT_PERIOD_MS = 200, /* between two looks, at least */
	RESIDENT_SHARE = 20,      /* a look takes one part of so many of the
				 * time, at most */
};

/* The bytes that init's descendants have for themselves: resident and not
 * shared with a file.  Those that come or go meanwhile may be missed.  proc_fd:
 * a /proc where init's pid is pid. */
int64_t resident_bytes(int proc_fd, pid_t pid);

#endif
