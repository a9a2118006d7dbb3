/* SPDX-License-Identifier: ISC */
/* Strict numbers, sizes and durations: decimal, no sign, no white space,
 * nothing left over. */
#ifndef ADIT_NUM_H
#define ADIT_NUM_H

#include <stdint.h>

/* Parses a whole decimal number.  Returns 0, or -1 with EINVAL (not a
 * number) or ERANGE (outside min to max). */
int num_parse(const char *s, int64_t min, int64_t max, int64_t *ret);

/* Parses a size with a unit: b, k, m or g, powers of 1024.  ret in bytes. */
int num_parse_size(const char *s, int64_t min, int64_t max, int64_t *ret);

/* Parses a duration with units: ms, s, m, h or d, also "1m30s" as Go writes
 * it.  ret, min and max in milliseconds. */
int num_parse_duration(const char *s, int64_t min, int64_t max, int64_t *ret);

#endif
