/* SPDX-License-Identifier: ISC */
/* The state directory: one file for each tunnel, the edge's certificate and
 * key, and the authority that signed it (tunnel-edge(8), FILES).  Files are
 * replaced whole, so a reader needs no lock; writers hold one. */
#ifndef ADIT_STATE_H
#define ADIT_STATE_H

#include "common/credential.h"
#include "common/error.h"

enum {
	STATE_NAME_MAX = CREDENTIAL_NAME_CAP,
	STATE_DOMAINS_MAX = 64,   /* of one tunnel, as are those below */
	STATE_TOKENS_MAX = 16,
	STATE_CERTS_MAX = 16,
	STATE_REVOKED_MAX = 64,   /* the newest are remembered */
	STATE_LINKS_DEFAULT = 16,
	STATE_LINKS_MAX = 1024,
	STATE_STREAMS_DEFAULT = 4096,
	STATE_STREAMS_MAX = 1 << 20,
	STATE_RATE_MIN = 1 << 10, /* bytes per second, unless 0: no limit */
	STATE_BURST_MIN = 64 << 10,
	STATE_BURST_PER_S = 100, /* at least so much of what a second gives */
	STATE_TUNNELS_MAX = 65536,
};

#define STATE_RATE_MAX (64LL << 30) /* and of the burst */

struct state_token {
	struct credential credential;
	int64_t created, expires; /* seconds since 1970; 0: never */
};

struct state_tunnel {
	char name[STATE_NAME_MAX];
	char *domains[STATE_DOMAINS_MAX]; /* owned, in lower case */
	size_t domain_count;
	struct state_token tokens[STATE_TOKENS_MAX];
	size_t token_count;
	struct credential certs[STATE_CERTS_MAX];
	size_t cert_count;
	struct credential revoked[STATE_REVOKED_MAX]; /* oldest first */
	size_t revoked_count;
	int64_t links_max, streams_max;
	int64_t rate, burst; /* bytes per second each way, 0: no limit; and
	                      * at once after a pause, not 0 with a rate */
};

struct state {
	const char *path;
	int dir_fd, tunnels_fd, lock_fd; /* -1: not open */
};

/* Creates the directory where it is missing, and opens it.  Returns 0, or -1
 * with a text. */
int state_create(const char *path, struct state *ret, struct error *e);

/* Opens a directory that state_create made.  Returns 0, or -1 with a text. */
int state_open(const char *path, struct state *ret, struct error *e);
void state_close(struct state *s);

/* Waits until no other process writes; state_close lets the next one in.
 * Returns 0, or -1 with a text. */
int state_lock(struct state *s, struct error *e);

/* The tunnel that a name in tunnels/ is the file of.  Returns 0, or -1 if it
 * is none. */
int state_parse_file_name(const char *file, char ret[static STATE_NAME_MAX]);

/* Calls each with the name of every tunnel, in order, until it returns not 0.
 * Returns that, 0 at the end, or -1 with a text. */
int state_each(struct state *s, int (*each)(void *user, const char *name),
    void *user, struct error *e);

/* Reads a tunnel, to be freed with state_free.  Returns it, or NULL with a
 * text and e->code ENOENT when there is none. */
struct state_tunnel *state_read(struct state *s, const char *name,
    struct error *e);
void state_free(struct state_tunnel *t);

/* Makes a tunnel of that name with default limits. */
struct state_tunnel *state_new(const char *name);

/* Replaces, or removes, the file of a tunnel.  Returns 0, or -1 with a
 * text. */
int state_write(struct state *s, const struct state_tunnel *t,
    struct error *e);
int state_remove(struct state *s, const char *name, struct error *e);

/* Each adds to t.  Returns 0, or -1 with a text when t is full, has it, or a
 * domain is no host name. */
int state_add_domain(struct state_tunnel *t, const char *domain,
    struct error *e);
int state_add_token(struct state_tunnel *t, const struct state_token *token,
    struct error *e);
int state_add_cert(struct state_tunnel *t, const struct credential *cert,
    struct error *e);

/* Sets rate and burst; a burst of 0 is what a second gives.  A rate of 0 is no
 * limit and takes no burst.  Returns 0, or -1 with a text. */
int state_set_rate(struct state_tunnel *t, int64_t rate, int64_t burst,
    struct error *e);

/* Takes the i-th token, or certificate, out and remembers it as revoked. */
void state_revoke_token(struct state_tunnel *t, size_t i);
void state_revoke_cert(struct state_tunnel *t, size_t i);

#endif
