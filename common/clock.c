/* SPDX-License-Identifier: ISC */
#include "common/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "common/str.h"

static int64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
clock_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t
clock_us(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t
clock_wall_s(void)
{
	return clock_wall_ns() / 1000000000;
}

const char *
clock_stamp(char out[static CLOCK_STAMP_CAP])
{
	int64_t ns = clock_wall_ns();
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(out, CLOCK_STAMP_CAP - 8, "%Y-%m-%dT%H:%M:%S", &tm);
	str_format(out + n, CLOCK_STAMP_CAP - n, ".%03lldZ",
	    (long long)(ns / 1000000 % 1000));
	return out;
}

void
random_bytes(void *out, unsigned long len)
{
	unsigned char *at = out;

	while (len != 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n > 0) {
			at += n;
			len -= (unsigned long)n;
		} else if (errno != EINTR) {
			abort();
		}
	}
}

void
random_hex(char *out, unsigned long digits)
{
	uint8_t random[RANDOM_HEX_MAX / 2];

	assert(digits <= RANDOM_HEX_MAX && digits % 2 == 0);
	random_bytes(random, digits / 2);
	str_hex(out, bytes_of(random, digits / 2));
}

int64_t
backoff_next(struct backoff *b)
{
	uint64_t r;
	int64_t span;

	if (b->ceiling_ms == 0)
		b->ceiling_ms = b->min_ms * 2;
	if (b->ceiling_ms > b->max_ms)
		b->ceiling_ms = b->max_ms;
	span = b->ceiling_ms - b->min_ms + 1;
	b->ceiling_ms *= 2;
	random_bytes(&r, sizeof r);
	return b->min_ms + (int64_t)(r % (uint64_t)span);
}

void
backoff_reset(struct backoff *b)
{
	b->ceiling_ms = 0;
}

const char *
clock_format_time(int64_t seconds, char out[static CLOCK_TIME_CAP])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, CLOCK_TIME_CAP, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}

int
clock_parse_time(const char *text, int64_t *ret)
{
	struct tm tm = {.tm_sec = 0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (end == NULL || *end != '\0' || strlen(text) != CLOCK_TIME_CAP - 1)
		return -1;
	*ret = timegm(&tm);
	return 0;
}
