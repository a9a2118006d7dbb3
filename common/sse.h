/* SPDX-License-Identifier: ISC */
/* Takes a stream of server-sent events apart (WHATWG HTML, section 9.2), as
 * its bytes come, and writes events again with other data.  Pure but for two
 * buffers with a limit.  Lines end with CR, LF or CRLF; id and retry mean
 * nothing here. */
#ifndef ADIT_SSE_H
#define ADIT_SSE_H

#include <sys/types.h>

#include "common/buf.h"

enum { SSE_NAME_MAX = 128 };

enum sse_result {
	SSE_MORE,     /* all bytes were used, there is no event yet */
	SSE_EVENT,    /* one is complete: name and data */
	SSE_PASSED,   /* what nobody is told of is: a comment or an empty line
	               * between events, or an event without data */
	SSE_OVERSIZE, /* one is above the limit: data is how it begins, and
	               * the rest of it will be skipped */
	SSE_FAILED,   /* no memory */
};

struct sse {
	size_t max;           /* bytes of an event */
	struct buf line, data;
	char name[SSE_NAME_MAX];
	bool begun;           /* the byte order mark is behind us */
	bool after_cr;        /* an LF now belongs to the CR before */
	bool open;            /* a field of the event was seen */
	bool has_data;
	bool taken;           /* the event was given out: begin anew */
	bool skipping;        /* to the end of an event that is too large */
	bool skipping_line;   /* something is on its line already */
	uint64_t skipped;     /* bytes of it */
};

void sse_init(struct sse *s, size_t max);
void sse_done(struct sse *s);

/* Uses bytes of in up to the end of the next event; *ret says what came of
 * it.  name and data are valid until the next call.  Returns how many bytes
 * were used: all that were since the last SSE_EVENT or SSE_PASSED are what it
 * was made of. */
size_t sse_take(struct sse *s, struct bytes in, enum sse_result *ret);

/* Whether all readers see the same in raw: some take VT, FF, the separators of
 * ASCII, U+0085, U+2028 and U+2029 for ends of lines, too; and some may take
 * a line for another, unless it is empty, a comment or one of the four
 * fields. */
bool sse_is_plain(struct bytes raw);

/* Appends raw, the bytes of an event, with data, which has no CR, in the place
 * of its own, and without other lines that are not plain; each line ends with
 * LF.  Returns 0, or -1 with ENOBUFS or ENOMEM. */
int sse_replace(struct buf *out, struct bytes raw, struct bytes data);

/* Appends what is left of an event that nobody is to see: its id, for those
 * who resume, and retry.  Returns as sse_replace. */
int sse_strip(struct buf *out, struct bytes raw);

#endif
