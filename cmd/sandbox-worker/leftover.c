/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/leftover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/tree.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"

int
leftover_hold(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd != -1 && flock(fd, LOCK_SH | LOCK_NB) != 0)
		io_close(&fd);
	return fd;
}

static bool
is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() && (st->st_mode & 077) == 0 &&
	    st->st_mtime < clock_wall_s() - LEFTOVER_AGE_S;
}

static void
remove_one(int state_fd, const char *state, const char *name,
    int64_t deadline_ms)
{
	int fd = openat(state_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	int64_t left_ms = deadline_ms - clock_ms();
	struct stat st;

	if (fd == -1 || fstat(fd, &st) != 0 || !is_ours(&st) ||
	    flock(fd, LOCK_EX | LOCK_NB) != 0)
		goto out;
	if (tree_remove(state_fd, name, left_ms > 0 ? left_ms : 0) == 0)
		log_line(DIAG_INFO, "%s/%s: removed, its worker was killed",
		    state, name);
	else
		log_line(DIAG_WARNING, "%s/%s: its worker was killed, and it "
		    "cannot be removed: %s", state, name, strerror(errno));
out:
	io_close(&fd);
}

void
leftover_remove_all(const char *state)
{
	DIR *d = opendir(state);
	int64_t deadline_ms = clock_ms() + LEFTOVER_MS;
	struct dirent *entry;

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL) {
		if (str_starts(entry->d_name, "sandbox-worker.") ||
		    str_starts(entry->d_name, "sandbox-audit."))
			remove_one(dirfd(d), state, entry->d_name,
			    deadline_ms);
	}
	closedir(d);
}
