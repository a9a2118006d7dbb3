/* SPDX-License-Identifier: ISC */
/* A listening socket that hands over what it accepts, in batches, and
 * rests a while when descriptors or memory run out. */
#ifndef ADIT_LISTENER_H
#define ADIT_LISTENER_H

#include <ev.h>

#include "common/quiet.h"

struct listener {
	struct ev_loop *ev;
	ev_io io;
	ev_timer pause;
	int fd; /* -1: not open */
	uint16_t port;
	const char *who; /* of those who connect, for logs: "agents" */
	struct quiet *quiet; /* keeps its warnings few, */
	unsigned line;       /* which are of this kind */
	/* Owns fd from now on. */
	void (*accepted)(void *user, int fd, const struct sock_addr *peer);
	void *user;
};

/* Listens on "host:port"; the members of l from who on are set.  Nothing is
 * accepted before listener_start.  Returns 0, or -1 with a text. */
int listener_open(struct listener *l, struct ev_loop *ev, const char *where,
    struct error *e);

/* The same for a socket that listens already and is l's from now on. */
void listener_adopt(struct listener *l, struct ev_loop *ev, int fd);

void listener_start(struct listener *l);
void listener_close(struct listener *l);

#endif
