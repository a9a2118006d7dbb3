/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "common/io.h"

enum {
	/* Host ids that systemd's allocation leaves unused, one per live
	 * supervisor: so that no two sandboxes of root's share a user. */
	ID_BASE = 0x70000000,
	ID_PID_MASK = 0x3fffff,
	MAP_MAX = 4096,
};

/* Takes a decimal number after blanks.  Returns what is after it, or NULL. */
static const char *
take_number(const char *at, uint64_t *ret)
{
	at += strspn(at, " \n");
	if (*at < '0' || *at > '9')
		return NULL;
	for (*ret = 0; *at >= '0' && *at <= '9'; at++)
		*ret = *ret * 10 + (uint64_t)(*at - '0');
	return at;
}

/* Whether this user namespace has the id, which as a saved one changes
 * nothing; it needs no /proc.  Who may not change ids at all is not told that
 * there is none. */
static bool
has_uid(uid_t uid)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) != 0)
		return true;
	if (setresuid((uid_t)-1, (uid_t)-1, uid) != 0)
		return errno != EINVAL;
	return setresuid((uid_t)-1, (uid_t)-1, saved) == 0;
}

static bool
has_gid(gid_t gid)
{
	gid_t real, effective, saved;

	if (getresgid(&real, &effective, &saved) != 0)
		return true;
	if (setresgid((gid_t)-1, (gid_t)-1, gid) != 0)
		return errno != EINVAL;
	return setresgid((gid_t)-1, (gid_t)-1, saved) == 0;
}

/* The largest id of this user namespace below want, from lines "inside outside
 * count" (user_namespaces(7)); 0 if only that is known. */
static uint32_t
largest_id(const char *map_path, uint32_t want)
{
	char text[MAP_MAX];
	int fd = open(map_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof text - 1);
	const char *at = text;
	uint64_t inside, outside, count, best = 0;

	io_close(&fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	while ((at = take_number(at, &inside)) != NULL &&
	    (at = take_number(at, &outside)) != NULL &&
	    (at = take_number(at, &count)) != NULL) {
		uint64_t last = inside + count - 1;

		if (last < want && last > best)
			best = last;
	}
	return (uint32_t)best;
}

int
owner_choose(struct owner *o)
{
	uint32_t want = ID_BASE + ((uint32_t)getpid() & ID_PID_MASK);

	o->inside = o->host = (struct ids){geteuid(), getegid()};
	o->map = false;
	if (o->inside.uid != 0)
		return 0;
	o->host.uid = has_uid(want) ? want :
	    largest_id("/proc/self/uid_map", want);
	o->host.gid = has_gid(want) ? want :
	    largest_id("/proc/self/gid_map", want);
	if (o->host.uid == 0 || o->host.gid == 0) {
		o->host = (struct ids){0, 0};
		return -1;
	}
	o->map = true;
	o->inside = (struct ids){OWNER_UID, OWNER_UID};
	return 0;
}
