/* SPDX-License-Identifier: ISC */
#include "common/landlock.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/io.h"

static const uint64_t READ = LANDLOCK_ACCESS_FS_EXECUTE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

/* What a rule on a file, not a directory, may hold. */
static const uint64_t OF_FILES = LANDLOCK_ACCESS_FS_EXECUTE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV;

/* Device nodes are never made; everything else a directory takes. */
static const uint64_t NEVER = LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK;

static int
kernel_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* Every right of an ABI: one bit more at each step, see compat.h. */
static uint64_t
rights_of(int abi)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		all |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		all |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return all;
}

int
landlock_open(struct landlock *l, bool net)
{
	struct compat_landlock_ruleset attr = {0};
	size_t size = offsetof(struct compat_landlock_ruleset,
	    handled_access_net);

	l->fd = -1;
	l->abi = kernel_abi();
	if (l->abi == 0)
		return 0;
	l->handled_fs = attr.handled_access_fs = rights_of(l->abi);
	if (l->abi >= 4) {
		size = offsetof(struct compat_landlock_ruleset, scoped);
		if (net)
			attr.handled_access_net =
			    LANDLOCK_ACCESS_NET_BIND_TCP |
			    LANDLOCK_ACCESS_NET_CONNECT_TCP;
	}
	if (l->abi >= 6) {
		size = sizeof attr;
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET |
		    LANDLOCK_SCOPE_SIGNAL;
	}
	l->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	return l->fd == -1 ? -1 : 0;
}

static int
allow(const struct landlock *l, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights & l->handled_fs & ~NEVER,
		.parent_fd = fd,
	};

	if (l->fd == -1)
		return 0;
	return (int)syscall(SYS_landlock_add_rule, l->fd,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* A file has fewer rights than a directory, and asking for more is EINVAL. */
static int
allow_any(const struct landlock *l, int fd, uint64_t rights)
{
	if (allow(l, fd, rights) == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	return allow(l, fd, rights & OF_FILES);
}

int
landlock_allow_read(struct landlock *l, int fd)
{
	return allow_any(l, fd, READ);
}

int
landlock_allow_write(struct landlock *l, int fd)
{
	return allow_any(l, fd, l->handled_fs);
}

int
landlock_allow_file(struct landlock *l, int fd, bool readable,
    bool writable)
{
	uint64_t rights = LANDLOCK_ACCESS_FS_IOCTL_DEV;

	if (readable)
		rights |= LANDLOCK_ACCESS_FS_READ_FILE;
	if (writable)
		rights |= LANDLOCK_ACCESS_FS_WRITE_FILE |
		    LANDLOCK_ACCESS_FS_TRUNCATE;
	return allow(l, fd, rights);
}

int
landlock_restrict(const struct landlock *l)
{
	if (l->fd == -1)
		return 0;
	return (int)syscall(SYS_landlock_restrict_self, l->fd, 0);
}

bool
landlock_scope_signals(void)
{
	const struct compat_landlock_ruleset attr = {
		.scoped = LANDLOCK_SCOPE_SIGNAL,
	};
	int abi = kernel_abi(), fd, r;

	if (abi < 6 || kill(getppid(), 0) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (fd == -1)
		return false;
	/* Of each process that is left alone there would be a record. */
	r = (int)syscall(SYS_landlock_restrict_self, fd,
	    abi >= 7 ? LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF : 0);
	close(fd);
	return r == 0 && kill(getppid(), 0) == -1 && errno == EPERM;
}

void
landlock_close(struct landlock *l)
{
	io_close(&l->fd);
}
