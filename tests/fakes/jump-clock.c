/* SPDX-License-Identifier: ISC */
/* Preloaded: the wall clock is a day off, one way and the other in turn each
 * time it is read, once the file that JUMP_CLOCK names is there.  The monotonic
 * clock goes on as it is. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400 };

static time_t
jump(void)
{
	static int count;
	const char *file = getenv("JUMP_CLOCK");

	if (file == NULL || access(file, F_OK) != 0)
		return 0;
	return count++ % 2 == 0 ? DAY : -DAY;
}

int
clock_gettime(clockid_t id, struct timespec *ret)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	r = real(id, ret);
	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ret->tv_sec += jump();
	return r;
}

time_t
time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret != NULL)
		*ret = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	ret->tv_sec = now.tv_sec;
	ret->tv_usec = now.tv_nsec / 1000;
	return 0;
}
