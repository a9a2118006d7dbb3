/* SPDX-License-Identifier: ISC */
/* Attempts that a sandbox must refuse, made from the inside. */
#ifndef ADIT_SANDBOX_PROBE_H
#define ADIT_SANDBOX_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/sandbox-exec/policy.h"

struct probe {
	const char *layer;   /* "files", "network", "kernel" */
	const char *attempt; /* what was tried, as a noun phrase */
	bool (*refused)(const struct policy *p);

	/* Whether it is promised that it is refused, with namespaces or
	 * without; NULL: always. */
	bool (*promised)(const struct policy *p, bool full);
};

extern const struct probe probes[];
extern const size_t probe_count;

#endif
