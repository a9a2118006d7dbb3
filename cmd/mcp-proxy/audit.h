/* SPDX-License-Identifier: ISC */
/* The audit file: one line of JSON for each decision, written before what was
 * decided has effect, and for each request that ended.  Each line has the
 * digest of the line before it.  What agents and servers say goes into it cut
 * to a length; contents, arguments, header values, queries and session ids
 * never do.  mcp-proxy.yaml(5), AUDIT. */
#ifndef ADIT_MCP_PROXY_AUDIT_H
#define ADIT_MCP_PROXY_AUDIT_H

#include "cmd/mcp-proxy/auditfile.h"
#include "cmd/mcp-proxy/reply.h"

enum {
	AUDIT_WORD_MAX = 256,    /* bytes of a name, a method, a host, an id */
	AUDIT_TEXT_MAX = 1024,   /* of a path, a URI, a reason */
	AUDIT_NAMES_MAX = 40 << 10, /* of a line; names that a filter took out
	                          * are then only counted */
	AUDIT_DIGEST_CAP = 17,
};

enum audit_verdict {
	AUDIT_ALLOW,
	AUDIT_DENY,
	AUDIT_REWRITE, /* another message goes on */
	AUDIT_FILTER,  /* a list without some of its entries does */
};

enum audit_direction {
	AUDIT_REQUEST, /* from the agent */
	AUDIT_ANSWER,  /* from the server, lists included */
};

/* Who asked.  exchange_who fills one. */
struct audit_who {
	const char *trace, *peer; /* of the connection; NULL: none */
	uint64_t request;  /* which one on the connection, from 1; 0: none */
	const char *route; /* its name; NULL: none */
	const char *agent; /* its name, or NULL */
};

/* All that is zero is left out. */
struct audit_decision {
	struct audit_who who;
	enum audit_direction direction;
	enum audit_verdict verdict;
	struct bytes host;      /* that was asked for */
	struct bytes http_method, path;   /* path: written up to its '?' */
	const char *session;    /* audit_digest of its id */
	struct bytes method, name, uri;   /* JSON-RPC; uri: as path, also
	                         * without user and password */
	struct bytes id;        /* as it lies in the message: JSON */
	const char *rule;       /* of the policy, or what else decided */
	struct bytes reason;
	const struct failure *why;        /* what is answered instead */
	const struct bytes *removed;      /* names of a filter's entries, */
	size_t removed_count;             /* how many there are, */
	size_t removed_total;             /* and with those that have none */
	bool removed_are_uris;            /* some of them */
};

struct audit_end {
	struct audit_who who;
	int status;                  /* of HTTP; 0: none was sent */
	uint64_t bytes_in, bytes_out;
	int64_t ms;
	const struct failure *why;   /* NULL: it ended well */
};

struct audit {
	struct auditfile file; /* not open: nobody wants to know, and every
	                        * call is a no-op that succeeds */
	struct buf line;
	char configuration[SHA256_HEX_CAP]; /* the digest of that in use,
	                        * in hexadecimal; "": not known */
	uint64_t lost;         /* lines that could not be written */
	bool failed;           /* and somebody was told */
};

/* The first 16 digits of the SHA-256 of a session's id: enough to tell one
 * session from another, and useless to take it over. */
void audit_digest(struct bytes id, char out[static AUDIT_DIGEST_CAP]);

/* Opens path, or nothing for NULL, and writes the event "open"; configuration:
 * the digest of the file that is in use.  Returns 0, or -1 with a text. */
int audit_open(struct audit *a, const char *path, const char *configuration,
    struct error *e);

/* From now on it is path, with this digest. */
void audit_reload(struct audit *a, const char *path,
    const char *configuration);

/* Writes "close".  a may be zeroed. */
void audit_close(struct audit *a);

bool audit_is_on(const struct audit *a);

/* Goes on in a new file when the one at the path is no longer ours (SIGHUP).
 * What goes wrong is told, and the old one kept. */
void audit_reopen(struct audit *a);

/* Returns 0, or -1: it could not be written, so what was decided must not
 * happen; refuse the request with audit_refusal.  The first failure is told on
 * standard error, and that it is over. */
int audit_decide(struct audit *a, const struct audit_decision *d);

/* 503, internal/proxy: "the audit file cannot be written". */
void audit_refusal(struct failure *ret);

/* What can no longer be prevented: if it cannot be written, the next line that
 * can tells how many were not. */
void audit_end(struct audit *a, const struct audit_end *end);

/* An event of the process itself, such as "reload", with one member that says
 * of what. */
void audit_note(struct audit *a, const char *event, const char *key,
    const char *value);

#endif
