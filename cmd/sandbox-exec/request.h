/* SPDX-License-Identifier: ISC */
/* What a stream is opened for: the JSON of an OPEN, as adit-frame(5),
 * SANDBOXES, has it.  Pure. */
#ifndef ADIT_SANDBOX_REQUEST_H
#define ADIT_SANDBOX_REQUEST_H

#include "cmd/sandbox-exec/toolwire.h"
#include "common/error.h"

enum { REQUEST_WORDS_MAX = 2048 }; /* of argv */

enum request_kind { REQUEST_SESSION, REQUEST_TOOL, REQUEST_EXEC };

struct request {
	enum request_kind kind;
	struct bytes policy;   /* JSON in the OPEN, or empty */
	uint32_t session;      /* stream; 0: none */
	char tool[TOOLWIRE_NAME_MAX + 1];
	bool live;
	bool has_stdin;
	int64_t time_ms;       /* 0: no limit of its own */
	struct buf words;      /* argv, each string with its NUL */
	char *argv[REQUEST_WORDS_MAX + 1]; /* into words, ends with NULL */
};

/* Reads json, which has to live as long as ret.  Returns 0, to be freed with
 * request_done; or -1 with a text and e->code, a frame_code. */
int request_parse(struct bytes json, struct request *ret, struct error *e);
void request_done(struct request *r);

#endif
