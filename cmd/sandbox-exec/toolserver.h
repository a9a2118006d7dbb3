/* SPDX-License-Identifier: ISC */
/* The file tools' process: this program, executed inside the sandbox with the
 * payload's rights and behind the same walls.  It answers requests
 * (toolwire.h) on standard input, a socket. */
#ifndef ADIT_SANDBOX_TOOLSERVER_H
#define ADIT_SANDBOX_TOOLSERVER_H

#include <stdbool.h>

/* Whether argv says that this process is to be it. */
bool toolserver_is_meant(char *const argv[]);

/* Serves.  argv: its name, then "ro:" or "rw:" and a path for each root, the
 * working directory first.  Returns the exit status. */
int toolserver_run(char *const argv[]);

#endif
