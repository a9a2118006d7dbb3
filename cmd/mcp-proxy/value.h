/* SPDX-License-Identifier: ISC */
/* Values of the configuration file from their texts, which are not empty.
 * Each function returns 0 and sets *ret, of the type that is named; or -1 with
 * a text such as "must be true or false". */
#ifndef ADIT_MCP_PROXY_VALUE_H
#define ADIT_MCP_PROXY_VALUE_H

#include <stdint.h>

#include "common/error.h"

/* Of a number; a duration in milliseconds, a size in bytes. */
struct value_limits {
	int64_t min, max;
};

typedef int value_parse(const char *text, struct value_limits limits,
    void *ret, struct error *e);

value_parse value_bool;     /* bool: the words of YAML 1.1 */
value_parse value_number;   /* int64_t */
value_parse value_size;     /* int64_t */
value_parse value_duration; /* int64_t */
value_parse value_level;    /* int, an enum diag_level */
value_parse value_version;  /* bool: whether TLS 1.2 will do */

/* char *, to be freed. */
value_parse value_text;
value_parse value_listen; /* ":8080", "127.0.0.1:8080" */
value_parse value_domain; /* in lower case */
value_parse value_server; /* "10.0.0.53:53" of a DNS server */

#endif
