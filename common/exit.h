/* SPDX-License-Identifier: ISC */
/* The exit statuses of every adit program.  They are an interface: each man
 * page lists the ones its program uses.  sandbox-exec and sandbox-worker pass
 * a command's own status through, so nothing else uses 125 and above. */
#ifndef ADIT_EXIT_H
#define ADIT_EXIT_H

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,       /* the operation failed */
	EXIT_USAGE = 2,        /* usage or configuration; nothing was started */
	EXIT_PERMANENT = 3,    /* refused or protocol violation: do not retry */
	EXIT_TEMPORARY = 4,    /* unavailable at the moment: retry */
	EXIT_SANDBOX = 125,    /* the sandbox could not be built */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,     /* plus the signal's number */
};

#endif
