/* SPDX-License-Identifier: ISC */
/* What is said on standard error: lines of diag.h that end with the item and
 * session that they are about, or one object of JSON each. */
#ifndef ADIT_LOG_H
#define ADIT_LOG_H

#include "common/diag.h"

/* json: objects instead of text. */
void log_init(bool json);

/* What the lines from now on are about; kept by reference, NULL for none. */
void log_set_item(const char *environment_id, const char *work_id,
    const char *session_id);

void log_line(enum diag_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* About a call of a tool. */
void log_tool(enum diag_level level, const char *tool, const char *id,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
