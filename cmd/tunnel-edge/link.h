/* SPDX-License-Identifier: ISC */
/* A link: the TLS connection of one connector, from its handshake over HELLO
 * and AUTH to the streams that it carries. */
#ifndef ADIT_LINK_H
#define ADIT_LINK_H

#include "cmd/tunnel-edge/edge.h"

enum link_state {
	LINK_HANDSHAKE, /* of TLS */
	LINK_GREETING,  /* waits for HELLO and AUTH */
	LINK_UP,
	LINK_DRAINING,  /* takes no more streams, those it has go on */
	LINK_CLOSED,    /* its last frames go out */
};

struct link {
	struct hop hop;
	struct edge *edge;
	enum link_state state;
	uint64_t id;
	struct tls *tls;          /* in LINK_HANDSHAKE */
	ev_io io;
	bool spoke;               /* something came from it */
	uint64_t source;          /* see pacer.h */
	bool is_known;            /* the source, when it came */
	ev_timer deadline;        /* until it is up; then of its credential */
	struct hop_peer peer;     /* its HELLO */
	struct chan_limits limits;
	bool has_cert;
	struct credential credential; /* the certificate's, or the token's */
	int64_t since;            /* seconds since 1970 */
	bool came_late;           /* its token was about to expire */
	char address[SOCK_TEXT_MAX];
	struct tunnel *tunnel;    /* in LINK_UP and LINK_DRAINING */
	struct link *next_up;     /* of the tunnel */
	struct link *next, *prev; /* of the edge */
};

/* Takes a connector's connection. */
void link_accept(void *edge, int fd, const struct sock_addr *peer);

/* Ends a link and its streams. */
void link_close(struct link *l, enum frame_code code, enum frame_blame blame,
    const char *text);

/* Says that the edge goes away; open streams go on. */
void link_drain(struct link *l);

/* Checks the links of a tunnel against a new conf. */
void link_review(struct edge *edge, struct tunnel *t);

/* The link for the next stream: one that was not silent for long, with the
 * fewest streams, the newest of those.  Returns NULL with ENOTCONN (none is
 * up) or EMFILE (all are full). */
struct link *link_pick(const struct tunnel *t);

#endif
