/* SPDX-License-Identifier: ISC */
/* A sandbox in which the tools of one session run: a child
 * "sandbox-exec --serve", spoken to in frames (adit-frame(5), SANDBOXES).
 * One call at a time.  If the child dies, the next call starts another. */
#ifndef ADIT_WORKER_SANDBOX_H
#define ADIT_WORKER_SANDBOX_H

#include <ev.h>

#include "common/buf.h"
#include "common/error.h"

enum {
	SANDBOX_INPUT_MAX = 8 << 20, /* of one call */
	SANDBOX_TEXT_MAX = 16 << 20, /* of one result */
	SANDBOX_BUILD_MS = 60000,
};

struct sandbox_settings {
	struct ev_loop *ev;       /* the default loop, for ev_child */
	const char *const *argv;  /* sandbox-exec with its options;
	                           * of the caller, all the time */
	struct bytes policy;      /* of the session, a JSON object; copied */
};

struct sandbox_result {
	bool is_error, timed_out, truncated;
	int64_t exit;             /* of a command; -1: there is none */
	int64_t duration_ms;
	struct bytes text;
};

struct sandbox_events {
	/* It stands; isolation is that of the status of sandbox-exec(1). */
	void (*ready)(void *user, const char *workdir,
	    struct bytes isolation);
	/* It could not be built, or has died; a call under way has got its
	 * result. */
	void (*failed)(void *user, const struct error *e);
	/* The end of a call. */
	void (*done)(void *user, const struct sandbox_result *r);
	/* Something comes out of the command that runs. */
	void (*progress)(void *user);
	/* After sandbox_stop: the child and all that was in it are gone. */
	void (*stopped)(void *user);
};

struct sandbox;

/* Begins to build it.  Nothing is called from inside.  Returns NULL with
 * a text. */
struct sandbox *sandbox_new(const struct sandbox_settings *s,
    const struct sandbox_events *events, void *user, struct error *e);

/* Ends it: a call under way is cancelled, and stopped is called, at the latest
 * when the child was killed for not obeying.  Not from inside an event. */
void sandbox_stop(struct sandbox *s);

/* Kills what is left.  Not from inside an event.  s may be NULL. */
void sandbox_free(struct sandbox *s);

/* Starts a call of a tool; input is a JSON object, of at most
 * SANDBOX_INPUT_MAX bytes.  There must be none under way.  Returns 0 or -1 with
 * a text. */
int sandbox_call(struct sandbox *s, const char *tool, struct bytes input,
    struct error *e);

/* Kills what runs; done is not called. */
void sandbox_cancel(struct sandbox *s);

#endif
