/* SPDX-License-Identifier: ISC */
/* What the head of a response says of its body, where a policy has to judge
 * that.  Pure. */
#ifndef ADIT_MCP_PROXY_RESPONSE_H
#define ADIT_MCP_PROXY_RESPONSE_H

#include "common/http.h"

enum response_body {
	RESPONSE_JSON,   /* a message, or a batch of them */
	RESPONSE_EVENTS, /* a stream of such */
	RESPONSE_OTHER,  /* no message: it passes */
};

/* How the body is to be judged.  asks_message: the request was POST or had
 * a body; asks_events: it accepts them.  Returns a response_body, or -1 with
 * a text: it must not pass. */
int response_choose(const struct http_head *h, bool asks_message,
    bool asks_events, struct error *e);

/* Whether it is a stream of events. */
bool response_has_events(const struct http_head *h);

/* Takes off what is not true of a body that was changed. */
void response_drop_digests(struct http_head *h);

/* Whether JSON is no message for anybody, and may take the place of one: what
 * failed, told by OAuth or by what stands before the server; or that something
 * was accepted. */
bool response_is_no_message(int status, struct bytes body);

/* Whether that is so because nobody can read it, so that nothing takes its
 * place. */
bool response_is_waste(int status, struct bytes body);

#endif
