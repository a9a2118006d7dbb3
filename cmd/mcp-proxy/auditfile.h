/* SPDX-License-Identifier: ISC */
/* A file of chained lines (auditline.h), of which one process is the only
 * writer.  It is only ever appended to, by one write(2) for a line, which the
 * kernel has when the call returns: the end of the process loses nothing, that
 * of the machine what was not yet on the disk. */
#ifndef ADIT_MCP_PROXY_AUDITFILE_H
#define ADIT_MCP_PROXY_AUDITFILE_H

#include "cmd/mcp-proxy/auditline.h"
#include "common/buf.h"
#include "common/error.h"

struct auditfile {
	const char *path; /* the caller's; NULL: not open */
	int fd;
	uint64_t seq;     /* of the last record; 0: none */
	struct buf since; /* what the next line's prev stands for */
	bool torn;        /* it ends with lines that were cut short */
	bool ended;       /* the file ends with a line end, or is empty */
};

/* Opens or makes path, a regular file that nobody but its owner may write,
 * locks it and finds the end of its chain.  path is kept.  Returns 0, or -1
 * with a text and an exit status in e->code. */
int auditfile_open(struct auditfile *f, const char *path, struct error *e);

/* f may be zeroed. */
void auditfile_close(struct auditfile *f);

/* Whether auditfile_open could, without making or locking anything.  Returns
 * 0, or -1 with a text. */
int auditfile_check(const char *path, struct error *e);

/* The end of the chain in a file that somebody may be writing.  Returns 0, or
 * -1 with a text. */
int auditfile_read_head(const char *path, uint64_t *ret_seq,
    uint8_t ret_digest[static SHA256_LEN], struct error *e);

/* Whether the file at the path is another one, or none. */
bool auditfile_is_moved(const struct auditfile *f);

/* Opens and locks the file at the path, which must be empty or not there, to
 * go on in it.  Returns a descriptor for auditfile_move, or -1 with
 * a text. */
int auditfile_open_next(const struct auditfile *f, struct error *e);

/* Goes on in fd, which it owns from now on; the old file is closed. */
void auditfile_move(struct auditfile *f, int fd);

/* The prev of the next line, in hexadecimal. */
void auditfile_prev(const struct auditfile *f,
    char out[static SHA256_HEX_CAP]);

/* Appends a record, with its end, whose seq is f->seq + 1.  Returns 0, or -1
 * with errno; f->torn may be set then. */
int auditfile_append(struct auditfile *f, struct bytes line);

#endif
