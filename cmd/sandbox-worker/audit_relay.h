/* SPDX-License-Identifier: ISC */
/* Brings what the sandbox itself writes to an audit file into that of the
 * worker: what was refused or allowed on the network, which limits were hit,
 * what was killed.  sandbox-exec writes into a FIFO in a private directory;
 * each line of it gets the ids of the item.  Its lines about calls are left
 * out, since the worker has its own. */
#ifndef ADIT_WORKER_AUDIT_RELAY_H
#define ADIT_WORKER_AUDIT_RELAY_H

#include <ev.h>

#include "cmd/sandbox-worker/audit.h"

enum { AUDIT_RELAY_LINE_MAX = 16384 }; /* what is longer is left out */

struct audit_relay;

/* Makes the FIFO below the directory state.  audit is the caller's, all the
 * time.  Returns NULL with a text. */
struct audit_relay *audit_relay_new(struct ev_loop *ev, const char *state,
    struct audit *audit, struct error *e);

/* The file for sandbox-exec --audit. */
const char *audit_relay_path(const struct audit_relay *r);

/* Takes what is left in the FIFO, and removes it.  r may be NULL. */
void audit_relay_free(struct audit_relay *r);

#endif
