/* SPDX-License-Identifier: ISC */
/* How tunnel-edge list learns of live links: the running edge answers each
 * connection to a Unix socket in the state directory with one JSON object,
 *   {"pid":N,"tunnels":{"NAME":[LINK,...],...}}. */
#ifndef ADIT_STATUS_H
#define ADIT_STATUS_H

#include "cmd/tunnel-edge/edge.h"

enum { STATUS_MAX = 16 << 20 };

/* Listens.  Returns 0, or -1 with a text: also when another edge runs on the
 * same directory. */
int status_start(struct edge *e, struct error *error);
void status_stop(struct edge *e);

/* The listener's: answers whoever has connected. */
void status_accept(void *edge, int fd, const struct sock_addr *peer);

/* Asks the edge that runs on s for its answer.  Returns 1, 0 if none runs, or
 * -1 with a text.  May block for some seconds. */
int status_ask(const struct state *s, struct buf *ret, struct error *e);

#endif
