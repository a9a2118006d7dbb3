/* SPDX-License-Identifier: ISC */
/* Time and random delays. */
#ifndef ADIT_CLOCK_H
#define ADIT_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in milliseconds and microseconds, for deadlines. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* CLOCK_REALTIME in nanoseconds, for people and captures. */
int64_t clock_wall_ns(void);

/* The same in whole seconds. */
int64_t clock_wall_s(void);

enum {
	CLOCK_STAMP_CAP = 40,
	CLOCK_TIME_CAP = 21, /* "2026-11-23T15:00:00Z" and a NUL */
};

/* The time of day, as 2026-01-31T12:00:00.000Z.  Returns out. */
const char *clock_stamp(char out[static CLOCK_STAMP_CAP]);

/* A time in seconds since 1970, in UTC.  Returns out; parse 0, or -1. */
const char *clock_format_time(int64_t seconds,
    char out[static CLOCK_TIME_CAP]);
int clock_parse_time(const char *text, int64_t *ret);

/* Exponential back-off with full jitter. */
struct backoff {
	int64_t min_ms, max_ms;
	int64_t ceiling_ms; /* of the next delay; 0 before the first */
};

/* The next delay: uniform between min_ms and a ceiling that doubles at each
 * call up to max_ms. */
int64_t backoff_next(struct backoff *b);
void backoff_reset(struct backoff *b);

/* Fills out from the kernel's generator; it cannot fail on Linux >= 3.17
 * once the system is up, and ends the process if it does. */
void random_bytes(void *out, unsigned long len);

enum { RANDOM_HEX_MAX = 48 };

/* Writes so many random hexadecimal digits, an even number of at most
 * RANDOM_HEX_MAX, and a NUL to out. */
void random_hex(char *out, unsigned long digits);

#endif
