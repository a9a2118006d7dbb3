/* SPDX-License-Identifier: ISC */
/* Heads of HTTP requests as a proxy sees them: CONNECT, absolute-form, and
 * origin-form of captured connections; how they go on, and how a refusal is
 * answered.  Pure. */
#ifndef ADIT_SANDBOX_GATE_HEAD_H
#define ADIT_SANDBOX_GATE_HEAD_H

#include "common/http.h"
#include "common/sock.h"

enum {
	GATE_HEAD_MAX = 32768,
	GATE_HTTP_PORT = 80,
	GATE_FORBIDDEN = 403,
};

enum gate_form {
	FORM_CONNECT,  /* CONNECT host:port */
	FORM_ABSOLUTE, /* GET http://host/path */
	FORM_ORIGIN,   /* GET /path */
};

struct gate_head {
	enum gate_form form;
	char host[SOCK_HOST_MAX];
	uint16_t port;         /* GATE_HTTP_PORT where none was said */
	struct http_head http; /* not for FORM_CONNECT; views of the head */
	struct body body;
};

/* Whether a byte can begin a request. */
bool gate_head_begins(uint8_t first);

/* Parses a whole head, as http_scan_head has found it.  Returns 0, or -1 with
 * a text and e->code the status to answer with. */
int gate_head_parse(struct bytes head, struct gate_head *ret,
    struct error *e);

/* Appends the head for the server: origin-form, this Host, nothing about
 * proxies, Connection: close.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int gate_head_write(struct buf *out, struct gate_head *h,
    const char *authority);

/* Appends a whole response that says why; the sentence is the reason phrase
 * too, since that is all that many clients show of an answer to CONNECT.
 * Returns as gate_head_write does. */
int gate_head_refuse(struct buf *out, int status, const char *sentence);

#endif
