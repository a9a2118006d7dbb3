/* SPDX-License-Identifier: ISC */
/* One HTTP request at the endpoint of a stdio upstream, and its response: the
 * Streamable HTTP of MCP, with sessions until 2025-11-25 and without since
 * 2026-07-28. */
#ifndef ADIT_MCP_PROXY_VISIT_H
#define ADIT_MCP_PROXY_VISIT_H

#include "cmd/mcp-proxy/bridge.h"
#include "cmd/mcp-proxy/mirror.h"

enum {
	VISIT_PATIENCE_MS = 10 * 1000, /* until a stream is begun, since some
	                                * clients give up without a head */
	VISIT_ALIVE_MS = 15 * 1000,    /* between comments in a stream */
	VISIT_HIGH = 256 << 10,        /* bytes unsent: what nobody asked for
	                                * is dropped */
	VISIT_SLACK = 1 << 20,         /* unsent beyond one message */
};

enum visit_method {
	VISIT_POST,
	VISIT_GET,
	VISIT_DELETE,
	VISIT_OTHER,
};

struct visit {
	struct exchange *exchange;
	struct bridge *bridge;
	enum visit_method method;

	/* What the head said. */
	int refusal;               /* a status, 0: none */
	const char *refusal_text;
	bool takes_json, takes_sse;
	char session_id[BRIDGE_SESSION_LEN + 1]; /* "": none; "?": not ours */
	struct mirror mirror;
	struct message_event_id resume;              /* Last-Event-ID */
	struct buf body;
	struct hearing *hearing;   /* before the policy, or NULL */

	/* What it waits for. */
	struct welcome *welcome;   /* to be judged, or NULL */
	bool modern;
	struct session *session;   /* NULL: none, or it has ended */
	struct visit *session_next, *session_prev;
	struct process *process;   /* in whose list of waiting it is */
	struct visit *next, *prev; /* there */
	struct call *calls;
	size_t left;               /* answers to come */
	bool batch;
	int64_t deadline_ms;       /* 0: none */

	/* The response. */
	bool begun;                /* its head is written */
	bool sse;
	bool unsent_head;
	bool ending;               /* with the last byte of out */
	struct buf out;
	int64_t moved_ms;          /* when bytes last went */
	uint32_t stream;           /* of the session; 0: its events have no
	                            * ids */
	const char *new_session;   /* to be announced, or NULL */
};

/* ---- for the exchange ---- */

/* Begins with the request in the proxy's head.  Returns NULL with ENOMEM. */
struct visit *visit_new(struct exchange *x);

/* Takes bytes of the request's body. */
void visit_take(struct visit *v, struct bytes in);

/* All of it has come.  v may be gone afterwards. */
void visit_run(struct visit *v);
void visit_drained(struct visit *v);
void visit_expired(struct visit *v);

/* The response is complete, or nobody waits for it. */
void visit_free(struct visit *v);

/* ---- for processes and sessions; v may be gone after each ---- */

/* Goes on, when the process it waited for is ready; or fails. */
void visit_post(struct visit *v);
void visit_fail(struct visit *v, const struct failure *why);

/* Passes on the answer to a call, which is forgotten already. */
void visit_answer(struct visit *v, const struct rpc *m,
    struct message_edit *edits, size_t count);

/* Passes on a message that is no answer.  Returns 0, or -1 when this response
 * can not carry it. */
int visit_event(struct visit *v, struct bytes text, struct message_edit *edits,
    size_t count);

/* Whether it could. */
bool visit_is_open(const struct visit *v);

/* The process is gone with the call. */
void visit_lost(struct visit *v, struct call *c, const struct failure *why);

/* The agent has taken the call back by a message. */
void visit_cancelled(struct visit *v);

/* Ends a stream cleanly. */
void visit_end(struct visit *v);

/* Answers with an error of JSON-RPC. */
void visit_refuse(struct visit *v, int status, struct bytes id, int code,
    const char *text, const char *data);

/* ---- visit_welcome.c ---- */

/* Answers initialize with text, once the policy has judged it, and begins the
 * session. */
void visit_welcome(struct visit *v, struct session *s, struct bytes text);
void visit_welcome_free(struct visit *v);

/* ---- visit_judge.c ---- */

/* Begins with the policy of its route.  Returns 0, or -1 with ENOMEM. */
int visit_judge_head(struct visit *v, const struct http_head *h);

/* Judges the body, and goes on with visit_post; v may be gone afterwards. */
void visit_judge(struct visit *v);

/* ---- for itself (visit_head.c, visit_answer.c and visit.c) ---- */

/* Reads the head of its request, which may already refuse it. */
void visit_take_head(struct visit *v, const struct http_head *h);

/* Refuses it once all of it has come, unless that was done. */
void visit_refuse_head(struct visit *v, int status, const char *text);

/* A whole response; type NULL: no body. */
void visit_reply(struct visit *v, int status, const char *type,
    struct bytes body);

/* Begins a stream with nothing in it yet, or goes on with a broken one.
 * Return whether v is still there. */
bool visit_begin_stream(struct visit *v);
bool visit_resume(struct visit *v, struct process *p);

/* Sets the time of the next look at it. */
void visit_watch(struct visit *v);

#endif
