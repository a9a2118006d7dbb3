/* SPDX-License-Identifier: ISC */
/* The operator's policy: whether a message passes, by the lists of its route
 * and then by its jq program, mcp-proxy.yaml(5).  What the program does not
 * say clearly, or not in time, is a denial. */
#ifndef ADIT_MCP_PROXY_POLICY_H
#define ADIT_MCP_PROXY_POLICY_H

#include <sys/types.h>

#include "cmd/mcp-proxy/config.h"
#include "common/rpc.h"

enum {
	POLICY_CODE = 403,             /* of JSON-RPC, outside of what it and MCP
	                                * have reserved: a status of HTTP */
	POLICY_TEXT_MAX = 4096,        /* bytes of a denial's text */
	POLICY_RULE_MAX = 128,         /* bytes of a rule's name */
};

struct program;
struct proxy;

enum policy_direction {
	POLICY_REQUEST, /* from the agent */
	POLICY_ANSWER,  /* from the server */
	POLICY_LIST,    /* an entry of a list, of which message is the call */
};

/* What a call is about. */
enum policy_kind {
	POLICY_OTHER,
	POLICY_TOOL,     /* should have a name */
	POLICY_PROMPT,   /* the same */
	POLICY_RESOURCE, /* a URI */
};

/* What is known of a message besides itself.  The views need to last only for
 * the call of policy_judge. */
struct policy_question {
	enum policy_direction direction;
	const struct config_route *route; /* which has a policy */
	struct bytes host;     /* as in the request, without its port */
	struct bytes method;   /* decoded; of the request if it is answered;
	                        * ptr NULL: not known */
	enum policy_kind kind;
	struct bytes name;     /* decoded, a URI for POLICY_RESOURCE;
	                        * ptr NULL: there is none */
	const char *session;   /* audit_digest of its id, or "" */
	const char *agent;     /* its name; NULL: not known */
	struct bytes message;  /* JSON, one value that was checked */
	struct bytes entry;    /* the same, of POLICY_LIST, else len 0 */
};

enum policy_action {
	POLICY_ALLOW,
	POLICY_DENY,
	POLICY_REWRITE,
};

/* Views last for the call that they are given to. */
struct policy_verdict {
	enum policy_action action;
	struct bytes text;    /* of a denial, for a model; never empty */
	struct bytes rule;    /* the list, or what the program calls it, or
	                       * "program-failed"; may be empty */
	struct bytes message; /* of a rewriting, one JSON object in one line,
	                       * with the id, method and jsonrpc that it had,
	                       * the id in the very bytes */
};

/* A question that a program is asked. */
struct policy_asked;

typedef void policy_done(void *user, const struct policy_verdict *v);

/* Judges.  Returns 1 and *ret if that needs no program: its views last until
 * the next call.  Returns 0 and *ret_asked if it does; done is then called
 * once, from the loop, and *ret_asked is gone after that. */
int policy_judge(struct proxy *p, const struct policy_question *q,
    struct policy_verdict *ret, policy_done *done, void *user,
    struct policy_asked **ret_asked);

/* Nobody waits for it any more; NULL is nothing. */
void policy_forget(struct policy_asked *a);

/* Returns 0, or -1 with a text. */
int policy_start(struct proxy *p, struct error *e);

/* Ends all programs; questions that are open get a fault. */
void policy_end_all(struct proxy *p);

/* No program is held any more. */
void policy_stop(struct proxy *p);

/* The program in file, which is started unless somebody holds it already.
 * Returns NULL with a text when it can not be read.  It must not be asked
 * before it has compiled. */
struct program *policy_hold_program(struct proxy *p, const char *file,
    struct error *e);

/* Returns 1 once all that are held have compiled, 0 while some may yet, or -1
 * with a text if one does not.  When that may have changed, p->prepared is
 * called. */
int policy_state(const struct proxy *p, struct error *e);

/* Blocks until it is known.  Returns 0 if all have compiled, or -1 with
 * a text. */
int policy_wait(struct proxy *p, struct error *e);

/* Ends it when nobody holds it any more; NULL is nothing.  Not to be called
 * from policy_done or p->prepared. */
void policy_drop_program(struct proxy *p, struct program *g);

/* Whether pid is a process that runs one of them. */
bool policy_has_process(const struct proxy *p, pid_t pid);

/* ---- what a message is about; pure ---- */

/* Fills kind, and the strings that q's method and name are, from a request or
 * notification: method and name are appended to text, which q's views then
 * point into.  Returns 0, or -1 with a text if that can not be told, e->code
 * is an rpc_code. */
int policy_look(const struct rpc *m, struct buf *text,
    struct policy_question *q, struct error *e);

/* The list that the answer to a method has, the call that an entry of it
 * stands for, and what names it:
 *   tools/list               tools             tools/call     name
 *   prompts/list             prompts           prompts/get    name
 *   resources/list           resources         resources/read uri
 *   resources/templates/list resourceTemplates resources/read uriTemplate
 * NULL: it has none. */
struct policy_list {
	const char *method, *member, *call, *key;
	enum policy_kind kind;
};
const struct policy_list *policy_list(struct bytes method);

/* All of them, for a result whose request is not known. */
enum { POLICY_LISTS = 4 };
extern const struct policy_list policy_lists[POLICY_LISTS];

/* Appends the answer to a denied request: for tools/call a result that
 * a model reads, else an error with POLICY_CODE.  id: in JSON.  modern: by
 * revision 2026-07-28.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int policy_write_denial(struct buf *out, struct bytes id, struct bytes method,
    bool modern, struct bytes text);

#endif
