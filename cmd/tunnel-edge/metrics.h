/* SPDX-License-Identifier: ISC */
/* What is going on and has been, see promfile.h and tunnel-edge(8), METRICS. */
#ifndef ADIT_EDGE_METRICS_H
#define ADIT_EDGE_METRICS_H

#include "cmd/tunnel-edge/edge.h"

/* Keeps them in the file of the settings, if there is one, until
 * promfile_stop.  Returns 0, or -1 with a text. */
int metrics_start(struct edge *e, struct error *error);

#endif
