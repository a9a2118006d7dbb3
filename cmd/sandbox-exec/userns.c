/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/userns.h"

#include <stdio.h>

#include "cmd/sandbox-exec/raw.h"

int
userns_open(void)
{
	long fd = raw_call(SYS_openat, AT_FDCWD, (long)(uintptr_t)"/proc/sys",
	    O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);

	return fd < 0 ? -1 : (int)fd;
}

void
userns_limit(int *fd)
{
	char text[16];

	if (*fd == -1)
		return;
	raw_write_file(*fd, "user/max_user_namespaces", "0", 1);
	raw_write_file(*fd, "user/max_inotify_instances", text,
	    (size_t)snprintf(text, sizeof text, "%d", USERNS_INOTIFY_MAX));
	raw_call(SYS_close, *fd, 0, 0, 0, 0);
	*fd = -1;
}
