/* SPDX-License-Identifier: ISC */
/* Streams whose agent said goodbye in TLS, and whose END has not come yet.  To
 * reset them would answer a clean end with an abort; to wait for ever would let
 * agents hold streams.  So they are left alone for a moment. */
#ifndef ADIT_MCP_PROXY_LEAVING_H
#define ADIT_MCP_PROXY_LEAVING_H

#include <ev.h>

#include "common/chan.h"

enum { LEAVING_MS = 2000 };

struct leaving_stream;

struct leaving {
	struct ev_loop *ev;
	struct leaving_stream *first, *last; /* in the order they are due */
	ev_timer timer;
};

void leaving_init(struct leaving *l, struct ev_loop *ev);

/* Resets them all; l may be zeroed. */
void leaving_done(struct leaving *l);

/* Resets stream id of c unless it ends in LEAVING_MS; nobody else uses
 * it any more.  At once if memory is out. */
void leaving_add(struct leaving *l, struct chan *c, uint32_t id);

/* c is gone. */
void leaving_forget(struct leaving *l, const struct chan *c);

#endif
