/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/limits.h"

#include <sched.h>
#include <sys/resource.h>

/* Queued signals and timers, which count towards the caller's. */
enum { SIGNALS_MAX = 4096 };

static const char *const names[LIMIT_COUNT] = {
	"mem", "cpu", "pids", "time", "fsize", "out",
};

const char *
limits_name(enum limit_kind kind)
{
	return names[kind];
}

static enum limit_state
state_of(int64_t value, bool enforced)
{
	if (value == 0)
		return LIMIT_UNSET;
	return enforced ? LIMIT_ENFORCED : LIMIT_ADVISORY;
}

/* Processes are counted per user namespace, so RLIMIT_NPROC does for them;
 * a group is asked for only where there is one anyway, or no namespace.
 * Without namespaces a group is what is sure to find every process. */
void
limits_open(struct limits *l, const struct policy *p, bool namespaces)
{
	const struct policy_limits *v = &p->limits;
	bool group = v->mem != 0 || v->cpu_milli != 0 || !namespaces;
	const int64_t wanted[CGROUP_COUNT] = {
		[CGROUP_MEMORY] = v->mem,
		[CGROUP_CPU] = v->cpu_milli,
		/* init counts. */
		[CGROUP_PIDS] = group && v->pids != 0 ? v->pids + 1 : 0,
	};
	unsigned held;

	cgroup_init(&l->cgroups);
	held = cgroup_open(&l->cgroups, wanted, !namespaces);
	l->hit = 0;
	l->state[LIMIT_MEM] = state_of(v->mem, held & 1U << CGROUP_MEMORY);
	l->state[LIMIT_CPU] = state_of(v->cpu_milli, held & 1U << CGROUP_CPU);
	l->state[LIMIT_PIDS] = state_of(v->pids, namespaces ||
	    (held & 1U << CGROUP_PIDS) != 0);
	l->state[LIMIT_TIME] = state_of(v->time_ms, true);
	l->state[LIMIT_FSIZE] = state_of(v->fsize, true);
	l->state[LIMIT_OUT] = state_of(v->out, true);
}

int
limits_join(const struct limits *l, bool v2)
{
	return cgroup_join(&l->cgroups, v2);
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

/* Takes away what the caller may have been given: nothing in the sandbox goes
 * before the machine's other processes. */
static int
take(int resource)
{
	const struct rlimit none = {0, 0};

	return setrlimit((__rlimit_resource_t)resource, &none);
}

/* Fewer processors, as many as the limit says, rounded up; the payload may
 * take them back. */
static void
set_affinity(int64_t milli)
{
	int64_t count = (milli + 999) / 1000;
	cpu_set_t have, want;

	CPU_ZERO(&want);
	if (sched_getaffinity(0, sizeof have, &have) != 0)
		return;
	for (size_t i = 0; i < CPU_SETSIZE && count > 0; i++) {
		if (CPU_ISSET(i, &have)) {
			CPU_SET(i, &want);
			count--;
		}
	}
	sched_setaffinity(0, sizeof want, &want);
}

/* init counts.  A group that counts, too, is what a fork is to run into, since
 * it tells. */
static int64_t
max_processes(const struct limits *l, int64_t pids)
{
	const struct cgroups *g = &l->cgroups;
	bool counted = g->v2_limits || g->path[CGROUP_PIDS] != NULL;

	return pids == 0 ? 0 : pids + (counted ? 2 : 1);
}

/* RLIMIT_CORE is 1: 0 would still run a core handler that is a pipe
 * (core(5)).  RLIMIT_DATA and not RLIMIT_AS: what is merely reserved costs
 * nothing. */
int
limits_set_rlimits(const struct limits *l, const struct policy *p)
{
	if (l->state[LIMIT_CPU] == LIMIT_ADVISORY)
		set_affinity(p->limits.cpu_milli);
	if (l->state[LIMIT_MEM] == LIMIT_ADVISORY &&
	    lower(RLIMIT_DATA, p->limits.mem) != 0)
		return -1;
	return lower(RLIMIT_CORE, 1) == 0 &&
	    take(RLIMIT_RTPRIO) == 0 && take(RLIMIT_NICE) == 0 &&
	    lower(RLIMIT_SIGPENDING, SIGNALS_MAX) == 0 &&
	    lower(RLIMIT_NPROC, max_processes(l, p->limits.pids)) == 0 &&
	    lower(RLIMIT_FSIZE, p->limits.fsize) == 0 &&
	    lower(RLIMIT_NOFILE, p->limits.files) == 0 ? 0 : -1;
}

bool
limits_all_enforced(const struct limits *l)
{
	for (int i = 0; i < LIMIT_COUNT; i++) {
		if (l->state[i] == LIMIT_ADVISORY)
			return false;
	}
	return true;
}

void
limits_close(struct limits *l)
{
	static const enum limit_kind kinds[CGROUP_COUNT] = {
		[CGROUP_MEMORY] = LIMIT_MEM,
		[CGROUP_CPU] = LIMIT_CPU,
		[CGROUP_PIDS] = LIMIT_PIDS,
	};
	unsigned hit = cgroup_hit(&l->cgroups);

	for (int i = 0; i < CGROUP_COUNT; i++) {
		if ((hit & 1U << i) != 0)
			l->hit |= 1U << kinds[i];
	}
	cgroup_close(&l->cgroups);
}
