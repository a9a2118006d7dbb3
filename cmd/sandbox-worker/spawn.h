/* SPDX-License-Identifier: ISC */
/* Starts the processes of a worker with an environment and descriptors that
 * are given, and nothing else. */
#ifndef ADIT_SPAWN_H
#define ADIT_SPAWN_H

#include <sys/types.h>

#include "common/error.h"

struct spawn {
	const char *path;        /* NULL: argv[0] */
	const char *const *argv;
	char *const *envp;
	int stdin_fd, stdout_fd; /* the caller keeps them; -1: /dev/null */
	int third_fd;            /* becomes 3; -1: none */
	int death_signal;        /* it gets when the caller dies */
};

/* Starts a program, found through PATH, in a session of its own, with
 * standard error shared and signals at their defaults.  Returns its pid, or -1
 * with a text and e->code EXIT_NOT_FOUND or EXIT_NOT_EXECUTABLE when it could
 * not be executed. */
pid_t spawn_start(const struct spawn *s, struct error *e);

/* The path of a program that stands beside this one, or name alone, to be
 * found through PATH, if there is none.  Returns out. */
const char *spawn_find_beside(const char *name, char *out, size_t cap);

#endif
