/* SPDX-License-Identifier: ISC */
/* SOCKS 5 (RFC 1928), without authentication: messages in, messages out.
 * Pure. */
#ifndef ADIT_SANDBOX_GATE_SOCKS_H
#define ADIT_SANDBOX_GATE_SOCKS_H

#include <sys/types.h>

#include "cmd/sandbox-exec/allow.h"

enum {
	SOCKS_VERSION = 5,
	SOCKS_METHOD_NONE = 0,
	SOCKS_METHOD_NO_ACCEPTABLE = 0xff,
	SOCKS_REPLY_MAX = 7 + 255,
};

enum socks_reply {
	SOCKS_OK = 0,
	SOCKS_FAILURE = 1,
	SOCKS_NOT_ALLOWED = 2,
	SOCKS_UNREACHABLE = 4,
	SOCKS_BAD_COMMAND = 7, /* UDP ASSOCIATE and BIND too */
	SOCKS_BAD_ADDRESS = 8,
};

/* Reads the greeting.  Returns its length, 0 if more is needed, -1 if it is
 * none; *ret_ok: the client can do without authentication. */
ssize_t gate_socks_greeting(struct bytes in, bool *ret_ok);

/* What the client wants to reach: a name, or an address as text. */
struct gate_socks {
	char host[256];
	uint16_t port;
};

/* Reads the request.  Returns its length, 0 if more is needed, -1 with the
 * reply that it gets. */
ssize_t gate_socks_request(struct bytes in, struct gate_socks *ret,
    enum socks_reply *ret_why);

/* Writes a reply, with a sentence in the place of the address (a "domain
 * name"), for who looks.  Returns its length. */
size_t gate_socks_reply(enum socks_reply code, const char *sentence,
    uint8_t out[static SOCKS_REPLY_MAX]);

#endif
