/* SPDX-License-Identifier: ISC */
/* The local side: one hop that the streams of all links share, to a child on
 * a socket pair or to a Unix socket.  It is started again, with back-off, when
 * it ends; links stay up meanwhile and their new streams are refused. */
#ifndef TUNNEL_UP_LOCAL_H
#define TUNNEL_UP_LOCAL_H

#include "cmd/tunnel-up/retry.h"
#include "common/hop.h"

enum local_state {
	LOCAL_WAITING,  /* for the next attempt */
	LOCAL_STARTING, /* no HELLO yet */
	LOCAL_UP,
	LOCAL_ENDING,   /* the hop or the child is gone, the other not yet */
	LOCAL_STOPPED,
};

struct local_settings {
	struct hop_loop *loop;
	const char *path;            /* of the Unix socket, or NULL */
	char *const *command;        /* NULL-terminated, or NULL */
	const char *const *drop_env; /* not for the child */
	uint32_t streams;            /* of all links together */
	int64_t ping_ms;
	/* It came up, went down or stopped.  Not from inside local_start. */
	void (*changed)(void *user);
	void *user;
};

/* How a child that does not end by itself is made to. */
enum local_step { LOCAL_PATIENT, LOCAL_TERMINATED, LOCAL_KILLED };

struct local {
	struct local_settings settings;
	enum local_state state;
	enum local_step step;
	bool connected; /* hop is in use */
	bool greeted;   /* its HELLO came, this time */
	bool retired;   /* not started again */
	bool stopping;
	bool hangup;    /* for the child once it has said HELLO: before that
	                 * SIGHUP may end it */
	struct hop hop;
	pid_t pid;      /* of the child, 0: none */
	ev_child child;
	ev_timer timer;
	struct retry retry;
	struct error why;  /* of the end */
	int wait_status;
	int exit_status;   /* once stopped by itself, else 0 */
};

/* Begins.  Returns 0, or -1 with a text and an exit status in e->code if the
 * command cannot be executed; a socket that is not there is tried again. */
int local_start(struct local *l, const struct local_settings *settings,
    struct error *e);

/* Where streams can be opened, or NULL. */
struct chan *local_chan(struct local *l);

/* Passes SIGHUP on to the child, or tries again at once what waits for that. */
void local_hangup(struct local *l);

/* Once it has ended by itself, it is not started again. */
void local_retire(struct local *l);

/* Ends the hop in good order, waits for the child, then makes it end. */
void local_stop(struct local *l);

/* The same with less patience. */
void local_hurry(struct local *l);

void local_done(struct local *l);

#endif
