/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/idmount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "cmd/sandbox-exec/ids.h"
#include "common/io.h"

enum { STACK_SIZE = 16 << 10 };

/* What the namespace's maker leaves: it shares our memory and descriptors. */
struct maker {
	struct ids inside, host;
	int fd;
	int number; /* errno */
};

static int
make(void *arg)
{
	struct maker *m = arg;

	m->number = ids_map(m->inside, m->host);
	if (m->number != 0)
		return 0;
	m->fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	m->number = errno;
	return 0;
}

/* A user namespace is made with a process in it, which lives for as long as
 * it takes to open it.  Returns the descriptor, or -1 with errno. */
static int
open_userns(struct ids inside, struct ids host)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));
	struct maker m = {.inside = inside, .host = host, .fd = -1};
	pid_t pid = -1;

	if (ids_take(host) == 0)
		pid = clone(make, stack + sizeof stack, CLONE_NEWUSER |
		    CLONE_VM | CLONE_FILES | CLONE_VFORK | SIGCHLD, &m);
	if (pid == -1)
		m.number = errno;
	else
		waitpid(pid, NULL, 0);
	if (ids_give_back() != 0)
		io_close(&m.fd);
	errno = m.number;
	return m.fd;
}

int
idmount_set(struct idmount *m, int mount_fd, const struct stat *st,
    uid_t uid, gid_t gid)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};

	if (m->userns_fd == -1 || m->from_uid != st->st_uid ||
	    m->from_gid != st->st_gid) {
		io_close(&m->userns_fd);
		m->userns_fd = open_userns((struct ids){st->st_uid,
		    st->st_gid}, (struct ids){uid, gid});
		if (m->userns_fd == -1)
			return -1;
		m->from_uid = st->st_uid;
		m->from_gid = st->st_gid;
	}
	attr.userns_fd = (__u64)m->userns_fd;
	return mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof attr);
}
