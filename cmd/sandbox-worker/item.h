/* SPDX-License-Identifier: ISC */
/* One item of work, from its claim to its release: the lease is kept, the
 * session's files are brought, its sandbox is built, its calls are run, and
 * all is taken away again.  One per process, in one loop.
 *
 * item.c leads through the phases; item_prepare.c brings all there has to be;
 * item_lease.c beats; item_stream.c reads the events; item_call.c runs the
 * calls and posts their results. */
#ifndef ADIT_ITEM_H
#define ADIT_ITEM_H

#include <ev.h>

#include "cmd/sandbox-worker/api.h"
#include "cmd/sandbox-worker/audit.h"
#include "cmd/sandbox-worker/content.h"
#include "cmd/sandbox-worker/lease.h"
#include "cmd/sandbox-worker/ledger.h"
#include "cmd/sandbox-worker/place.h"
#include "cmd/sandbox-worker/report.h"
#include "cmd/sandbox-worker/sandbox.h"
#include "cmd/sandbox-worker/sandbox_command.h"
#include "cmd/sandbox-worker/settings.h"
#include "cmd/sandbox-worker/work.h"
#include "common/sse.h"

enum {
	ITEM_PATH_MAX = 4096,          /* of a request */
	ITEM_POST_WINDOW_MS = 300000,  /* for a result, if no TTL is known */
	ITEM_PART_MS = 15000,          /* for the last result, at SIGTERM */
	ITEM_LOCK_MS = 10000,          /* for another worker to end */
	ITEM_FETCH_MS = 2000,          /* for a session not needed any more */
	ITEM_STOP_MS = 10000,          /* for the release */
	ITEM_FLUSH_MS = 10000,         /* for memory stores, at SIGTERM */
};

enum item_phase {
	ITEM_FETCHING,   /* the session */
	ITEM_LOCKING,    /* the working directory */
	ITEM_PREPARING,  /* skills and memory stores */
	ITEM_CHOOSING,   /* the policy */
	ITEM_BUILDING,   /* the sandbox */
	ITEM_ATTENDING,  /* to the events */
	ITEM_PARTING,    /* a last result goes out */
	ITEM_CLOSING,    /* who wants the session yet may have it */
	ITEM_ENDING,     /* the sandbox ends */
	ITEM_ENDED,      /* it has */
	ITEM_STORING,    /* memory stores get what is new */
	ITEM_RELEASING,  /* the item is stopped */
	ITEM_OVER,
};

/* Why it is left; the first reason stays. */
enum item_reason {
	REASON_NONE,
	REASON_IDLE,     /* the session's turn is over */
	REASON_ENDED,    /* the session is */
	REASON_NOTHING,  /* there is nothing to do */
	REASON_LEASE,    /* see lease.end */
	REASON_SIGNAL,
	REASON_FAILED,
	REASON_STALLED,
};

/* Skills and memory stores. */
enum item_content {
	ITEM_CONTENT_NONE,
	ITEM_CONTENT_WANTED,
	ITEM_CONTENT_COMING,
	ITEM_CONTENT_READY,
	ITEM_CONTENT_OVER, /* it was taken away, or could not be brought */
};

struct item {
	const struct settings *settings;
	struct work work;
	struct api *api;
	struct ev_loop *ev;
	enum item_phase phase;
	enum item_reason reason;
	ev_timer step;         /* something has happened: look at it all */
	ev_timer guard;        /* of idle time, stalling, the phase's end */
	ev_signal term, interrupt;
	int64_t progress_ms;   /* when something last went forward */
	int64_t phase_ms;      /* when the phase began */

	struct lease lease;
	ev_timer beat_timer;
	struct api_job *beat;
	int64_t beat_ms;       /* when it began */

	struct api_job *fetch;
	struct buf session;    /* its JSON */
	enum item_content content_state;
	struct content *content; /* from COMING on */
	struct content_mount mounts[CONTENT_MOUNTS_MAX];
	size_t mount_count;

	struct place place;
	struct chooser *chooser;
	struct sandbox_command command;
	struct sandbox *sandbox;
	struct buf policy;
	int sandbox_deaths;    /* in a row, without a result in between */

	struct ledger ledger;
	struct sse sse;
	struct api_job *stream, *list, *post, *stop;
	ev_timer stream_timer, list_timer, post_timer, tool_timer;
	int stream_failures, list_failures, post_failures;
	char stream_why[200];  /* what an event said about its end, or "" */
	bool list_again;       /* when the one that runs has ended */
	int64_t list_limit;
	int list_pages;
	char list_page[1024];
	bool ambiguous;        /* an attempt to post may have arrived */
	int64_t post_ms;       /* when the first attempt began */
	int64_t tool_ms;       /* when the tool began */

	struct audit audit;
	struct audit_relay *relay; /* of the sandbox's lines to audit */
	struct report report;
	int status;            /* of the process */
};

/* Serves the item to its end.  token: of the work secret, or NULL: calls show
 * the environment key.  Returns the exit status. */
int item_run(const struct settings *s, const struct work *work,
    const char *token);

/* Leaves for this reason, unless there is one already. */
void item_leave(struct item *i, enum item_reason reason);
void item_fail(struct item *i, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Something has changed: item.c will look, but not from inside. */
void item_kick(struct item *i);
void item_progress(struct item *i);

/* Goes to a phase, and whether that was so long ago. */
void item_set_phase(struct item *i, enum item_phase phase);
bool item_is_late(const struct item *i, int64_t ms);

/* Starts a timer of the item, or starts it again, to fire in ms. */
void item_set_timer(struct item *i, ev_timer *w, int64_t ms);

/* Starts a call of the API with the usual settings for this item. */
struct api_job *item_request(struct item *i, const struct api_request *r,
    const struct api_events *events);

/* Writes "/v1/sessions/ID" and tail to out. */
void item_session_path(const struct item *i, const char *tail,
    char out[static ITEM_PATH_MAX]);
void item_work_path(const struct item *i, const char *tail,
    char out[static ITEM_PATH_MAX]);

/* item_prepare.c: each begins a phase, or looks whether it can end. */
void item_fetch_session(struct item *i);
void item_lock_place(struct item *i);
void item_choose_policy(struct item *i);

/* item_lease.c */
void item_init_lease(struct item *i);
void item_beat(struct item *i);
void item_stop_beating(struct item *i);

/* item_stream.c */
void item_init_stream(struct item *i);
void item_open_stream(struct item *i);
void item_close_stream(struct item *i);
void item_list(struct item *i);

/* item_call.c */
void item_init_call(struct item *i);
void item_next_call(struct item *i);
void item_cancel_call(struct item *i, const char *why);
void item_drop_call(struct item *i);
bool item_owns_tool(const char *name);
extern const struct sandbox_events item_sandbox_events;

#endif
