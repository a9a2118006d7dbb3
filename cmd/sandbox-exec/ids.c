/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/ids.h"

#include <grp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd/sandbox-exec/raw.h"

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

int
ids_become(struct ids ids)
{
	return setresgid(ids.gid, ids.gid, ids.gid) != 0 ||
	    setresuid(ids.uid, ids.uid, ids.uid) != 0 ? -1 : 0;
}

int
ids_map(struct ids inside, struct ids host)
{
	static const char deny[] = "deny";
	char map[64];
	int r;

	/* A change of ids takes our own /proc files from us. */
	r = (int)-raw_call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (r == 0)
		r = raw_write_file(AT_FDCWD, "/proc/self/setgroups", deny,
		    sizeof deny - 1);
	if (r == 0)
		r = raw_write_file(AT_FDCWD, "/proc/self/gid_map", map, (size_t)snprintf(
		    map, sizeof map, "%u %u 1\n", inside.gid, host.gid));
	if (r == 0)
		r = raw_write_file(AT_FDCWD, "/proc/self/uid_map", map, (size_t)snprintf(
		    map, sizeof map, "%u %u 1\n", inside.uid, host.uid));
	return r;
}
