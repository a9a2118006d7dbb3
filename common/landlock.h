/* SPDX-License-Identifier: ISC */
/* The second wall around files, and a first around TCP and signals where
 * there are no namespaces: Landlock (landlock(7)) at whatever ABI the kernel
 * has. */
#ifndef ADIT_LANDLOCK_H
#define ADIT_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct landlock {
	int fd;  /* the rule set, -1 if there is none */
	int abi; /* the kernel's; 0: Landlock is off */
	uint64_t handled_fs;
};

/* Makes a rule set that refuses every use of files, TCP too when net is set,
 * and signals and abstract sockets to the outside.  Returns 0; abi is 0 if
 * the kernel has no Landlock; -1 with errno for anything else. */
int landlock_open(struct landlock *l, bool net);

/* Allows what is at or below fd (any descriptor of a file or directory).
 * Nothing without Landlock.  Returns 0, or -1 with errno. */
int landlock_allow_read(struct landlock *l, int fd);  /* and execute */
int landlock_allow_write(struct landlock *l, int fd); /* and all of that */
int landlock_allow_file(struct landlock *l, int fd, bool readable,
    bool writable);

/* Restricts the caller; needs no_new_privs. */
int landlock_restrict(const struct landlock *l);

/* From now on the caller can signal only itself and what it starts, so that
 * kill(2) of -1 is for all of that and nothing else (Linux 6.12); sets
 * no_new_privs.  Returns whether it is so: whether the parent, which could be
 * signalled before, no longer can. */
bool landlock_scope_signals(void);
void landlock_close(struct landlock *l);

#endif
