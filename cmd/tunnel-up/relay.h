/* SPDX-License-Identifier: ISC */
/* Joins a stream of a link with a stream of the local hop.  Bytes go from one
 * chan's input straight into the other's output; what does not fit waits in
 * the first, whose credit stays away until it has gone.  END, RESET and EVENT
 * are passed on as they are, OPEN too.
 *
 * The functions after relay_open are chan_events of both sides; stream->user
 * is the struct relay. */
#ifndef TUNNEL_UP_RELAY_H
#define TUNNEL_UP_RELAY_H

#include "common/chan.h"

struct relay;

/* A stream was opened on a link: opens its partner on local with the same
 * JSON, or resets it.  local is NULL when nobody is there.  edge is for logs
 * and outlives the stream.  admitted: whether it may have another. */
void relay_open(struct chan *link, struct chan_stream *s, struct bytes json,
    struct chan *local, const char *edge, bool admitted);

size_t relay_data(void *user, struct chan_stream *s, uint16_t channel,
    struct bytes in);
void relay_end(void *user, struct chan_stream *s);
void relay_event(void *user, struct chan_stream *s, struct bytes json);
void relay_writable(void *user, struct chan_stream *s);

/* why is what the other side is told, NULL when both ends ended. */
void relay_closed(struct chan_stream *s, const struct frame_reason *why);

#endif
