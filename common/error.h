/* SPDX-License-Identifier: ISC */
/* The text of a failure, for domains that errno cannot express (TLS, JSON,
 * configuration).  The caller owns the struct; nothing allocates.  A library
 * function that fails fills it and returns; cmd/ prints it once. */
#ifndef ADIT_ERROR_H
#define ADIT_ERROR_H

enum { ERROR_TEXT_MAX = 384 };

struct error {
	int code;                  /* an exit status, frame code or errno */
	char text[ERROR_TEXT_MAX]; /* one line, no full stop */
};

/* Sets the text; a text that is too long is cut.  Returns -1, so that
 * a function can end with return error_set(...). */
int error_set(struct error *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Like error_set, and appends ": " and the text of errno. */
int error_errno(struct error *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "format: " in front of the text that e has. */
int error_prefix(struct error *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* clang's analyzer sees one file at a time, and not what these return. */
#define error_set(...) ((error_set)(__VA_ARGS__), -1)
#define error_errno(...) ((error_errno)(__VA_ARGS__), -1)
#define error_prefix(...) ((error_prefix)(__VA_ARGS__), -1)
#endif

#endif
