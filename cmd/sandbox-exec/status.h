/* SPDX-License-Identifier: ISC */
/* How a run went, for programs: the JSON object of --status-fd and the lines
 * of the audit file that start and end a run. */
#ifndef ADIT_SANDBOX_STATUS_H
#define ADIT_SANDBOX_STATUS_H

#include "cmd/sandbox-exec/supervise.h"

/* Appends the members "tier", "layers", "limits" and "degraded". */
void status_add_isolation(struct jsonw *w, const struct confine *c);

/* Appends the member "limits_hit"; hit has bits 1 << enum limit_kind. */
void status_add_hit(struct jsonw *w, unsigned hit);

/* Writes one object and a newline to fd.  Returns 0, or -1 with errno. */
int status_write(int fd, const struct policy *p, const struct result *r);

void status_audit_start(struct audit *a, const struct policy *p,
    const struct confine *c);
void status_audit_end(struct audit *a, const struct policy *p,
    const struct result *r);

/* A signal that was sent because of reason. */
void status_audit_kill(struct audit *a, const char *signal_name,
    const char *reason);

/* The end of a sandbox that had no command of its own. */
void status_audit_stop(struct audit *a, unsigned hit);

/* The name of one layer's bit: "user", "landlock". */
const char *status_layer_name(enum confine_layer layer);

#endif
