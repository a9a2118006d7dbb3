/* SPDX-License-Identifier: ISC */
/* Control groups for one sandbox: one of version 2 where a writable one with
 * the controllers is to be had, else one for each controller of version 1
 * (root only), and for what has no other hold on its processes one of version
 * 2 without controllers, which can kill.  They are removed even if this
 * process is killed: a janitor process does nothing but wait for that. */
#ifndef ADIT_SANDBOX_CGROUP_H
#define ADIT_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_controller { CGROUP_MEMORY, CGROUP_CPU, CGROUP_PIDS,
	CGROUP_COUNT };

struct cgroups {
	char *path[CGROUP_COUNT];   /* of version 1 */
	int procs_fd[CGROUP_COUNT]; /* version 1; -1 */
	char *v2_path;
	int v2_fd;                  /* the directory, or -1 */
	int v2_procs_fd;
	bool v2_limits;             /* it holds them; else it only kills */
	pid_t janitor;              /* 0: none */
	int janitor_fd;
};

void cgroup_init(struct cgroups *g);

/* Makes groups with these limits (0: none): bytes, thousandths of a CPU,
 * processes; and if kill is set one that can kill (v2_fd), if that is to be
 * had.  Returns which of the limits hold, as bits 1 << controller. */
unsigned cgroup_open(struct cgroups *g, const int64_t limit[CGROUP_COUNT],
    bool kill);

/* In init: joins them; version 2 too, where CLONE_INTO_CGROUP has not done
 * it.  Returns 0, or -1 with errno. */
int cgroup_join(const struct cgroups *g, bool v2);

/* Which limits were run into, as bits. */
unsigned cgroup_hit(const struct cgroups *g);

/* Opens the file that counts the processes that were killed for want of
 * memory.  Returns it, or -1 if there is none. */
int cgroup_open_kills(const struct cgroups *g);

/* What such a file says, 0 if it cannot be read. */
int64_t cgroup_kills(int fd);

/* Ends the process that would do it after us, of which there may be one. */
void cgroup_dismiss(struct cgroups *g);

/* Removes them; what was inside is dead, or killed where version 2 is
 * held. */
void cgroup_close(struct cgroups *g);

/* The path of a process in the hierarchy of a controller ("" for version 2)
 * from the text of its /proc/PID/cgroup: lines "4:cpu,cpuacct:/some/path".
 * Returns whether there is one, and it fits. */
bool cgroup_find(const char *text, const char *controller, char *out,
    size_t cap);

#endif
