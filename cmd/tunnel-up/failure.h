/* SPDX-License-Identifier: ISC */
/* Why a link did not come up, or went down. */
#ifndef TUNNEL_UP_FAILURE_H
#define TUNNEL_UP_FAILURE_H

#include "common/error.h"
#include "common/frame.h"

struct failure {
	enum frame_code code;
	enum frame_blame blame;
	bool permanent; /* the edge will not be dialed again */
	char text[ERROR_TEXT_MAX];
};

/* Sets a temporary failure; a text that is too long is cut. */
void failure_set(struct failure *f, enum frame_code code,
    enum frame_blame blame, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether a GOAWAY with this code forbids to dial again.  adit-frame(5),
 * CODES. */
bool failure_is_permanent(enum frame_code code);

#endif
