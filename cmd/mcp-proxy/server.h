/* SPDX-License-Identifier: ISC */
/* Where agents' connections come from: hops on standard input and output or on
 * a Unix socket, and a TLS listener; and how it all ends. */
#ifndef ADIT_MCP_PROXY_SERVER_H
#define ADIT_MCP_PROXY_SERVER_H

#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/setup.h"
#include "common/promfile.h"

enum {
	SERVER_ACCEPTS_PER_TURN = 64,
	SERVER_SPARE_PART = 64, /* of limits.streams is kept free */
	SERVER_CROWD = 64,     /* connections whose end gives memory back */
	SERVER_WARN_MS = 10000, /* between two warnings of refused agents */
	SERVER_RETRY_MS = 100, /* to accept again when descriptors ran out */
};

struct server_sources {
	bool check;              /* none: files are only looked at */
	bool level_from_file;    /* neither -v nor -q was given */
	const char *config_path; /* read anew on SIGHUP */
	bool stdio;
	const char *listen_path; /* Unix socket for hops, or NULL */
	const char *listen_tls;  /* address for TLS, or NULL */
	const char *metrics;     /* see promfile.h, or NULL */
};

struct listener {
	struct server *server;
	ev_io io;
	ev_timer retry;
	int fd; /* -1: none */
	int64_t warned_ms; /* that accept(2) failed */
	void (*accepted)(struct server *s, int fd,
	    const struct sock_addr *peer);
};

struct server_hop;

enum reload_state {
	RELOAD_NONE,
	RELOAD_PREPARING, /* programs compile; setup is set */
	RELOAD_AGAIN,     /* the same, and SIGHUP came meanwhile */
};

/* A configuration that is not in use yet. */
struct server_reload {
	enum reload_state state;
	struct setup setup;
	ev_timer look; /* at how the programs do */
};

struct server {
	struct proxy proxy;
	struct keys keys;
	struct server_reload reload;
	struct listener hop_listener, tls_listener;
	const char *listen_path, *config_path;
	bool level_from_file;
	bool listens_by_file; /* on listen_addr */
	struct server_hop *hops;
	bool stdio;
	uint16_t tls_port;
	ev_signal sigterm, sigint, sighup;
	ev_timer shutdown;
	int64_t warned_ms;   /* that agents are refused */
	int64_t started_s;   /* since 1970 */
	struct promfile promfile;
	int status;          /* of the process */
};

/* Opens everything that can fail.  c, from malloc, is taken over.  Returns 0,
 * or -1 with a text and e->code, an exit status. */
int server_start(struct server *s, struct ev_loop *ev, struct config *c,
    const struct server_sources *sources, struct error *e);

/* Serves until told to end or the hop on standard input does.  Returns an exit
 * status. */
int server_run(struct server *s);

/* Frees everything, also of a server that did not start. */
void server_done(struct server *s);

#endif
