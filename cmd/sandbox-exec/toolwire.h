/* SPDX-License-Identifier: ISC */
/* How the supervisor and the file tools' process talk, over a stream socket:
 * a request is the length of a name, a name, the length of an input, an input;
 * an answer is one byte, 1 for an error, and the length of a text, a text.
 * Lengths are 32 bits in network byte order.  Pure. */
#ifndef ADIT_SANDBOX_TOOLWIRE_H
#define ADIT_SANDBOX_TOOLWIRE_H

#include <sys/types.h>

#include "common/buf.h"

enum {
	TOOLWIRE_NAME_MAX = 16,
	TOOLWIRE_INPUT_MAX = 8 << 20,
	TOOLWIRE_TEXT_MAX = 1 << 20,
	TOOLWIRE_REQUEST_MAX = 8 + TOOLWIRE_NAME_MAX + TOOLWIRE_INPUT_MAX,
	TOOLWIRE_ANSWER_MAX = 5 + TOOLWIRE_TEXT_MAX,
};

struct toolwire_request {
	char name[TOOLWIRE_NAME_MAX + 1];
	struct bytes input;
};

struct toolwire_answer {
	bool is_error;
	struct bytes text; /* not checked */
};

/* Each appends one.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int toolwire_add_request(struct buf *out, const char *name,
    struct bytes input);
int toolwire_add_answer(struct buf *out, bool is_error, struct bytes text);

/* Each reads one from the front of in, into which it points.  Returns how
 * long it is, 0 if more has to come, -1 if it is none. */
ssize_t toolwire_get_request(struct bytes in, struct toolwire_request *ret);
ssize_t toolwire_get_answer(struct bytes in, struct toolwire_answer *ret);

#endif
