/* SPDX-License-Identifier: ISC */
/* Attempts to get out of a sandbox, one function each.  `attack NAME` makes
 * one and prints how it ended: the name of an errno ("EPERM"), of a signal
 * ("SIGSYS"), or "ok" if it got through.  None of them does harm when it gets
 * through. */
#ifndef ADIT_ATTACK_H
#define ADIT_ATTACK_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0 or more: it got through; -1: errno says why not. */
typedef long attempt(char **args);

struct attack {
	const char *name;
	attempt *run;
};

/* Each ends with a NULL name. */
extern const struct attack kernel_attacks[], process_attacks[],
    network_attacks[], file_attacks[], shared_attacks[];

#endif
