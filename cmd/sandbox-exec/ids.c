/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/io.h"

int
ids_take(struct ids host)
{
	return prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0 ||
	    setgroups(0, NULL) != 0 ||
	    setresgid(host.gid, host.gid, 0) != 0 ||
	    setresuid(host.uid, host.uid, 0) != 0 ? -1 : 0;
}

/* The saved id is still root's. */
int
ids_give_back(void)
{
	return setresuid(0, 0, 0) != 0 || setresgid(0, 0, 0) != 0 ? -1 : 0;
}

static int
write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd == -1)
		return -1;
	r = io_write_all(fd, bytes_cstr(text));
	io_close(&fd);
	return r;
}

int
ids_map(struct ids inside, struct ids host)
{
	char map[64];

	/* A change of ids takes our own /proc files from us. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 ||
	    write_proc("/proc/self/setgroups", "deny") != 0)
		return -1;
	snprintf(map, sizeof map, "%u %u 1\n", inside.gid, host.gid);
	if (write_proc("/proc/self/gid_map", map) != 0)
		return -1;
	snprintf(map, sizeof map, "%u %u 1\n", inside.uid, host.uid);
	return write_proc("/proc/self/uid_map", map);
}
