/* SPDX-License-Identifier: ISC */
/* A small HTTP/1.1 server for webhook deliveries, to stand behind what ends
 * TLS.  Each connection brings one request, is answered at once and closed;
 * how many there are and how long they take is bounded. */
#ifndef ADIT_WORKER_ENDPOINT_H
#define ADIT_WORKER_ENDPOINT_H

#include <ev.h>

#include "cmd/sandbox-worker/webhook.h"

enum {
	ENDPOINT_CONNECTIONS_MAX = 64,
	ENDPOINT_TIMEOUT_MS = 10000, /* for one request */
};

struct endpoint_settings {
	const char *listen;             /* "host:port", host numeric or "" */
	const struct webhook_key *key;  /* of the caller, all the time */
	void (*work)(void *user);       /* a good delivery says so */
	void *user;
};

struct endpoint;

/* Listens.  Returns NULL with a text; *ret_port is the port. */
struct endpoint *endpoint_start(struct ev_loop *loop,
    const struct endpoint_settings *s, uint16_t *ret_port, struct error *e);

/* From now on deliveries are answered with 503, for somebody else or later. */
void endpoint_refuse(struct endpoint *ep);

/* Closes everything.  ep may be NULL. */
void endpoint_free(struct endpoint *ep);

/* What to answer a delivery with: 200, 400 or 401, and whether it says that
 * there is work.  Says on standard error why one is refused. */
int endpoint_judge(const struct webhook_key *key,
    const struct webhook_delivery *d, bool *ret_work);

#endif
