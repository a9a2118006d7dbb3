/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/idmount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"

static int
write_map(pid_t pid, const char *name, unsigned from, unsigned to)
{
	char path[64], map[64];
	int fd, n, r;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	n = snprintf(map, sizeof map, "%u %u 1\n", from, to);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	r = io_write_all(fd, bytes_of(map, (size_t)n));
	io_close(&fd);
	return r;
}

/* A user namespace exists only through a process in it: one that waits to be
 * killed, and dies with us. */
static pid_t
start_holder(void)
{
	struct clone_args args = {.flags = CLONE_NEWUSER,
		.exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* Returns the user namespace's descriptor, or -1 with errno. */
static int
open_userns(const struct stat *st, uid_t uid, gid_t gid)
{
	char path[64];
	int fd = -1, saved;
	pid_t pid = start_holder();

	if (pid == -1)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
	if (write_map(pid, "uid_map", st->st_uid, uid) == 0 &&
	    write_map(pid, "gid_map", st->st_gid, gid) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	saved = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = saved;
	return fd;
}

int
idmount_set(struct idmount *m, int mount_fd, const struct stat *st,
    uid_t uid, gid_t gid)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};

	if (m->userns_fd == -1 || m->from_uid != st->st_uid ||
	    m->from_gid != st->st_gid) {
		io_close(&m->userns_fd);
		m->userns_fd = open_userns(st, uid, gid);
		if (m->userns_fd == -1)
			return -1;
		m->from_uid = st->st_uid;
		m->from_gid = st->st_gid;
	}
	attr.userns_fd = (__u64)m->userns_fd;
	return mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof attr);
}
