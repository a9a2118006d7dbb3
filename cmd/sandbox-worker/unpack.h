/* SPDX-License-Identifier: ISC */
/* Unpacks an archive that nobody vouches for: zip, or tar that is plain or
 * compressed once (gzip, bzip2, xz, zstd).  The names are all judged before
 * the first byte is written; links, devices and sockets are left out; what a
 * name or a number can do wrong is refused. */
#ifndef ADIT_WORKER_UNPACK_H
#define ADIT_WORKER_UNPACK_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/error.h"

enum {
	UNPACK_NAME_MAX = 1024,   /* bytes of a member's name */
	UNPACK_DEPTH_MAX = 32,    /* components of it */
};

/* All inclusive.  A skill is at most some megabytes. */
struct unpack_limits {
	uint64_t members;      /* members, and directories they imply */
	uint64_t member_bytes; /* of one member, unpacked */
	uint64_t total_bytes;  /* of all, unpacked */
	uint64_t ratio;        /* unpacked to packed, of more than ... */
	uint64_t ratio_floor;  /* ... so many bytes */
};

extern const struct unpack_limits unpack_limits;

/* Makes a member's name relative and plain, without "." and empty components,
 * in out.  Returns its length, 0 for the archive's own directory; or -1 with
 * a text: absolute, "..", too long, too deep, or not UTF-8. */
int unpack_name(struct bytes name, char out[static UNPACK_NAME_MAX + 1],
    struct error *e);

/* Unpacks archive_fd, a file that can be read and sought, into the empty
 * directory dir_fd.  A single directory that holds everything is left out.
 * Directories get mode 0700, files 0755 or 0644.  Returns 0, or -1 with
 * a text; the directory may then hold a part. */
int unpack_archive(int archive_fd, int dir_fd,
    const struct unpack_limits *limits, struct error *e);

#endif
