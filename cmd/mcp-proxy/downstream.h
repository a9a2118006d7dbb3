/* SPDX-License-Identifier: ISC */
/* A connection of an agent: inner TLS, then requests one after the other. */
#ifndef ADIT_MCP_PROXY_DOWNSTREAM_H
#define ADIT_MCP_PROXY_DOWNSTREAM_H

#include "cmd/mcp-proxy/exchange.h"
#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/watchdog.h"
#include "cmd/mcp-proxy/wire.h"

enum {
	DOWNSTREAM_TRACE_LEN = 32,
	DOWNSTREAM_LINGER_MS = 2000, /* for the agent to read the last words */
	DOWNSTREAM_GRACE_MS = 5000,  /* to wait, before others come first */
};

enum downstream_state {
	DOWNSTREAM_SHAKING, /* hands, TLS */
	DOWNSTREAM_HEAD,    /* between requests, or in a head */
	DOWNSTREAM_EXCHANGE,
	DOWNSTREAM_LINGER,  /* our end is sent; what comes is dropped */
	DOWNSTREAM_CLOSED,
};

struct downstream {
	struct corpse corpse;
	struct proxy *proxy;
	struct downstream *next, *prev;
	struct downstream *waiting_next, *waiting_prev;
	int64_t waits_ms;      /* for a whole request since; 0: has it */
	enum downstream_state state;
	struct wire wire;
	struct watchdog watchdog;
	bool ended;            /* the agent sends no more */
	bool blank_skipped;    /* one empty line before a request */
	bool head_begun;       /* bytes of a head have come */
	struct http_scan scan;
	struct buf rx;         /* not yet used */
	struct exchange exchange;
	char trace[DOWNSTREAM_TRACE_LEN + 1];
	char peer[SOCK_TEXT_MAX];
	bool named;            /* by the server name of TLS */
	bool has_cert;         /* the agent has shown one in TLS */
	struct credential cert;
	uint64_t request_count;
};

/* Starts a connection on a socket, which it owns, or on a stream, whose user
 * it becomes.  trace and peer: from OPEN; NULL or "" makes a trace and asks
 * the socket.  On failure the socket is closed or the stream reset. */
void downstream_start_fd(struct proxy *p, int fd,
    const struct sock_addr *peer);
void downstream_start_stream(struct proxy *p, struct chan *c,
    struct chan_stream *s, const char *trace, const char *peer);

/* The stream is gone. */
void downstream_lost(struct downstream *d, const struct frame_reason *why);

/* Closes the connection that has waited longest for a whole request, unless
 * that is not long yet. */
void downstream_make_room(struct proxy *p);

/* Closes every connection that carries no request; the others after it. */
void downstream_drain_all(struct proxy *p);

/* Ends streams that would go on for ever under routes that are no more. */
void downstream_leave_routes(struct proxy *p);

/* Ends what goes on for agents that may call no more. */
void downstream_leave_agents(struct proxy *p);

/* Resets every connection. */
void downstream_abort_all(struct proxy *p);

/* ---- for the exchange ---- */

/* The response was passed on whole; keep: another request may come. */
void downstream_finished(struct downstream *d, bool keep);

/* The request failed before anything of a response was passed on: answers it
 * ourselves. */
void downstream_failed(struct downstream *d, const struct failure *why);

/* It failed later: cuts the connection off. */
void downstream_cut(struct downstream *d, const struct failure *why);

/* Sends bytes to the agent.  Returns 0, or -1: the connection is closed. */
int downstream_send(struct downstream *d, struct bytes in);

/* Goes on with the bytes that wait, or reads again. */
void downstream_resume(struct downstream *d);

/* Calls exchange_expired unless told again within ms; 0: never. */
void downstream_watch(struct downstream *d, int64_t ms);

#endif
