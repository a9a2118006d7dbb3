/* SPDX-License-Identifier: ISC */
/* What a policy's program is asked and what its answer means.  Pure. */
#ifndef ADIT_MCP_PROXY_VERDICT_H
#define ADIT_MCP_PROXY_VERDICT_H

#include "cmd/mcp-proxy/policy.h"

/* Appends the question as a JSON object; *ret_at is where in out the message
 * begins.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int verdict_ask(struct buf *out, const struct policy_question *q,
    size_t *ret_at);

/* Reads the answer to a question about message.  mem: for the texts and the
 * message of the verdict, whose views point into it.  Returns 0, or -1 with
 * a text when the answer says nothing clear. */
int verdict_parse(struct bytes answer, enum policy_direction direction,
    struct bytes message, struct buf *mem, struct policy_verdict *ret,
    struct error *e);

#endif
