/* SPDX-License-Identifier: ISC */
/* A session: a sandbox that lives on between tool calls, with a shell that
 * keeps its state and a process for the file tools, both started when they
 * are first needed.
 *
 * Calls run one after the other in the order of session_call.  Whatever dies
 * inside costs the call that runs; the next one builds it anew.  Nothing here
 * blocks and no handler is called from inside a function of this header. */
#ifndef ADIT_SANDBOX_SESSION_H
#define ADIT_SANDBOX_SESSION_H

#include <ev.h>

#include "cmd/sandbox-exec/audit.h"
#include "cmd/sandbox-exec/box.h"

enum {
	SESSION_INPUT_MAX = 8 << 20, /* of one call */
	SESSION_CALLS_MAX = 256,     /* waiting in one session */
	SESSION_CALL_MS = 120000,    /* unless the call says otherwise */
};

struct session_events {
	/* The sandbox stands, also when it was built anew. */
	void (*ready)(void *user, const struct box_facts *facts);
	/* It could not be built; calls that wait get the reason as their
	 * result. */
	void (*failed)(void *user, const struct error *e);
};

/* References must outlive the session but for policy. */
struct session_settings {
	struct ev_loop *loop;
	struct zygote *zygote;
	struct bytes policy;    /* JSON with settings of its own; or empty */
	struct audit *audit;
	bool audit_input;       /* show the input of calls, not only its
				 * digest */
	int64_t call_ms_max;    /* 0: none but the policy's time */
	const struct session_events *events; /* NULL: nobody is told */
	void *user;             /* of events */
};

struct session;
struct call;

/* Returns NULL with errno (ENOMEM).  Nothing is built yet. */
struct session *session_new(const struct session_settings *s);

/* Builds the sandbox unless it stands or is being built; a call does so too.
 * How it went is told by events. */
void session_build(struct session *s);

/* Cancels every call, kills all that is in the sandbox and frees s. */
void session_free(struct session *s);

struct call_result {
	bool is_error, timed_out, truncated;
	int exit;          /* of the command; -1: there is none */
	struct bytes text; /* UTF-8, never empty; valid until done returns */
	int64_t duration_ms;
};

struct call_events {
	/* Output of a command as it comes, raw bytes.  Returns how many were
	 * taken; after less than offered it waits for call_resume.  NULL:
	 * nobody wants it. */
	size_t (*output)(void *user, struct bytes in);
	/* Once, and the call is gone when it returns. */
	void (*done)(void *user, const struct call_result *r);
};

/* Queues a call of a tool with its input, a JSON object that is copied and
 * not yet checked.  An unknown tool and an input that makes no sense are
 * results.  Returns it, or NULL with EMSGSIZE, EAGAIN (SESSION_CALLS_MAX) or
 * ENOMEM. */
struct call *session_call(struct session *s, const char *tool,
    struct bytes input, const struct call_events *events, void *user);

/* Takes output again. */
void call_resume(struct call *c);

/* Kills what runs for c, frees it, and calls nothing. */
void call_cancel(struct call *c);

/* A command beside the calls; see box.h.  Returns the session's box, or NULL
 * until ready was told. */
struct box *session_box(struct session *s);

#endif
