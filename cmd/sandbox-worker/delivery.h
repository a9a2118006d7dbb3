/* SPDX-License-Identifier: ISC */
/* Takes one webhook delivery out of the bytes of an HTTP/1.1 connection.
 * Pure. */
#ifndef ADIT_WORKER_DELIVERY_H
#define ADIT_WORKER_DELIVERY_H

#include "cmd/sandbox-worker/webhook.h"
#include "common/http.h"

enum {
	DELIVERY_HEAD_MAX = 16 * 1024,
	DELIVERY_BAD_METHOD = 405, /* answers, besides WEBHOOK_... */
	DELIVERY_TOO_LARGE = 413,
};

struct delivery {
	struct buf in;         /* head, then what is not yet taken */
	struct buf head_text;  /* the head, once it is whole */
	struct buf body;
	struct http_scan scan;
	struct http_head head;
	struct body framing;
	struct webhook_delivery found; /* when it is whole */
};

void delivery_init(struct delivery *d);
void delivery_done(struct delivery *d);

/* Takes bytes as they come.  Returns 1 when the delivery is whole, in
 * d->found; 0 when more is needed; -1 with a text and e->code, the status to
 * answer with. */
int delivery_feed(struct delivery *d, struct bytes in, struct error *e);

#endif
