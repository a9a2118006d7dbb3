/* SPDX-License-Identifier: ISC */
/* One edge address and the link that is kept to it: dials, dials again with
 * back-off, and stops when the edge refuses for good. */
#ifndef TUNNEL_UP_SLOT_H
#define TUNNEL_UP_SLOT_H

#include "cmd/tunnel-up/link.h"
#include "common/sock.h"

enum { SLOT_OLD_MAX = 8 }; /* links that drain at once */

enum slot_state {
	SLOT_IDLE,    /* not started */
	SLOT_WAITING, /* for the next dial */
	SLOT_TRYING,  /* link is on its way */
	SLOT_UP,
	SLOT_STOPPED, /* dials no more; links may still drain */
};

struct slot;

struct slot_settings {
	struct link_settings link; /* without edge, host, port, instance */
	const struct settings *settings;
	struct credentials *credentials;
	bool once;                 /* stop after the first failure */
	/* Whether s may have another stream; if there is a local side. */
	bool (*admits)(void *user, const struct slot *s);
	void (*changed)(void *user);
	void *user;
};

struct slot {
	const struct slot_settings *settings;
	struct link_settings link_settings;
	enum slot_state state;
	char host[SOCK_HOST_MAX];
	char instance[HOP_NAME_MAX], domain[HOP_DOMAIN_MAX];
	int64_t generation;     /* of the last link */
	struct link *link;      /* trying or up */
	struct link *old;       /* links that drain */
	ev_timer timer;
	struct retry retry;
	struct failure failure; /* the last */
	uint64_t up_count, failure_count; /* of links */
};

/* Prepares the slot of the edge "host:port" with this index, starting at 0.
 * Returns 0, or -1 with a text. */
int slot_init(struct slot *s, const struct slot_settings *settings,
    const char *edge, size_t index, struct error *e);

void slot_start(struct slot *s);

/* Dials at once if there is no link, though it waits, or was refused for
 * good. */
void slot_redial(struct slot *s);

/* Lets open streams end, and dials no more. */
void slot_drain(struct slot *s);

/* Closes the draining links that have no stream left. */
void slot_sweep(struct slot *s);

/* Closes every link at once. */
void slot_close(struct slot *s);

bool slot_has_links(const struct slot *s);

/* Streams open on all of its links. */
size_t slot_count_streams(const struct slot *s);

void slot_done(struct slot *s);

#endif
