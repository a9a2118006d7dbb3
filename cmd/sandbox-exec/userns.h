/* SPDX-License-Identifier: ISC */
/* Limits of the sandbox's user namespace. */
#ifndef ADIT_SANDBOX_USERNS_H
#define ADIT_SANDBOX_USERNS_H

enum {
	/* Of the caller's 128 (fs.inotify.max_user_instances), which the
	 * payload's count towards. */
	USERNS_INOTIFY_MAX = 64,
};

/* In init, in its user namespace and before the host's /proc is out of reach:
 * opens what the limits are set by.  Returns it, or -1; errno stays. */
int userns_open(void);

/* Lets the namespace make no user namespace, should the seccomp filter not see
 * how, and only so many inotify instances; closes *fd.  It takes a while, for
 * which init has the time while the builder installs the filter.  A host whose
 * settings are not to be written has the first wall only.  errno stays. */
void userns_limit(int *fd);

#endif
