/* SPDX-License-Identifier: ISC */
/* A stdio upstream: MCP over HTTP on one side, processes that speak it on
 * their standard input and output on the other.
 *
 * Every request gets a number of its own before a process sees it, and gets
 * its id back on the way out; so an answer can only go to who asked.  A number
 * whose answer nobody waits for is retired, and what comes for it dropped. */
#ifndef ADIT_MCP_PROXY_BRIDGE_H
#define ADIT_MCP_PROXY_BRIDGE_H

#include "cmd/mcp-proxy/admit.h"
#include "cmd/mcp-proxy/child.h"
#include "cmd/mcp-proxy/reply.h"
#include "common/clock.h"
#include "common/idmap.h"

enum {
	BRIDGE_CALLS_MAX = 1024,         /* unanswered by one process */
	BRIDGE_ASKS_MAX = 64,            /* of one process to its client */
	BRIDGE_QUEUE_MAX = 256 << 10,    /* bytes for a client that has no
	                                  * stream at the moment */
	BRIDGE_LOG_MAX = 256 << 10,      /* bytes of events kept for clients
	                                  * that lost their stream */
	BRIDGE_EVENT_SLACK = 96,         /* bytes of an event around its
	                                  * message */
	BRIDGE_PROBE_MS = 10 * 1000,     /* to answer server/discover */
	BRIDGE_ERA_MS = 10 * 60 * 1000,  /* until a process is asked again */
	BRIDGE_SETTLE_MS = 5000,         /* what ends sooner has failed */
	BRIDGE_BACKOFF_MIN_MS = 100,
	BRIDGE_BACKOFF_MAX_MS = 10 * 1000,
	BRIDGE_PAUSE_MS = 60 * 1000,     /* after too many failures */
	BRIDGE_SWEEP_MS = 1000,
	BRIDGE_BUCKETS = 256,
	BRIDGE_SESSION_LEN = 48,         /* hexadecimal digits: 192 bits */
	BRIDGE_NUMBER_LEN = 12,
};

struct hearing_call;
struct judging;
struct visit;
struct process;

enum call_purpose {
	CALL_AGENT,      /* a request that an agent made */
	CALL_INITIALIZE, /* the one that begins a session */
	CALL_LISTEN,     /* subscriptions/listen: open for long */
	CALL_START,      /* our own, to a process that was started */
};

/* A request that a process has not answered. */
struct call {
	uint32_t number;
	enum call_purpose purpose;
	struct process *process;
	struct call *next, *prev;             /* of the process */
	struct visit *visit;                  /* NULL: nobody waits */
	struct call *visit_next, *visit_prev;
	struct session *session;              /* NULL: it has none */
	uint32_t stream;                      /* whose events are about it, or
	                                       * 0 */
	int64_t deadline_ms;                  /* 0: none */
	struct hearing_call *asked;           /* by the policy; NULL: it has
	                                       * none */
	struct bytes id, token;               /* the agent's; in text */
	uint8_t text[];
};

/* A request of a process that its client has not answered. */
struct ask {
	uint32_t number;
	size_t id_len;
	uint8_t id[];
};

/* An event that was sent, or would have been, as it is sent. */
struct event {
	struct event *next;
	struct message_event_id id;
	size_t len;
	uint8_t text[];
};

enum process_role {
	PROCESS_OWNED,  /* by one session */
	PROCESS_SHARED, /* by sessions; initialized once, by us */
	PROCESS_MODERN, /* speaks 2026-07-28, without sessions */
};

struct process {
	struct child child;
	struct bridge *bridge;
	struct process *next, *prev;
	enum process_role role;
	size_t slot;             /* in the bridge's, unless it is owned */
	bool ready;
	struct session *session; /* its owner */
	struct idmap numbers;    /* of calls */
	struct call *calls, *last_call;
	size_t call_count;
	struct idmap asks;          /* struct ask by number */
	uint32_t last_number;
	struct visit *waiting;   /* until it is ready */
	struct buf greeting;     /* what initialize gave, if shared; the
	                          * revisions that it offers, if modern */
	int64_t started_ms, used_ms;
	uint64_t answer_count;
	struct visit *slow;      /* why it is paused */
	struct judging *judging; /* what it says before the policy, or NULL */
};

struct session {
	char id[BRIDGE_SESSION_LEN + 1];
	char version[MESSAGE_VERSION_LEN + 1];
	char host[SOCK_HOST_MAX];    /* that was asked for it, if there is
	                              * a policy */
	struct admitted agent;       /* whose it is */
	struct bridge *bridge;
	struct session *next, *prev; /* of the bucket */
	struct process *owned;       /* NULL when shared */
	size_t slot;
	struct visit *visits;        /* of which it is the session */
	struct visit *listener;      /* of these, its GET stream */
	struct buf queue;            /* messages, each with a line's end */
	struct event *events, *last_event; /* the oldest first */
	size_t event_len;            /* of all of them */
	uint32_t last_stream;
	uint64_t last_event_number;
	int64_t used_ms;
};

enum bridge_era {
	ERA_UNKNOWN,
	ERA_LEGACY,
	ERA_MODERN,
};

struct bridge {
	struct corpse corpse;
	struct bridge *next, *prev; /* of the proxy */
	bool retired;             /* no request comes any more */
	size_t visit_count;
	struct proxy *proxy;
	struct config_route *route;
	struct process *processes;
	struct process *shared[CONFIG_POOL_MAX];
	struct process *modern[CONFIG_POOL_MAX];
	struct session *sessions[BRIDGE_BUCKETS];
	size_t session_count;
	enum bridge_era era;      /* of the command, as far as is known */
	int64_t era_ms;           /* when it was found out */
	struct backoff backoff;
	int64_t failure_count;    /* in a row */
	int64_t retry_ms;         /* nothing is started before; 0: now */
	ev_timer sweep;
};

/* ---- all of them (bridge.c) ---- */

/* One for a stdio route.  Returns NULL with ENOMEM. */
struct bridge *bridge_new(struct proxy *p, struct config_route *r);

/* Goes on for another route, by config_keeps_processes. */
void bridge_move(struct bridge *b, struct config_route *r);

/* Ends streams that would go on for ever, and what serves no request; the rest
 * ends when its requests have. */
void bridge_retire(struct bridge *b);

/* A visit begins, and ends. */
void bridge_enter(struct bridge *b);
void bridge_leave(struct bridge *b);

/* Ends streams that would go on for ever. */
void bridge_drain_all(struct proxy *p);

/* Ends all processes, with SIGKILL at once if now; p->emptied is called when
 * the last is gone. */
void bridge_stop_all(struct proxy *p, bool now);

/* Before the services are freed. */
void bridge_free_all(struct proxy *p);

/* Starts a process in a slot, or for a session.  Returns NULL and why. */
struct process *bridge_start(struct bridge *b, enum process_role role,
    size_t slot, struct failure *ret_why);

/* The slot with the least to do. */
size_t bridge_pick(const struct bridge *b, struct process *const slots[]);

/* It is gone, and is taken out of the lists. */
void bridge_lost(struct bridge *b, struct process *p);

/* It has answered: what failed before is forgotten. */
void bridge_succeeded(struct bridge *b);

/* It is gone, and not because it was told to. */
void bridge_failed(struct bridge *b, const struct process *p);

/* ---- sessions (session.c) ---- */

/* Returns NULL when there are too many or memory is out.  It has no id that
 * anybody knows until the head of an answer tells it. */
struct session *session_new(struct bridge *b);

/* Ends it and what it owns; nothing is to be answered any more. */
void session_free(struct session *s);

/* Makes it the session of v, which has none; and none again. */
void session_join(struct session *s, struct visit *v);
void session_leave(struct visit *v);

/* NULL: there is none of that id. */
struct session *session_find(struct bridge *b, const char *id);

/* The slot that the fewest sessions share. */
size_t session_slot(const struct bridge *b);

/* Passes a message of the process on to the client, or keeps it.  Returns 0,
 * or -1 when it can not be delivered. */
int session_deliver(struct session *s, struct bytes text,
    struct message_edit *edits, size_t count);

/* Appends a message to out as an event of a stream, and keeps it.  Returns 0,
 * or -1 with out unchanged. */
int session_add_event(struct session *s, char kind, uint32_t stream,
    struct buf *out, struct bytes text, struct message_edit *edits,
    size_t count);

/* Keeps an event of a call whose stream is broken. */
void session_keep(struct call *c, struct bytes text, struct message_edit *edits,
    size_t count);

/* Appends the events of a stream that came after one.  Returns 0, or -1. */
int session_replay(const struct session *s,
    const struct message_event_id *after, struct buf *out);

/* Sends what was kept on the stream that has come. */
void session_flush(struct session *s);

/* Ends those that nobody has used for long. */
void session_sweep(struct bridge *b, int64_t now_ms);

/* ---- processes (process.c) ---- */

extern const struct child_events process_events;

/* Begins the handshake of a process that nobody owns. */
void process_greet(struct process *p);

/* Whether a ready process of 2026-07-28 offers a revision, and all that it
 * does: an array in JSON. */
bool process_offers(const struct process *p, const char *version,
    struct bytes *ret_offers);

/* The revision that a shared process speaks, as it said. */
void process_spoken(const struct process *p,
    char out[static MESSAGE_VERSION_LEN + 1]);

/* Appends an answer to initialize: what the process said, with another
 * revision and without what its sessions could do to each other.  Returns 0,
 * or -1. */
int process_welcome(const struct process *p, struct bytes id,
    const char *version, struct buf *out);

/* Passes on an answer to one of its requests.  Returns false if there is no
 * such request. */
bool process_answer(struct process *p, const struct rpc *m);

/* Takes a message as it goes on, or tells why the answer to a call does not. */
void process_take(struct process *p, struct bytes text);
void process_lose(struct process *p, struct call *c,
    const struct failure *why);

/* It is gone, and all that it said was taken. */
void process_ended(struct process *p);

/* ---- its policy (process_judge.c) ---- */

/* Returns 0, or -1 with ENOMEM. */
int process_judge_start(struct process *p);
void process_judge_stop(struct process *p);

/* Judges a line, then takes it. */
void process_judge(struct process *p, struct bytes line);

/* Whether lines wait for a verdict; process_ended is called after the last. */
bool process_judge_ending(struct process *p);

/* Lets it speak again, unless something else is against it. */
void process_resume(struct process *p);

/* ---- its calls (process_call.c) ---- */

/* Sends a request.  Returns its call, or NULL and why. */
struct call *process_call(struct process *p, const struct rpc *m,
    enum call_purpose purpose, struct visit *v, struct failure *ret_why);

/* Sends a message that needs no answer, as it is. */
int process_send(struct process *p, struct bytes text);

/* The call that an agent's session knows under this id, or NULL. */
struct call *process_find(struct process *p, const struct session *s,
    struct bytes id);

/* Lets v wait for the calls of a stream, instead of whoever does. */
void process_adopt(struct process *p, const struct session *s,
    uint32_t stream, struct visit *v);

/* Tells the process that nobody waits for it any more, and forgets it. */
void process_cancel(struct call *c);
void process_forget(struct call *c);

/* Takes it out of everything; the memory stays, the caller's. */
void process_detach(struct call *c);

/* Cancels what took too long. */
void process_sweep(struct process *p, int64_t now_ms);

/* The next number that neither a call nor an ask has; 0 is none. */
uint32_t process_next_number(struct process *p);

/* Writes a number as it is sent. */
struct bytes process_number(uint32_t number,
    char out[static BRIDGE_NUMBER_LEN]);

#endif
