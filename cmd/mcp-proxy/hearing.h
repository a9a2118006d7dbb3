/* SPDX-License-Identifier: ISC */
/* One request of an agent before the policy of its route: its body is read as
 * what it claims to be, each of its messages is judged and the verdict written
 * to the audit.  It lasts as long as the request, because the answers are
 * judged by what was asked. */
#ifndef ADIT_MCP_PROXY_HEARING_H
#define ADIT_MCP_PROXY_HEARING_H

#include "cmd/mcp-proxy/audit.h"
#include "cmd/mcp-proxy/message.h"
#include "cmd/mcp-proxy/mirror.h"
#include "cmd/mcp-proxy/policy.h"
#include "cmd/mcp-proxy/reply.h"
#include "common/http.h"
#include "common/sock.h"

enum hearing_end {
	HEARING_OPEN,  /* it goes on */
	HEARING_PASS,  /* pass goes to the upstream */
	HEARING_REPLY, /* status and reply, JSON or empty, go to the agent */
	HEARING_FAIL,  /* because of why */
};

/* A request that passed, and waits for its answer. */
struct hearing_call {
	struct hearing_call *next;
	enum policy_kind kind;
	struct bytes id;           /* in JSON */
	struct bytes method, name; /* decoded; name.ptr NULL: none */
	uint8_t text[];            /* all of these */
};

struct hearing {
	struct proxy *proxy;
	const struct config_route *route;
	struct audit_who who;
	char host[SOCK_HOST_MAX];
	char session[AUDIT_DIGEST_CAP]; /* "": none */
	struct mirror mirror;      /* what the head says of the body */
	bool has_body_type;        /* the head says it is JSON */
	bool modern;               /* by revision 2026-07-28 */
	bool heard;                /* the body is a message */

	enum hearing_end end;
	int status;
	struct buf reply;
	struct failure why;
	struct bytes pass;

	struct hearing_call *calls;

	/* While it goes on. */
	struct bytes body;
	struct buf text;           /* strings of the message that is judged */
	struct buf edited;         /* what goes on instead of body */
	struct buf answers;        /* to members of a batch that is not sent */
	struct jsonr_iter left;    /* of a batch */
	size_t count;              /* of its members */
	struct rpc message;        /* that is judged */
	struct policy_question question;
	struct policy_asked *asked;
	bool batch;
	bool changed;              /* edited is not body */
	bool denied;               /* a request */
	void (*done)(void *user);
	void *user;
};

/* Reads the head, which may already end it, with HEARING_REPLY.  Returns NULL
 * with ENOMEM. */
struct hearing *hearing_new(struct proxy *p, const struct config_route *route,
    const struct http_head *head, const struct audit_who *who);

/* Judges the body, which must last until the end; done is called when end is
 * set, perhaps from inside. */
void hearing_run(struct hearing *h, struct bytes body,
    void (*done)(void *user), void *user);

void hearing_free(struct hearing *h);

/* ---- for the answers ---- */

/* The request that has this id, also if one is a string of the other's digits,
 * which some servers and clients make of it; or NULL. */
const struct hearing_call *hearing_find(const struct hearing *h,
    struct jsonr id);

/* The same, and the caller frees it: it outlives the request. */
struct hearing_call *hearing_take(struct hearing *h, struct jsonr id);

#endif
