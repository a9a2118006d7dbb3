/* SPDX-License-Identifier: ISC */
/* The client of the Managed Agents API: one call, with its headers, its limits
 * and the retries of the vendor's core client.  api_call blocks and is for
 * processes that have nothing else to do; api_start runs in an event loop.
 *
 * No redirect is followed, since that would take the token along; only https
 * is spoken unless the settings say otherwise.  Nothing here is logged. */
#ifndef ADIT_API_H
#define ADIT_API_H

#include <curl/curl.h>
#include <ev.h>

#include "common/buf.h"
#include "common/error.h"

#define API_BASE_DEFAULT "https://api.anthropic.com"
#define API_BETA_AGENTS "managed-agents-2026-04-01"
#define API_BETA_MEMORY "agent-memory-2026-07-22"
#define API_HELPER_POLLER "environments-work-poller"
#define API_HELPER_WORKER "environments-worker"
#define API_HELPER_RUNNER "environments-worker, session-tool-runner"

enum {
	API_SECRET_MAX = 8192,      /* of a key or token */
	API_RETRIES = 2,            /* the vendor's default */
	API_TIMEOUT_MS = 600000,    /* of one attempt, the vendor's default */
	API_CONNECT_MS = 30000,
	API_HEADERS_MAX = 64,       /* of ANTHROPIC_CUSTOM_HEADERS */
	API_ERROR_BODY_MAX = 65536, /* of an answer that is no success */
};

struct api_request {
	const char *method;        /* "GET" */
	const char *path;          /* "/v1/...", ids already percent-encoded */
	const char *beta;          /* anthropic-beta, or NULL */
	const char *helper;        /* x-stainless-helper */
	const char *accept;        /* NULL: application/json */
	const char *worker_id;     /* Anthropic-Worker-ID, or NULL */
	bool environment_key;      /* authorize with it, not with the token */
	struct bytes body;         /* JSON; ptr NULL: none */
	size_t max;                /* bytes of the answer's body; more: error */
	int to_fd;                 /* -1, or where the body of a success goes
	                            * instead of ret->body, also up to max */
	int64_t timeout_ms;        /* of one attempt; 0: API_TIMEOUT_MS */
	int retries;               /* further attempts; API_RETRIES */
	bool final_conflict;       /* 409 is an answer, not to be retried */
};

struct api_response {
	long status;               /* 0: no answer came */
	char content_type[128], request_id[128];
	bool ambiguous;            /* an earlier attempt may have arrived */
	int64_t retry_after_ms;    /* as the server wants it; 0: unsaid */
	struct buf body;           /* freed by api_response_done */
};

struct api_settings {
	const char *base;          /* "https://host[:port][/prefix]" */
	bool allow_http;           /* not only to loopback */
	const char *ca;            /* file of further authorities, or NULL */
	const char *headers;       /* "Name: value" lines, or NULL */
	const char *environment_key; /* or NULL */
	const char *token;         /* of the item, or NULL: the key is used */
};

struct api;

/* Checks the settings and copies them.  Returns NULL with a text. */
struct api *api_new(const struct api_settings *s, struct error *e);
void api_free(struct api *a);

bool api_has_token(const struct api *a);
const char *api_token(const struct api *a); /* or NULL */
bool api_has_environment_key(const struct api *a);

/* Performs a call, blocking, with the retry rule, but without a pause that is
 * longer than timeout_ms.  Returns 0 when an HTTP answer came, of any status;
 * or -1 with a text when none came, or its body was above max.  ret is to be
 * given to api_response_done in any case. */
int api_call(struct api *a, const struct api_request *r,
    struct api_response *ret, struct error *e);
void api_response_done(struct api_response *r);

/* Writes text to out, percent-encoded as encodeURIComponent does; api_append
 * puts it behind what out holds.  Return 0, or -1 with ENAMETOOLONG. */
int api_encode(char *out, size_t cap, const char *text);
int api_append(char *out, size_t cap, const char *text);

/* Writes "404 not_found_error: message (request-id req_1)" for an answer
 * that is no success. */
void api_describe(const struct api_response *r, struct error *e);

/* Whether a status is a refusal that no repetition can change. */
static inline bool
api_is_fatal(long status)
{
	return status >= 400 && status < 500 && status != 408 &&
	    status != 409 && status != 429;
}

static inline bool
api_is_success(long status)
{
	return status >= 200 && status < 300;
}

/* A call that runs in an event loop. */
struct api_events {
	/* The head of a success came; only asked for streams. */
	void (*opened)(void *user, const struct api_response *r);
	/* Its bytes, as they come; NULL: they gather in the body.  False
	 * ends the call, and done gets the error text "ended here". */
	bool (*data)(void *user, struct bytes in);
	/* An attempt had no success, and another one begins in delay_ms; may
	 * be NULL.  No call may be cancelled from inside. */
	void (*retry)(void *user, const struct api_response *r,
	    int64_t delay_ms);
	/* Once, at the end, and never from inside api_start.  e is NULL when
	 * an answer came whole.  r may be looked into until it returns; its
	 * body may be taken. */
	void (*done)(void *user, struct api_response *r,
	    const struct error *e);
};

struct api_job;

/* Runs the calls of a in ev from now on.  Returns 0 or -1 with a text. */
int api_attach(struct api *a, struct ev_loop *ev, struct error *e);
void api_detach(struct api *a);

/* Starts a call; r and what it points to are copied.  A stream (events->data
 * set) has no time limit once its head came.  Returns NULL with a text. */
struct api_job *api_start(struct api *a, const struct api_request *r,
    const struct api_events *events, void *user, struct error *e);

/* Ends a call; done is not called.  May be called from data and opened. */
void api_cancel(struct api_job *j);

/* Stops and goes on reading a stream. */
void api_pause(struct api_job *j, bool paused);

#endif
