/* SPDX-License-Identifier: ISC */
/* The responses that mcp-proxy makes itself: a status, the header Adit-Error
 * that no upstream can send, and a JSON body that says who failed. */
#ifndef ADIT_MCP_PROXY_REPLY_H
#define ADIT_MCP_PROXY_REPLY_H

#include "common/buf.h"
#include "common/frame.h"

enum { REPLY_CHALLENGE_MAX = 512 };

/* Why a request failed. */
struct failure {
	int status;              /* of HTTP */
	uint16_t code;           /* enum frame_code */
	uint8_t blame;           /* enum frame_blame */
	char text[256];          /* for people */
	char challenge[REPLY_CHALLENGE_MAX]; /* WWW-Authenticate; "": none */
};

/* Fills *ret; text is cut. */
void failure_set(struct failure *ret, int status, enum frame_code code,
    enum frame_blame blame, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Appends the response.  to_head: without its body.  Returns 0, or -1 with
 * ENOBUFS or ENOMEM. */
int reply_write(struct buf *out, const struct failure *why, const char *trace,
    bool to_head, bool close);

#endif
