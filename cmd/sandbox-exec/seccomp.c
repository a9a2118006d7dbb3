/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/seccomp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox-filter.h"

enum { NO_NETWORK_COUNT = sizeof filter_no_network /
	sizeof *filter_no_network, BASE_COUNT = sizeof filter_base /
	sizeof *filter_base };

static int
install(const struct sock_filter *filter, unsigned short count)
{
	struct sock_fprog program = {count, (struct sock_filter *)(uintptr_t)
	    filter};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
	    &program);
}

int
seccomp_install(bool no_network)
{
	if (no_network && install(filter_no_network, NO_NETWORK_COUNT) != 0)
		return -1;
	return install(filter_base, BASE_COUNT);
}
