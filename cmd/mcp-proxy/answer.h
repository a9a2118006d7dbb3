/* SPDX-License-Identifier: ISC */
/* One message of a server, or a batch of them, before the policy of its route:
 * it is judged, its list filtered, and the verdict written to the audit.  What
 * is not changed stays the very bytes. */
#ifndef ADIT_MCP_PROXY_ANSWER_H
#define ADIT_MCP_PROXY_ANSWER_H

#include "cmd/mcp-proxy/audit.h"
#include "cmd/mcp-proxy/hearing.h"
#include "cmd/mcp-proxy/listing.h"

enum answer_end {
	ANSWER_OPEN, /* it goes on */
	ANSWER_PASS, /* pass goes to the agent */
	ANSWER_DROP, /* nothing does */
	ANSWER_FAIL, /* because of why */
};

enum answer_step {
	ANSWER_NEXT,   /* to the next message */
	ANSWER_JUDGE,  /* it as a whole */
	ANSWER_FILTER, /* its list */
	ANSWER_WRITE,  /* the verdict, and what goes on */
};

/* To whom the server speaks.  All of it must last. */
struct answer_context {
	struct proxy *proxy;
	const struct config_route *route; /* which has a policy */
	struct audit_who who;
	struct bytes host;
	const char *session;    /* audit_digest of its id, or "" */
	bool modern;            /* by revision 2026-07-28 */
	bool only_asked;        /* it has no result but of what find knows */
	/* The request that has this id, or NULL. */
	const struct hearing_call *(*find)(void *user, struct jsonr id);
	/* A request of the server was denied and will not be answered by the
	 * agent.  NULL: the server is not told. */
	void (*refused)(void *user, const struct rpc *m);
	void *user;
};

struct answer {
	const struct answer_context *context;
	enum answer_end end;
	struct bytes pass;
	bool changed;           /* pass is not what was given */
	struct failure why;

	/* While it goes on. */
	enum answer_step step;
	struct bytes in;
	bool batch;
	struct jsonr_iter left; /* of the batch */
	size_t count;
	struct rpc message;
	const struct hearing_call *call; /* that it answers, or NULL */
	struct bytes now;       /* what goes on of it; ptr NULL: nothing */
	enum audit_verdict verdict;
	char rule[POLICY_RULE_MAX + 1];
	struct buf text;        /* strings of what is judged */
	struct buf other;       /* what the message has become */
	struct buf filtered;    /* and without some of its list */
	struct buf out;         /* pass, if it is not what was given */
	struct listing listing;
	bool has_list;
	struct policy_asked *asked;
	void (*done)(void *user);
	void *user;
};

/* max: bytes of a message. */
void answer_init(struct answer *a, const struct answer_context *context,
    size_t max);
void answer_done(struct answer *a);

/* Judges in, JSON, which must last until the end.  Returns true if that has
 * come, false if done will be called when it has. */
bool answer_run(struct answer *a, struct bytes in, void (*done)(void *user),
    void *user);

/* Of a hearing that lasts as long as the context. */
void answer_hear(struct answer_context *ret, struct hearing *h);

#endif
