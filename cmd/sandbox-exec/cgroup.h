/* SPDX-License-Identifier: ISC */
/* Control groups for one sandbox: one of version 2 where a writable one with
 * the controllers is to be had, else one for each controller of version 1
 * (root only).  They are removed even if this process is killed: a janitor
 * process does nothing but wait for that. */
#ifndef ADIT_SANDBOX_CGROUP_H
#define ADIT_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_controller { CGROUP_MEMORY, CGROUP_CPU, CGROUP_PIDS,
	CGROUP_COUNT };

struct cgroups {
	char *path[CGROUP_COUNT];   /* made; the same for all in version 2 */
	int procs_fd[CGROUP_COUNT]; /* version 1; -1 */
	int v2_fd;                  /* the directory, or -1 */
	pid_t janitor;              /* 0: none */
	int janitor_fd;
};

void cgroup_init(struct cgroups *g);

/* Makes groups with these limits (0: none): bytes, thousandths of a CPU,
 * processes.  Returns which of them hold, as bits 1 << controller. */
unsigned cgroup_open(struct cgroups *g, const int64_t limit[CGROUP_COUNT]);

/* In init: joins those of version 1.  Returns 0, or -1 with errno. */
int cgroup_join(const struct cgroups *g);

/* Which limits were run into, as bits. */
unsigned cgroup_hit(const struct cgroups *g);

/* Removes them; what was inside is dead. */
void cgroup_close(struct cgroups *g);

#endif
