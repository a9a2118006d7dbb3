/* SPDX-License-Identifier: ISC */
/* The file tools' process of a session, as the supervisor sees it: started
 * when it is first needed, one call at a time.  It runs inside the sandbox,
 * where the payload may do to it what it can, so what it says is bytes from a
 * stranger.
 *
 * No handler is called from inside a function of this header. */
#ifndef ADIT_SANDBOX_TOOLCLIENT_H
#define ADIT_SANDBOX_TOOLCLIENT_H

#include "cmd/sandbox-exec/box.h"
#include "common/buf.h"

enum {
	TOOLCLIENT_MS = 65000, /* of a call; the tools end themselves before */
};

struct toolclient_events {
	/* A call has been answered: is_error, text; or could not be (failed
	 * says why). */
	void (*ended)(void *user, bool is_error, struct bytes text,
	    const char *failed);
	/* The process has ended between calls. */
	void (*gone)(void *user);
};

enum toolclient_state {
	TOOLCLIENT_NONE,
	TOOLCLIENT_IDLE,
	TOOLCLIENT_CALLING,
	TOOLCLIENT_ENDING, /* it was killed and has not ended yet */
};

struct toolclient {
	struct ev_loop *loop;
	const struct toolclient_events *events;
	void *user;
	enum toolclient_state state;
	bool told;            /* the call has been answered */
	struct box *box;
	struct box_command command;
	int fd;               /* -1: none */
	ev_io reader, writer;
	ev_timer deadline;
	struct buf in, out;   /* what was read, what is to be written */
};

void toolclient_init(struct toolclient *t, struct ev_loop *loop,
    const struct toolclient_events *events, void *user);
void toolclient_done(struct toolclient *t);

bool toolclient_is_free(const struct toolclient *t);

/* Calls a tool with its input.  Returns 0, or -1 with a text. */
int toolclient_call(struct toolclient *t, struct box *box, const char *tool,
    struct bytes input, struct error *e);

/* Kills the process; gone tells when that is done.  Returns whether there was
 * one. */
bool toolclient_stop(struct toolclient *t);

#endif
