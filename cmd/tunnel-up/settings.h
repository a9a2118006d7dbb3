/* SPDX-License-Identifier: ISC */
/* What the command line and the environment ask for.  main.c fills it, the
 * rest only reads it. */
#ifndef TUNNEL_UP_SETTINGS_H
#define TUNNEL_UP_SETTINGS_H

#include "common/opt.h"

struct settings {
	struct opt_list edges;
	const char *token_file, *cert, *key, *ca, *server_name;
	const char *proxy, *name, *connect;
	const char *metrics;  /* see promfile.h, or NULL */
	char *token_env;      /* of TUNNEL_UP_TOKEN, or NULL */
	char *const *command; /* NULL-terminated, or NULL */
	int64_t token_fd, ready_fd; /* -1: none */
	int64_t ping_ms, timeout_ms, backoff_min_ms, backoff_max_ms, drain_ms;
	bool check;
};

#endif
