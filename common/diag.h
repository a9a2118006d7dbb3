/* SPDX-License-Identifier: ISC */
/* Lines on standard error: "program: [level: ]object: what failed: reason".
 * Only cmd/ calls this.  One call, one line, one write(2); control bytes in
 * the finished line become \xNN, so that nothing foreign can forge a line or
 * reach the terminal. */
#ifndef ADIT_DIAG_H
#define ADIT_DIAG_H

#include "common/bytes.h"

enum diag_level {
	DIAG_ERROR,
	DIAG_WARNING,
	DIAG_NOTICE, /* life-cycle events of a daemon; shown by default */
	DIAG_INFO,   /* -v */
	DIAG_DEBUG,  /* -vv */
};

/* Sets the program's name, kept by reference.  Also ignores SIGPIPE and
 * SIGXFSZ, since the write says what they would, and SIGTTOU, with which a
 * terminal stops who writes to it from the background. */
void diag_init(const char *program);
void diag_set_level(enum diag_level max);
bool diag_shows(enum diag_level level);

/* Whether there was a warning, shown or not. */
bool diag_has_warned(void);

/* From now on nothing waits for standard error: what it does not take at once
 * comes with a later line or with diag_release, which does wait.  Lines
 * beyond 64 KiB are lost. */
void diag_hold(void);
void diag_release(void);

void diag_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void diag_warning(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void diag_notice(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void diag_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void diag_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes foreign bytes as printable ASCII in single quotes, "\xNN" for the
 * rest, cut with "..." to fit cap (at least 8).  Returns out. */
const char *diag_quote(char *out, size_t cap, struct bytes in);

#endif
