/* SPDX-License-Identifier: ISC */
/* Reads the settings of git, entry by entry, as git does: git-config(1),
 * CONFIGURATION FILE, Syntax.  Pure; allocates nothing. */
#ifndef ADIT_SANDBOX_GITCONFIG_H
#define ADIT_SANDBOX_GITCONFIG_H

#include <stdbool.h>

#include "common/bytes.h"

enum {
	GITCONFIG_KEY_LEN = 128,    /* with its NUL; longer ones are skipped, */
	GITCONFIG_VALUE_LEN = 4096, /* longer values too */
};

struct gitconfig_entry {
	char key[GITCONFIG_KEY_LEN]; /* "section.name" in lower case, without
				      * the subsection */
	char value[GITCONFIG_VALUE_LEN]; /* "" without one; has no NUL */
};

struct gitconfig {
	struct bytes rest;
	char section[GITCONFIG_KEY_LEN]; /* "": too long, or none yet */
};

/* text is the caller's, and stays. */
void gitconfig_init(struct gitconfig *c, struct bytes text);

/* Returns whether there is another entry.  What comes after a mistake is
 * nothing: git does not run with it. */
bool gitconfig_next(struct gitconfig *c, struct gitconfig_entry *ret);

#endif
