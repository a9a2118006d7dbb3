/* SPDX-License-Identifier: ISC */
/* Keeps the table of a running edge like the state directory: at the start,
 * and whenever a file in tunnels/ is replaced or removed. */
#ifndef ADIT_WATCH_H
#define ADIT_WATCH_H

#include "cmd/tunnel-edge/edge.h"

/* Reads every tunnel and watches for changes from now on.  Returns 0, or -1
 * with a text. */
int watch_start(struct edge *e, struct error *error);
void watch_stop(struct edge *e);

/* Reads every tunnel again. */
void watch_reload(struct edge *e);

#endif
