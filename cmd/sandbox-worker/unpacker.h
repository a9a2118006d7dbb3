/* SPDX-License-Identifier: ISC */
/* The process that unpacks one archive.  What libarchive can be made to do by
 * a hostile archive, it does where there is no credential, no file but those
 * that it writes, and no way to connect. */
#ifndef ADIT_WORKER_UNPACKER_H
#define ADIT_WORKER_UNPACKER_H

#include "common/error.h"

enum {
	UNPACKER_TEXT_MAX = 512,     /* bytes of a failure's text */
	UNPACKER_TIMEOUT_MS = 60000, /* for one archive */
};

/* The process: the archive is on standard input, the current directory gets
 * its members, a failure's text goes to standard output.  It does not return,
 * though main may say so. */
int unpacker_main(void);

/* Starts that process ("sandbox-worker unpack") and waits for it.  dir_fd,
 * an empty directory, becomes the caller's current one.  Returns 0, or -1
 * with a text. */
int unpacker_run(int archive_fd, int dir_fd, struct error *e);

#endif
