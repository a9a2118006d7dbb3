/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/seccomp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox-filter.h"

#define COUNT(filter) ((unsigned short)(sizeof filter / sizeof *filter))

static int
install(const struct sock_filter *filter, unsigned short count)
{
	struct sock_fprog program = {count, (struct sock_filter *)(uintptr_t)
	    filter};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
	    &program);
}

int
seccomp_install(bool shared, bool no_network)
{
	if (shared && install(filter_shared, COUNT(filter_shared)) != 0)
		return -1;
	if (no_network && install(filter_no_network,
	    COUNT(filter_no_network)) != 0)
		return -1;
	return install(filter_base, COUNT(filter_base));
}
