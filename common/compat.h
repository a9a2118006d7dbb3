/* SPDX-License-Identifier: ISC */
/* Kernel interfaces that are younger than the headers of Debian 12 (Linux
 * 6.1, glibc 2.36), each with the version that brought it.  Whether the
 * kernel has them is found out by asking it. */
#ifndef ADIT_COMPAT_H
#define ADIT_COMPAT_H

#include <linux/landlock.h>
#include <stdint.h>

/* landlock(7).  6.2 (ABI 3), 6.7 (ABI 4), 6.10 (ABI 5), 6.12 (ABI 6), 6.15
 * (ABI 7). */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

#ifndef LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF
#define LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF (1U << 0)
#endif

/* struct landlock_ruleset_attr of ABI 6; the size passed says how much of it
 * the kernel knows. */
struct compat_landlock_ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;             /* ABI 6 */
};

/* Linux 5.14; madvise(2) */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#endif
