/* SPDX-License-Identifier: ISC */
/* One request of an agent and its response, passed on as they arrive: what
 * one side does not read is not read from the other, and neither end of the
 * exchange looks complete unless the other was. */
#ifndef ADIT_MCP_PROXY_EXCHANGE_H
#define ADIT_MCP_PROXY_EXCHANGE_H

#include "cmd/mcp-proxy/admit.h"
#include "cmd/mcp-proxy/proxy.h"
#include "cmd/mcp-proxy/reply.h"

enum { EXCHANGE_INTERIM_MAX = 16 }; /* 1xx responses to one request */

enum exchange_phase {
	EXCHANGE_NONE,
	EXCHANGE_DIALING,
	EXCHANGE_WAITING,   /* for the head of the final response */
	EXCHANGE_STREAMING, /* its body */
};

struct exchange {
	enum exchange_phase phase;
	struct downstream *downstream;
	struct upstream *upstream;
	struct visit *visit;  /* instead, when it is stdio */
	struct hearing *hearing; /* before its route's policy, or NULL; that
	                          * of a visit is the visit's */
	struct buf body;         /* of the request, while it is judged */
	struct bytes unsent;     /* what of it the upstream has not got */
	bool announced;          /* the head said that there is one */
	bool expects;            /* the agent waits before it sends it */
	struct answers *answers; /* the response before it, or NULL: it passes
	                          * as it comes */
	bool gets;            /* the method is GET */
	bool asks_message;    /* POST, or a body */
	bool asks_events;     /* GET that accepts text/event-stream */
	bool listens;         /* for what belongs to no request */
	const struct config_route *route;
	struct admitted agent;
	struct buf head;      /* of the request, as the upstream gets it */
	bool head_sent;
	bool retried;
	bool unread;          /* the upstream takes no more of the request */
	bool retryable;       /* nothing is lost by sending it again */
	bool to_head;         /* the method is HEAD */
	bool client_is_old;   /* HTTP/1.0 */
	bool client_closes;
	bool close;           /* what the response's head said */
	bool upstream_closes;
	bool answered;        /* bytes of the final response were sent */
	int interim_count;
	int status;
	int64_t keep_alive_ms;
	struct body request, response;
	enum body_framing response_framing; /* towards the agent */
	struct http_scan scan;
	struct buf rx;        /* of the response, not yet complete enough */
	int64_t started_ms;
	uint64_t bytes_in, bytes_out; /* payload */
};

/* Once, and when the downstream goes. */
void exchange_init(struct exchange *x, struct downstream *d);
void exchange_done(struct exchange *x);

/* Begins with the request that is parsed in the proxy's head, of an agent that
 * was let in; body follows through exchange_request.  May fail at once
 * (downstream_failed). */
void exchange_start(struct exchange *x, const struct config_route *route,
    const struct admitted *agent, const struct body *body);

/* Answers that request with the metadata of its route, which it asks for. */
void exchange_tell_metadata(struct exchange *x,
    const struct config_route *route, const struct body *body);

/* Answers that request with *why, or that it cannot be written to the
 * audit. */
void exchange_refuse(struct exchange *x, const struct body *body,
    struct failure *why);

/* Takes bytes that follow the head, perhaps none, and returns how many were
 * used.  What is left is offered again when more came or when
 * downstream_resume was called. */
size_t exchange_request(struct exchange *x, struct bytes in);

/* Whether the agent should not be read at the moment. */
bool exchange_is_full(const struct exchange *x);

/* Everything was written to the agent. */
void exchange_drained(struct exchange *x);

/* The time that was set through downstream_watch is over. */
void exchange_expired(struct exchange *x);

/* The agent is gone: so is the request. */
void exchange_cancel(struct exchange *x);

/* Ends a stream that waits for what the server may say, if its route is not
 * one of the configuration in use; not that of a visit.  Returns whether x is
 * over. */
bool exchange_leave_route(struct exchange *x);

/* Ends it if its agent may call no more.  Returns whether x is over. */
bool exchange_leave_agent(struct exchange *x);

/* ---- for the visit ---- */

struct proxy *exchange_proxy(const struct exchange *x);

/* Begins the response: lines of fields, and the length of its body, or -1.
 * exchange_payload follows at once. */
void exchange_begin(struct exchange *x, int status, const char *fields,
    int64_t length);

/* Sends bytes of the body; last: it is then complete.  Returns whether the
 * exchange goes on; else its visit is gone. */
bool exchange_payload(struct exchange *x, struct bytes run, bool last);

/* Whether the agent has much to read. */
bool exchange_is_slow(const struct exchange *x);

/* Calls visit_expired unless told again within ms. */
void exchange_watch(struct exchange *x, int64_t ms);

/* End it, because of why, or because memory is short or a message too long,
 * or because the agent does not read; the visit is gone. */
void exchange_fail(struct exchange *x, const struct failure *why);
void exchange_fail_internal(struct exchange *x);
void exchange_fail_slow(struct exchange *x);

/* The same, of what would go on for ever under a route that is no more. */
void exchange_fail_route(struct exchange *x);

/* ---- between exchange.c and its parts ---- */

/* Takes what in has of the request's body; take gets each run of it, and
 * returns false if x failed.  Returns how much was used, or -1 when x
 * failed. */
typedef bool exchange_take(struct exchange *x, struct bytes run);
ssize_t exchange_take_body(struct exchange *x, struct bytes in,
    exchange_take *take);

/* Sends the request again on a connection of its own, where that is safe.
 * Returns whether it does. */
bool exchange_retry(struct exchange *x, bool nothing_left);

/* Ends it because of what the upstream did. */
void exchange_fail_upstream(struct exchange *x, enum frame_code code,
    const char *text);

/* ---- exchange_response.c ---- */

/* The upstream, user's, can be read. */
void exchange_on_input(void *user);

/* ---- exchange_visit.c ---- */

/* Begins with the visit of a request whose route is a command. */
void exchange_visit_start(struct exchange *x);

/* Gives what in has of the body to the visit, and lets it begin when that was
 * all.  Returns how much was used. */
size_t exchange_visit_request(struct exchange *x, struct bytes in);

/* Ends it because of what the body of the request is not. */
void exchange_fail_request(struct exchange *x, const struct error *e);

/* The response is complete and passed on; keep: another request may come. */
void exchange_finish(struct exchange *x, bool keep);

/* ---- exchange_answers.c: responses before a policy ---- */

/* Looks at the request in the proxy's head: what may its response be? */
void exchange_answers_expect(struct exchange *x);

/* Looks at the head of the final response, which is parsed in h.  Returns 1 if
 * it is held until the body was judged, 0 if it goes on, -1 with a text if it
 * must not. */
int exchange_answers_begin(struct exchange *x, struct bytes head,
    struct http_head *h, struct error *e);

/* Takes payload of the response.  These append to the proxy's out what goes on
 * now; x->response says whether there is more.  Return 0, or -1 with a text and
 * perhaps exchange_answers_why. */
int exchange_answers_take(struct exchange *x, struct bytes run,
    struct error *e);
int exchange_answers_go_on(struct exchange *x, struct error *e);
const struct failure *exchange_answers_why(const struct exchange *x);

/* Appends to it what was judged before they failed.  Returns whether any of the
 * body goes on. */
bool exchange_answers_flush(struct exchange *x);

/* Whether the head is held; no more is taken at the moment, perhaps because
 * something waits to go on; and all of it went on. */
bool exchange_answers_hold(const struct exchange *x);
bool exchange_answers_wait(const struct exchange *x);
bool exchange_answers_queue(const struct exchange *x);
bool exchange_answers_ended(const struct exchange *x);

void exchange_answers_free(struct exchange *x);

/* Goes on with the response after a verdict, or when the agent has read; x may
 * be over afterwards. */
void exchange_answers_resume(struct exchange *x);

/* Whether the agent waits for a word before it sends the body. */
bool exchange_expects_continue(const struct http_head *h);

/* ---- between exchange.c and exchange_judge.c ---- */

/* Takes what the policy needs from the proxy's head, and out of it what may not
 * be sent on.  Returns 0, or -1 with ENOMEM. */
int exchange_judge_head(struct exchange *x);

/* Begins to judge the request, whose head is written. */
void exchange_judge_start(struct exchange *x);

/* Takes bytes of the body.  Returns how many were used. */
size_t exchange_judge_request(struct exchange *x, struct bytes in);

/* Sends the request to the upstream. */
void exchange_open(struct exchange *x);

/* Appends the first bytes of what was judged to the proxy's out.  Returns how
 * many, or -1. */
ssize_t exchange_add_piece(const struct exchange *x);

/* Sends what the upstream takes of the rest. */
void exchange_send_rest(struct exchange *x);

/* ---- exchange_audit.c ---- */

struct audit_who exchange_who(const struct exchange *x);

/* Writes to the audit that the request in the proxy's head is answered by its
 * route, or by what rule names instead.  Returns 0, or -1: it must not. */
int exchange_allow(const struct exchange *x, const char *rule);

/* That it does not, because of why, or because no address of its upstream is
 * allowed.  *why becomes audit_refusal if that cannot be written. */
void exchange_deny(const struct exchange *x, struct failure *why);
void exchange_deny_address(const struct exchange *x, struct failure *why);

void exchange_audit_end(const struct exchange *x, const struct failure *why);

/* ---- */

/* Writes the lines of a request that ended, NULL: well. */
void exchange_ended(const struct exchange *x, const struct failure *why);

#endif
