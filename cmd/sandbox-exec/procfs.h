/* SPDX-License-Identifier: ISC */
/* The sandbox's /proc: its own processes and nothing else, or with what
 * programs want to know of the machine. */
#ifndef ADIT_SANDBOX_PROCFS_H
#define ADIT_SANDBOX_PROCFS_H

#include "cmd/sandbox-exec/policy.h"

/* In init, in its process namespace: makes the file system and what covers
 * parts of it.  proc_place: the name of a directory below root_fd.  Returns 0;
 * 1 if the kernel refuses it, because an outer container masks parts of its
 * own; or -1 with errno. */
int procfs_attach(int root_fd, const char *proc_place, enum policy_proc what);

#endif
