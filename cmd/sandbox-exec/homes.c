/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/homes.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A path without links: masks are looked for by what is granted, which is
 * without. */
static void
set_home(struct policy *p, enum policy_homes which, const char *path)
{
	free(p->home_of[which]);
	p->home_of[which] = path == NULL ? NULL : realpath(path, NULL);
}

/* HOME may be missing, or another one.  getpwuid(3) would load the name
 * services of the host, which a static program cannot. */
static void
set_listed(struct policy *p)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;
	uid_t own = getuid();

	if (file == NULL)
		return;
	do {
		entry = fgetpwent(file);
	} while (entry != NULL && entry->pw_uid != own);
	if (entry != NULL)
		set_home(p, POLICY_LISTED, entry->pw_dir);
	fclose(file);
}

void
homes_find(struct policy *p, const char *home)
{
	set_home(p, POLICY_OWN, home);
	set_home(p, POLICY_ROOT, "/root");
	set_home(p, POLICY_OTHERS, "/home");
	set_listed(p);
}
