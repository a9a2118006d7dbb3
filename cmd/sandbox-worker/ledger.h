/* SPDX-License-Identifier: ISC */
/* The ledger of a session's tool calls: which were seen, answered, allowed,
 * held back; which one runs next; and when the session is over.  Pure: events
 * go in, the next step comes out, memory has limits.  Times are clock_ms. */
#ifndef ADIT_LEDGER_H
#define ADIT_LEDGER_H

#include "cmd/sandbox-worker/event.h"
#include "common/buf.h"

enum {
	LEDGER_CALLS_MAX = 1 << 18,   /* of a session, all told */
	LEDGER_INPUT_MAX = 64 << 20,  /* bytes of all that wait */
	LEDGER_THREADS_MAX = 4096,    /* that have ended */
	LEDGER_POSTS_MAX = 3,         /* of one result, in further passes */
};

enum call_state {
	CALL_UNKNOWN,  /* a result or a verdict came before it */
	CALL_LISTED,   /* a pass over the history met it */
	CALL_FOREIGN,  /* somebody else's to answer */
	CALL_HELD,     /* until a verdict comes */
	CALL_QUEUED,
	CALL_RUNNING,
	CALL_POSTING,
	CALL_UNPOSTED, /* it ran, but its result did not get through */
	CALL_DONE,     /* answered, denied, or nobody waits for it */
};

struct ledger_call {
	char *id, *name, *thread;
	enum call_state state;
	bool custom;             /* agent.custom_tool_use */
	bool answered;           /* a result is known to be there */
	bool in_pass;            /* of the history, not of the stream */
	bool cancel;             /* kill it: it was interrupted */
	bool has_result;
	bool is_error;
	enum event_permission permission;
	enum event_verdict verdict;
	int posts;               /* rounds of attempts so far */
	const char *refusal;     /* answer with this, and do not run it */
	struct buf input;        /* JSON */
	struct buf result;       /* text */
	struct ledger_call *next;    /* in the queue */
	struct ledger_call *chained; /* in the table */
};

struct ledger {
	int64_t max_idle_ms;     /* 0: it never gets bored */
	bool (*owns)(const char *name); /* whether we have that tool */
	struct ledger_call **table;
	size_t table_size, count, threads_count, input_len;
	char **threads;
	uint32_t seed;
	struct ledger_call *first, *last; /* the queue */
	struct ledger_call *current;      /* that runs or is posted */
	struct ledger_call *held;         /* linked by next */
	/* The pass over the history. */
	struct ledger_call **pass;
	size_t pass_count, pass_size;
	bool pass_idle, pass_ended, live_since;
	/* The idle clock. */
	bool armed, armed_by_pass, stale;
	int64_t since_ms;        /* armed, and nothing to wait for */
	bool ended;              /* the session is */
};

/* owns says which tools are ours. */
void ledger_init(struct ledger *l, int64_t max_idle_ms,
    bool (*owns)(const char *name));
void ledger_done(struct ledger *l);

/* Goes through the history: begin, each event, end (whole: all pages were
 * read).  The functions that may fail return 0, or -1 with a text: the session
 * cannot be served. */
void ledger_begin_pass(struct ledger *l);
int ledger_add_history(struct ledger *l, const struct event *ev,
    struct error *e);
void ledger_end_pass(struct ledger *l, bool whole, int64_t now_ms);

/* An event of the stream. */
int ledger_add_live(struct ledger *l, const struct event *ev, int64_t now_ms,
    struct error *e);

/* A call that is too large to be read: it is refused with this text, which is
 * kept by reference. */
int ledger_refuse(struct ledger *l, const struct event *ev, const char *text,
    int64_t now_ms, struct error *e);

/* The next call, if none is under way: to be run, or, with has_result, only
 * to be posted.  NULL: nothing to do. */
struct ledger_call *ledger_take(struct ledger *l, int64_t now_ms);

/* The call of ledger_take has this result.  Returns whether it is to be
 * posted: somebody else may have answered. */
bool ledger_set_result(struct ledger *l, bool is_error, struct bytes text,
    int64_t now_ms);

enum ledger_post {
	POST_ACCEPTED,
	POST_REFUSED, /* for good, as it seems */
	POST_FAILED,  /* it may have arrived or not */
};

/* What became of its posting. */
void ledger_set_posted(struct ledger *l, enum ledger_post outcome,
    int64_t now_ms);

/* When the session has been idle for too long; INT64_MAX: not in sight. */
int64_t ledger_deadline_ms(const struct ledger *l);

#endif
