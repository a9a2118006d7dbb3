/* SPDX-License-Identifier: ISC */
/* The system calls that the payload may not make: the filters are made at
 * build time by generate/filter.c.  A refused call gets an error that
 * programs expect; a call of another architecture's ABI kills. */
#ifndef ADIT_SANDBOX_SECCOMP_H
#define ADIT_SANDBOX_SECCOMP_H

#include <stdbool.h>

/* Installs the filter; needs no_new_privs.  shared, for a payload among the
 * host's processes, also refuses to change another process and Unix sockets
 * that can be connected; no_network every socket but Unix ones.  Returns 0,
 * or -1 with errno. */
int seccomp_install(bool shared, bool no_network);

#endif
