/* SPDX-License-Identifier: ISC */
/* Heads of HTTP/1.1 messages (RFC 9112): found, checked, parsed and written
 * again for the next hop.  Pure: nothing is allocated but in the buffer
 * given, nothing is read or printed.
 *
 * A head passes two readers that must agree.  Ours is strict: CRLF only, no
 * control bytes, no obs-fold, no space before a colon, one Host, one
 * Content-Length or one "Transfer-Encoding: chunked".  Then libhttp-parser
 * reads the same bytes, and a difference about where the body ends is an
 * error. */
#ifndef ADIT_HTTP_H
#define ADIT_HTTP_H

#include "common/body.h"
#include "common/buf.h"
#include "common/error.h"

enum {
	HTTP_FIELDS_MAX = 100,
	HTTP_ADDED_MAX = 16,  /* by who passes a head on */
	HTTP_METHOD_MAX = 24,
};

/* What a field means to us. */
enum http_role {
	HTTP_PLAIN,             /* nothing: it passes */
	HTTP_HOST,
	HTTP_CONTENT_LENGTH,
	HTTP_TRANSFER_ENCODING,
	HTTP_CONNECTION,
	HTTP_KEEP_ALIVE,
	HTTP_HOP,               /* any other hop-by-hop field */
	HTTP_ADIT_ERROR,        /* ours alone, removed from responses */
};

struct http_field {
	struct bytes name, value; /* the value without white space around */
	enum http_role role;
};

/* A parsed head; all views point into the bytes that were parsed. */
struct http_head {
	int minor;                /* HTTP/1.minor */
	struct bytes method;      /* of a request */
	struct bytes target;      /* path and query, or "*" */
	struct bytes host;        /* without port and trailing dot */
	int status;               /* of a response */
	struct bytes reason;
	bool close;               /* the sender's last message */
	int64_t keep_alive_ms;    /* Keep-Alive: timeout, or -1 */
	enum body_framing framing;
	uint64_t length;          /* for BODY_LENGTH */
	size_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX + HTTP_ADDED_MAX];
};

/* How far a head was searched for its end; zeroed at its first byte. */
struct http_scan {
	size_t line; /* start of the line that is not complete */
	size_t seen; /* bytes searched */
};

/* Looks for the empty line that ends a head of at most max bytes.  Returns
 * the length of the head with it, 0 if more is needed, or -1 with a text and
 * e->code, the status to answer with. */
ssize_t http_scan_head(struct http_scan *s, struct bytes in, size_t max,
    struct error *e);

/* Once per process: heads of max bytes will come.  libhttp-parser has a limit
 * of its own. */
void http_set_head_max(size_t max);

/* Parses a head that http_scan_head has found and makes *ret_body ready for
 * the bytes after it.  Returns 0, or -1 with a text and e->code 400, 501 or
 * 505. */
int http_parse_request(struct bytes head, struct http_head *ret,
    struct body *ret_body, struct error *e);

/* The same for a response; to_head: the request was HEAD.  e->code is not
 * set. */
int http_parse_response(struct bytes head, bool to_head,
    struct http_head *ret, struct body *ret_body, struct error *e);

/* Appends the head for the next hop: hop-by-hop fields and those named by
 * Connection removed, everything else as it came, in order.  framing is that
 * of the body that will follow.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int http_write_request(struct buf *out, const struct http_head *h);
int http_write_response(struct buf *out, const struct http_head *h,
    enum body_framing framing, bool close);

/* Whether a field of that name is HTTP_PLAIN unless Connection names it. */
bool http_is_plain(struct bytes name);

/* Whether a method is idempotent (RFC 9110 section 9.2.2). */
bool http_is_idempotent(struct bytes method);

#endif
