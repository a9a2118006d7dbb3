/* SPDX-License-Identifier: ISC */
/* DNS messages (RFC 1035): one question in, one answer out, which never
 * comes from anywhere but here.  Pure. */
#ifndef ADIT_SANDBOX_GATE_DNS_H
#define ADIT_SANDBOX_GATE_DNS_H

#include "cmd/sandbox-exec/allow.h"

enum {
	GATE_DNS_QUERY_MAX = 1232,  /* longer ones are no question */
	GATE_DNS_ANSWER_MAX = 512,
	DNS_TYPE_A = 1,
	DNS_TYPE_AAAA = 28,
	DNS_NAME_TEXT_MAX = 1024,   /* of any name, escaped, with the NUL */
};

enum dns_rcode {
	DNS_OK = 0,
	DNS_FORMAT_ERROR = 1,
	DNS_SERVER_FAILURE = 2,
	DNS_NO_NAME = 3,
	DNS_NOT_IMPLEMENTED = 4,
};

struct gate_dns {
	uint16_t id;
	uint8_t flags;       /* the first byte: opcode and RD */
	size_t question_len; /* from byte 12; 0: none was read */
	uint16_t type;
	char name[ALLOW_HOST_MAX + 1];  /* canonical, "" for no host name */
	char shown[DNS_NAME_TEXT_MAX];  /* the name, whatever it is */
};

/* Reads a query.  Returns DNS_OK, or the code to answer with; or -1 for what
 * gets no answer. */
int gate_dns_parse(struct bytes in, struct gate_dns *ret);

/* Writes the answer to a query that gate_dns_parse has read: with the address
 * (4 or 16 bytes) if there is one.  Returns its length. */
size_t gate_dns_answer(struct bytes query, const struct gate_dns *q,
    enum dns_rcode code, struct bytes address,
    uint8_t out[static GATE_DNS_ANSWER_MAX]);

#endif
