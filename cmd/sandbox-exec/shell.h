/* SPDX-License-Identifier: ISC */
/* The shell of a session: started when it is first needed, it keeps directory,
 * variables, functions and background jobs from one command to the next.
 *
 * A command is quoted whole and given to eval, so that nothing in it can reach
 * beyond; what it prints comes through one pipe, and when it has ended the
 * shell says so with its status through another one, behind a number of this
 * command's own.  Whatever is in the first pipe then
 * is the rest of the output: nothing in it has to be searched for.
 *
 * No handler is called from inside a function of this header. */
#ifndef ADIT_SANDBOX_SHELL_H
#define ADIT_SANDBOX_SHELL_H

#include "cmd/sandbox-exec/box.h"
#include "cmd/sandbox-exec/tailtext.h"

enum {
	SHELL_NONCE_LEN = 32,
	SHELL_DIGITS_MAX = 3,   /* of a status */
	SHELL_CHUNK = 64 << 10, /* read at once */
};

enum shell_how {
	SHELL_DONE,      /* the command ended with a status */
	SHELL_TIMED_OUT, /* it was killed, and the shell with it */
	SHELL_DIED,      /* the shell ended, of the command's doing */
	SHELL_FAILED,    /* there is no shell; text says why */
};

struct shell_result {
	enum shell_how how;
	int status;        /* SHELL_DONE */
	bool truncated;
	struct bytes text; /* output, or why there is none */
};

struct shell_events {
	/* Output as it comes; returns how much was taken. */
	size_t (*output)(void *user, struct bytes in);
	/* The command has ended. */
	void (*ended)(void *user, const struct shell_result *r);
	/* The shell has ended between commands; another one can start. */
	void (*gone)(void *user);
};

/* The last of what came about statuses: nonce, space, digits, another. */
struct shell_tail {
	char at[SHELL_NONCE_LEN + 1 + SHELL_DIGITS_MAX + 1];
	size_t len;
};

enum shell_state {
	SHELL_NONE,
	SHELL_IDLE,
	SHELL_RUNNING,
	SHELL_DRAINING, /* the command has ended, its output comes */
	SHELL_ENDING,   /* it was killed and has not ended yet */
};

struct shell {
	struct ev_loop *loop;
	const struct shell_events *events;
	void *user;
	enum shell_state state;
	bool fallback;       /* it is /bin/sh */
	struct box *box;
	struct box_command command; /* the shell itself */
	int in_fd, out_fd, status_fd; /* -1: closed */
	int status_to;       /* the number of status_fd inside */
	ev_io writer, reader, status;
	ev_timer deadline;   /* of the command, then of its end */
	ev_timer rest;       /* a shell that floods while it is idle waits */
	struct buf first;    /* the command that waits for the shell to start */
	struct buf in;       /* not yet written */
	struct buf held;     /* output that was not taken yet */
	size_t left;         /* SHELL_DRAINING: bytes still in the pipe */
	struct shell_result result;
	struct error error;
	struct shell_tail tail;
	char nonce[SHELL_NONCE_LEN + 1];
	struct tailtext text;
};

void shell_init(struct shell *s, struct ev_loop *loop,
    const struct shell_events *events, void *user);
void shell_done(struct shell *s);

/* Whether a command can be run now. */
bool shell_is_free(const struct shell *s);

/* Runs a command, which holds no NUL, for at most ms, in a shell of box,
 * whose processes may have so many files (0: any number).  Returns 0, or -1
 * with a text. */
int shell_run(struct shell *s, struct box *box, int64_t files,
    struct bytes command, int64_t ms, struct error *e);

/* Output is taken again. */
void shell_resume(struct shell *s);

/* Kills the shell and all that it has started; gone tells when that is done.
 * Returns whether there was one. */
bool shell_stop(struct shell *s);

/* Appends what makes the shell run command and tell its status.  Returns 0, or
 * -1 with errno. */
int shell_quote(struct buf *out, struct bytes command, const char *nonce,
    int status_to, bool fallback);

/* Takes bytes of the status pipe.  Returns whether nonce and a status were
 * whole with them, and the last such status. */
bool shell_take_status(struct shell_tail *l, struct bytes in,
    const char *nonce, int *ret_status);

#endif
