/* SPDX-License-Identifier: ISC */
/* One link: one connection to an edge from the dial to its end.  A slot makes
 * a new one for each attempt. */
#ifndef TUNNEL_UP_LINK_H
#define TUNNEL_UP_LINK_H

#include "cmd/tunnel-up/credentials.h"
#include "cmd/tunnel-up/dial.h"
#include "cmd/tunnel-up/local.h"

enum link_state {
	LINK_DIALING,
	LINK_HANDSHAKE, /* TLS */
	LINK_GREETING,  /* HELLO and AUTH are sent, no HELLO came */
	LINK_UP,
	LINK_DRAINING,  /* no new streams; the open ones go on */
};

struct link;

/* What every link of a slot has in common. */
struct link_settings {
	struct hop_loop *loop;
	struct dialer *dialer;
	struct local *local; /* NULL: streams are refused */
	const struct credentials *credentials;
	const struct proxy *proxy;
	const char *edge;        /* as given, for logs */
	const char *host;
	uint16_t port;
	const char *server_name; /* that the certificate must have */
	const char *instance;
	int64_t ping_ms, timeout_ms;
	/* Whether the edge may open another stream; if there is a local. */
	bool (*admits)(void *user);
	/* The edge accepted us. */
	void (*up)(void *user, struct link *l, const struct hop_peer *peer);
	/* The edge asks us to dial again; open streams go on. */
	void (*draining)(void *user, struct link *l);
	/* The link has ended and is freed on return; once per link. */
	void (*down)(void *user, struct link *l, const struct failure *why);
	void *user;
};

struct link {
	const struct link_settings *settings;
	enum link_state state;
	int64_t generation;
	struct dial *dial; /* while LINK_DIALING */
	struct tls *tls;   /* ours in LINK_HANDSHAKE, then the hop's */
	bool told;         /* the edge sent the GOAWAY that ends it */
	ev_io io;          /* of the handshake */
	ev_timer deadline;
	struct hop hop;    /* from LINK_GREETING on */
	struct link *next; /* in its slot */
};

/* Begins to dial.  Returns NULL and why if it cannot. */
struct link *link_start(const struct link_settings *settings,
    int64_t generation, struct failure *ret_why);

/* Asks the edge to open no more streams here.  A link that is not up is
 * closed. */
void link_drain(struct link *l);

/* Whether no stream is open. */
bool link_is_idle(const struct link *l);

/* Ends it; down follows, or came from inside. */
void link_close(struct link *l, enum frame_code code, const char *text);

/* Frees it without a word to anybody. */
void link_free(struct link *l);

#endif
