/* SPDX-License-Identifier: ISC */
/* The content process of a session, seen from the process that runs it: it
 * brings the skills and the memory stores, keeps the stores in step, and
 * takes all of it away again.  It works and waits there, so that no download
 * delays a heartbeat or a result; here, nothing blocks.
 *
 * Credentials reach it through its socket, not its arguments or
 * environment. */
#ifndef ADIT_WORKER_CONTENT_H
#define ADIT_WORKER_CONTENT_H

#include <ev.h>

#include "cmd/sandbox-worker/api.h"
#include "cmd/sandbox-worker/memory.h"

enum {
	CONTENT_MOUNTS_MAX = 8,           /* memory stores of a session */
	CONTENT_FINISH_MS = 100000,       /* for content_finish, at most */
	CONTENT_SESSION_MAX = 8 << 20,    /* bytes of a session's JSON */
};

struct content_settings {
	struct api_settings api;
	const char *workdir;   /* on the host: gets skills/NAME */
	const char *inside;    /* where that is shown in the sandbox */
	const char *state_dir; /* on the host, private to this session and not
	                        * below workdir: gets memory/N */
	int64_t sync_ms;       /* between two syncs; 0: no memory stores */
	enum memory_deletes deletes;
	/* For the lines of its log, see log.h; each may be NULL. */
	bool log_json;
	const char *environment_id, *work_id, *session_id;
};

/* What is to be shown in the sandbox before the first tool call. */
struct content_mount {
	const char *host, *inside;
	bool read_only;
};

struct content_events {
	/* Once: skills and stores are there, or, with e, the item fails (its
	 * skills and stores are gone again).  The mounts are valid until
	 * content_free. */
	void (*ready)(void *user, const struct content_mount *mounts,
	    size_t count, const struct error *e);
	/* Once, after content_finish: everything is taken away, or that
	 * failed and was said on standard error. */
	void (*finished)(void *user);
};

struct content;

/* Starts the process for a session, whose JSON is that of GET
 * /v1/sessions/ID.  No event comes from inside.  Returns NULL with a text. */
struct content *content_start(struct ev_loop *loop,
    const struct content_settings *s, struct bytes session,
    const struct content_events *events, void *user, struct error *e);

/* After each tool call, when content is ready: a sync begins if it is
 * time. */
void content_sync(struct content *c);

/* The tools have ended.  clean: the session came to its own end, and the
 * stores get their final sync; otherwise only what changed is uploaded.  May
 * be called at any time, also before ready, which then does not come. */
void content_finish(struct content *c, bool clean);

/* Kills the process if it is still there.  c may be NULL. */
void content_free(struct content *c);

/* The process ("sandbox-worker content"), its socket on standard input.  It
 * does not return, though main may say so. */
int content_main(void);

#endif
