/* SPDX-License-Identifier: ISC */
/* What chains a line of the audit file to those before it.  Pure.
 *
 * A record is a line that is a JSON object with "seq", "prev" and "event".
 * seq counts records; prev is the SHA-256 of everything from the beginning of
 * the record before to the line's own, without the last line end: so of
 * the record before, and of what is left of lines that were cut short after
 * it.  Only the event "gap" may follow such. */
#ifndef ADIT_MCP_PROXY_AUDITLINE_H
#define ADIT_MCP_PROXY_AUDITLINE_H

#include "common/bytes.h"
#include "common/sha256.h"

enum {
	AUDITLINE_MAX = 64 << 10,      /* bytes of a line, with its end */
	AUDITLINE_SINCE_MAX = 128 << 10, /* of what one prev stands for */
};

struct auditline {
	uint64_t seq; /* from 1 */
	uint8_t prev[SHA256_LEN]; /* of the first record of all: zeros */
	bool gap;
};

/* Reads a line without its end.  Returns 0, or -1: it is no record. */
int auditline_parse(struct bytes line, struct auditline *ret);

/* "SEQ:SHA256", as "mcp-proxy audit head" prints it.  Returns 0 or -1. */
int auditline_parse_head(const char *text, uint64_t *ret_seq,
    uint8_t ret_digest[static SHA256_LEN]);

#endif
