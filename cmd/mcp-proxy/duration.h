/* SPDX-License-Identifier: ISC */
/* Durations as Go's time.ParseDuration reads them, since configuration files
 * written for a Go program must be accepted: "1m30s", "1.5h", "250ms", "0",
 * and also days, "2d". */
#ifndef ADIT_MCP_PROXY_DURATION_H
#define ADIT_MCP_PROXY_DURATION_H

#include <stdint.h>

#include "common/error.h"

/* All in milliseconds; a part of one counts as one.  Returns 0, or -1 with
 * a text. */
int duration_parse(const char *text, int64_t min_ms, int64_t max_ms,
    int64_t *ret_ms, struct error *e);

#endif
