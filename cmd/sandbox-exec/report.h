/* SPDX-License-Identifier: ISC */
/* How a run went, for who reads standard error. */
#ifndef ADIT_SANDBOX_REPORT_H
#define ADIT_SANDBOX_REPORT_H

#include "cmd/sandbox-exec/supervise.h"

/* Warns of each promise that is not kept. */
void report_degraded(const struct confine *c);

/* Does that, and prints a line for what ended or cut the command. */
void report_result(const struct result *r);

/* A protect_found: tells it to the audit, which is its user, as well. */
void report_found(void *audit, const char *path, const char *renamed);

#endif
