/* SPDX-License-Identifier: ISC */
/* Follows the chain of audit files (auditline.h) from the first to the last.
 * Pure: who calls reads the files, in the order in which they were written. */
#ifndef ADIT_MCP_PROXY_AUDITCHECK_H
#define ADIT_MCP_PROXY_AUDITCHECK_H

#include "cmd/mcp-proxy/auditline.h"
#include "common/buf.h"
#include "common/error.h"

struct auditcheck_place {
	size_t file;   /* which one, from 0 */
	uint64_t line; /* from 1 */
};

struct auditcheck {
	struct buf part;  /* of a line */
	struct buf since; /* what the next prev stands for */
	bool torn;        /* it ends with lines that are no records */
	struct auditcheck_place at, torn_at;
	uint64_t first, last; /* seq; 0: no record yet */
	uint8_t digest[SHA256_LEN]; /* of the last record, after
	                             * auditcheck_finish */
	uint64_t head; /* a record that must be there; 0: none */
	uint8_t head_digest[SHA256_LEN];
};

/* head 0: none. */
void auditcheck_init(struct auditcheck *c, uint64_t head,
    const uint8_t head_digest[static SHA256_LEN]);
void auditcheck_done(struct auditcheck *c);

/* Takes bytes of a file; its end; and the end of the last file, of which a line
 * that is not complete is left out if somebody still writes it.  Each returns
 * 0, or -1 with a text and the place in c->at: the chain is broken there and c
 * only fit for auditcheck_done. */
int auditcheck_feed(struct auditcheck *c, struct bytes in, struct error *e);
int auditcheck_end_file(struct auditcheck *c, struct error *e);
int auditcheck_finish(struct auditcheck *c, bool written, struct error *e);

#endif
