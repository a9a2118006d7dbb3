/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/userns.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

static void
set(const char *path, int value)
{
	char text[16];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	str_format(text, sizeof text, "%d", value);
	(void)!io_write_all(fd, bytes_cstr(text));
	io_close(&fd);
}

void
userns_limit(void)
{
	set("/proc/sys/user/max_user_namespaces", 0);
	set("/proc/sys/user/max_inotify_instances", USERNS_INOTIFY_MAX);
}
