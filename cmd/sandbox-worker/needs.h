/* SPDX-License-Identifier: ISC */
/* Whether what settings name is there and can be used.  This is asked before
 * polling begins: a worker that takes items which must fail takes them from
 * those who could do them. */
#ifndef ADIT_WORKER_NEEDS_H
#define ADIT_WORKER_NEEDS_H

#include "cmd/sandbox-worker/settings.h"

enum { NEEDS_CA_MAX = 4 << 20 };

/* The files of --ca and --metrics.  Returns 0, or -1 with a text that begins
 * with the option; so does the other. */
int needs_check_polling(const struct settings *s, struct error *e);

/* The directories and files of sessions. */
int needs_check_sessions(const struct settings *s, struct error *e);

#endif
