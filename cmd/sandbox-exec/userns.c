/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/userns.h"

#include <stdio.h>

#include "cmd/sandbox-exec/raw.h"

void
userns_limit(void)
{
	char text[16];

	raw_write_file("/proc/sys/user/max_user_namespaces", "0", 1);
	raw_write_file("/proc/sys/user/max_inotify_instances", text,
	    (size_t)snprintf(text, sizeof text, "%d", USERNS_INOTIFY_MAX));
}
