/* SPDX-License-Identifier: ISC */
/* An agent: a TLS connection from outside.  Its ClientHello is read, never
 * changed, and then its bytes go to and from a stream of a link as they
 * are. */
#ifndef ADIT_AGENT_H
#define ADIT_AGENT_H

#include "cmd/tunnel-edge/edge.h"

/* Takes an agent's connection. */
void agent_accept(void *edge, int fd, const struct sock_addr *peer);

/* What a link says about an agent's stream, as in struct chan_events. */
size_t agent_take(struct agent *a, struct bytes in);
void agent_end(struct agent *a);
void agent_pump(struct agent *a);
void agent_closed(struct agent *a, const struct frame_reason *why);

/* Gives t's streams the rate of its conf, at once. */
void agent_limit(struct edge *e, struct tunnel *t);

/* Refuses the agents that have no stream. */
void agent_refuse_waiting(struct edge *e);

#endif
