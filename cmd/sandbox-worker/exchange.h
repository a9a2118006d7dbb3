/* SPDX-License-Identifier: ISC */
/* One attempt of a call: how it is put to libcurl and what comes back.  What
 * api_call and api_start have in common. */
#ifndef ADIT_EXCHANGE_H
#define ADIT_EXCHANGE_H

#include "cmd/sandbox-worker/api.h"
#include "cmd/sandbox-worker/retry.h"

struct api {
	char *base;            /* without a slash at its end */
	char *ca;
	char environment_key[API_SECRET_MAX], token[API_SECRET_MAX];
	char *headers[API_HEADERS_MAX];
	size_t headers_count;
	bool plain;            /* http is allowed */
	CURL *easy;            /* kept for api_call, with its connection */
	struct api_loop *loop; /* of api_attach, or NULL */
};

/* A request of which everything is owned. */
struct exchange {
	struct api *api;
	struct api_request request;
	char *method, *path, *beta, *helper, *accept, *worker_id;
	struct buf body;
	char *url;
	CURL *easy;            /* of the attempt that runs; not owned */
	struct curl_slist *headers;
	struct api_response response;
	struct retry_answer answer; /* to the last attempt */
	bool head_done;        /* the head of the answer is complete */
	bool too_large, unwritable;
	size_t received;       /* bytes of its body */
	/* Called with the bytes of a success instead of storing them; false
	 * ends the attempt. */
	bool (*data)(void *user, struct bytes in);
	/* Called when the head is complete. */
	void (*head)(void *user);
	void *user;
	char curl_error[CURL_ERROR_SIZE];
};

/* Copies r.  Returns 0, or -1 with a text. */
int exchange_init(struct exchange *x, struct api *a,
    const struct api_request *r, struct error *e);
void exchange_done(struct exchange *x);

/* Makes an easy handle ready for an attempt. */
int exchange_prepare(struct exchange *x, CURL *easy, struct error *e);

/* Takes what libcurl says when the attempt is over.  Returns 1 if it is to be
 * repeated after *ret_delay_ms; 0 if there is a whole answer; -1 with a text
 * if there is none. */
int exchange_finish(struct exchange *x, CURLcode code, int attempt,
    int64_t *ret_delay_ms, struct error *e);

#endif
