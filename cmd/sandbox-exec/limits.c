/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/limits.h"

#include <errno.h>
#include <sys/resource.h>

#include "common/io.h"

static const char *const names[LIMIT_COUNT] = {
	"mem", "cpu", "pids", "time", "fsize", "out",
};

const char *
limits_name(enum limit_kind kind)
{
	return names[kind];
}

void
limits_open(struct limits *l, const struct policy *p)
{
	(void)l; (void)p;
}

int
limits_join(const struct limits *l)
{
	(void)l;
	return 0;
}

/* Lowers a limit, hard and soft: as far as the caller's own goes. */
static int
lower(int resource, int64_t value)
{
	struct rlimit limit;

	if (value == 0)
		return 0;
	if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
		return -1;
	if (limit.rlim_max > (rlim_t)value)
		limit.rlim_max = (rlim_t)value;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit);
}

/* RLIMIT_CORE is 1: 0 would still run a core handler that is a pipe
 * (core(5)). */
int
limits_set_rlimits(const struct limits *l, const struct policy *p)
{
	(void)l;
	return lower(RLIMIT_CORE, 1) == 0 &&
	    lower(RLIMIT_NPROC, p->limits.pids) == 0 &&
	    lower(RLIMIT_FSIZE, p->limits.fsize) == 0 &&
	    lower(RLIMIT_NOFILE, p->limits.files) == 0 ? 0 : -1;
}

unsigned
limits_hit(const struct limits *l)
{
	(void)l;
	return 0;
}

void
limits_close(struct limits *l)
{
	(void)l;
}
