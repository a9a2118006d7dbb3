/* SPDX-License-Identifier: ISC */
/* What all connections of one mcp-proxy share. */
#ifndef ADIT_MCP_PROXY_PROXY_H
#define ADIT_MCP_PROXY_PROXY_H

#include "cmd/mcp-proxy/audit.h"
#include "cmd/mcp-proxy/config.h"
#include "cmd/mcp-proxy/leaving.h"
#include "cmd/mcp-proxy/stray.h"
#include "common/hop.h"
#include "common/http.h"
#include "common/quiet.h"

enum {
	PROXY_READ_LEN = 64 << 10,     /* read from a connection at once */
	PROXY_READS_PER_TURN = 4,      /* then others have their turn */
	PROXY_OUT_MAX = 4 << 20,       /* composed from one read */
	PROXY_REQUEST_WAITING_MAX = 16 << 10, /* read ahead of a request that
	                                * can not go on yet */
};

/* Memory of a connection that has ended, kept until the events of this turn
 * of the loop are over; the first member of whatever uses it. */
struct corpse {
	struct corpse *next;
};

/* What has been, for the metrics. */
struct counts {
	uint64_t connections, requests, failures, denials;
	uint64_t bytes_in, bytes_out; /* of bodies */
	int64_t request_ms;
};

struct bridge;
struct downstream;
struct kept;
struct policy;

struct proxy {
	struct ev_loop *ev;
	struct config *config;          /* in use, another one after a
	                                 * reload; NULL: none yet */
	struct hop_loop hops;
	struct quiet quiet;             /* failed requests, by code */
	struct counts counts;
	struct audit audit;
	struct leaving leaving;
	struct tls_context *server_tls;
	struct tls_context *client_tls; /* NULL without an https route */
	struct bridge *bridges;         /* also of routes that are no more */
	size_t process_count;           /* of all bridges */
	struct stray_rules strays;
	uint64_t last_serial;           /* of a process */
	struct policy *policy;
	struct kept *kept;              /* files of routes */
	ev_timer kept_look;
	struct downstream *downstreams;
	struct downstream *waiting_first, *waiting_last; /* for whole
	                                 * requests, in the order of waits_ms */
	size_t downstream_count;
	size_t downstream_peak;         /* since memory was given back */
	uint64_t era;                   /* configurations that were in use:
	                                 * what was dialed by the rules of one
	                                 * is not used again in the next */
	bool draining;                  /* no request after the current */
	void (*emptied)(struct proxy *p); /* the last downstream, or the last
	                                 * process, went */
	void (*prepared)(struct proxy *p); /* a program compiles, or does
	                                * not; may be NULL */
	struct corpse *dead;
	struct service *dead_services;
	ev_prepare reaper;

	/* Scratch of the connection whose turn it is; of no meaning between
	 * two events. */
	struct http_head head;
	struct buf out;
	uint8_t in[PROXY_READ_LEN];
};

/* Frees c when the events of this turn are over. */
static inline void
proxy_bury(struct proxy *p, struct corpse *c)
{
	c->next = p->dead;
	p->dead = c;
}

#endif
