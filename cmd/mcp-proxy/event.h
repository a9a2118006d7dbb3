/* SPDX-License-Identifier: ISC */
/* An event of a stream that was judged, as it goes on.  Pure. */
#ifndef ADIT_MCP_PROXY_EVENT_H
#define ADIT_MCP_PROXY_EVENT_H

#include "common/sse.h"

/* Whether an event is told to be no message, and is none for anybody: of the
 * transport of 2024-11-05, where to POST to. */
bool event_is_endpoint(const struct sse *sse, struct bytes raw);

/* Appends raw, the bytes of an event, with this message, in the place of its
 * own if that was changed; the bytes stay where nobody reads another message
 * in them.  mem is for its use.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int event_write(struct buf *out, struct bytes raw, struct bytes message,
    bool changed, struct buf *mem);

#endif
