/* SPDX-License-Identifier: ISC */
/* Makes a seccomp filter shorter: the kernel takes 0.2 us for each of its
 * instructions, and for each that a call passes, when it is installed. */
#ifndef ADIT_SANDBOX_SHORTEN_H
#define ADIT_SANDBOX_SHORTEN_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* Rewrites the program at at, which loads words of struct seccomp_data, masks
 * and compares them, and returns constants.  Returns the new length, or 0 if
 * the program has something else or became no shorter to write. */
size_t shorten(struct sock_filter *at, size_t count);

/* Whether two programs answer the same, for every call up to last on arch and
 * others, and every argument word near a constant of theirs. */
bool shorten_is_same(const struct sock_filter *a, size_t a_count,
    const struct sock_filter *b, size_t b_count, unsigned arch,
    unsigned last);

#endif
