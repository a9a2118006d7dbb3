/* SPDX-License-Identifier: ISC */
/* Connects to an edge, through a proxy if there is one: libcurl in its
 * connect-only mode resolves the name, tries every address and talks to the
 * proxy.  Never blocks the loop. */
#ifndef TUNNEL_UP_DIAL_H
#define TUNNEL_UP_DIAL_H

#include <ev.h>

#include "cmd/tunnel-up/failure.h"
#include "cmd/tunnel-up/proxy.h"

/* One per event loop. */
struct dialer;

struct dialer *dialer_new(struct ev_loop *ev, struct error *e);

/* All its dials have ended or were cancelled. */
void dialer_free(struct dialer *d);

/* One attempt. */
struct dial;

struct dial_request {
	const char *host; /* name or address; read only during dial_start */
	uint16_t port;
	const struct proxy *proxy;
	int64_t timeout_ms;
	/* The attempt is over and its struct dial gone: a connected socket
	 * that is now the callee's, or -1 and why. */
	void (*done)(void *user, int fd, const struct failure *why);
	void *user;
};

/* Begins; done is called later, never from inside.  Returns NULL with a text
 * if it cannot begin. */
struct dial *dial_start(struct dialer *d, const struct dial_request *request,
    struct error *e);

/* done will not be called. */
void dial_cancel(struct dial *dial);

#endif
