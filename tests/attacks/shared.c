/* SPDX-License-Identifier: ISC */
/* What the sandbox has in common with the host: files that it can read, and
 * what the kernel counts for each user. */
#include "attack.h"

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

/* Makes whoever opens the file wait. */
static long
lease(char **a)
{
	return fcntl(open(a[0], O_RDONLY), F_SETLEASE, F_RDLCK);
}

/* Makes whoever changes the directory wait; Linux 6.19. */
static long
delegation(char **a)
{
	struct {
		uint32_t flags;
		uint16_t type, unused;
	} d = {.type = F_RDLCK};

	return fcntl(open(a[0], O_RDONLY), 1040, &d);
}

/* The older way of watching a directory. */
static long
notify(char **a)
{
	return fcntl(open(a[0], O_RDONLY), F_NOTIFY, DN_ACCESS | DN_MODIFY);
}

static long
watches(char **a)
{
	for (int i = atoi(a[0]); i > 0; i--) {
		if (inotify_init() == -1)
			return -1;
	}
	return 0;
}

static long
timers(char **a)
{
	timer_t id;

	for (int i = atoi(a[0]); i > 0; i--) {
		if (timer_create(CLOCK_MONOTONIC, NULL, &id) != 0)
			return -1;
	}
	return 0;
}

static long
queue(char **a)
{
	return mq_open(a[0], O_RDONLY);
}

/* On the host: what queue looks for. */
static long
queue_make(char **a)
{
	return mq_open(a[0], O_RDONLY | O_CREAT, 0666, NULL);
}

static long
queue_remove(char **a)
{
	return mq_unlink(a[0]);
}

/* Opens again for writing what is open for reading. */
static long
reopen(char **a)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", open(a[0], O_RDONLY));
	return open(path, O_RDWR);
}

static long
reopen_stdin(char **a)
{
	(void)a;
	return open("/proc/self/fd/0", O_RDWR);
}

static long
map_shared(char **a)
{
	void *at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED,
	    open(a[0], O_RDONLY), 0);

	return at == MAP_FAILED ? -1 : 0;
}

static long
cut(char **a)
{
	return truncate(a[0], 0);
}

static long
cut_open(char **a)
{
	return open(a[0], O_RDONLY | O_TRUNC);
}

static long
set_mode(char **a)
{
	return chmod(a[0], 0777);
}

static long
set_times(char **a)
{
	return utime(a[0], NULL);
}

static long
set_attribute(char **a)
{
	return setxattr(a[0], a[1], "y", 1, 0);
}

static long
get_attribute(char **a)
{
	char value[64];

	return getxattr(a[0], a[1], value, sizeof value);
}

static long
set_attribute_open(char **a)
{
	return fsetxattr(open(a[0], O_RDONLY), a[1], "y", 1, 0);
}

static long
set_owner_open(char **a)
{
	return fchown(open(a[0], O_RDONLY), (uid_t)-1, getgid());
}

/* What an overlay takes for a deletion. */
static long
whiteout(char **a)
{
	return mknod(a[0], S_IFCHR, makedev(0, 0));
}

/* The file's blocks in another one's place. */
static long
clone_range(char **a)
{
	int from = open("/proc/self/exe", O_RDONLY);

	return ioctl(open(a[0], O_RDONLY), 0x40049409 /* FICLONE */, from);
}

static long
lock_memory(char **a)
{
	size_t len = (size_t)atoi(a[0]) << 20;
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mlock(at, len);
}

static long
never_kill(char **a)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	(void)a;
	return fd == -1 ? -1 : write(fd, "-1000", 5);
}

/* Where the program's own parts lie, for /proc and core dumps to tell. */
static long
move_map(char **a)
{
	(void)a;
	return prctl(PR_SET_MM, 1 /* PR_SET_MM_START_CODE */, 4096, 0, 0);
}

static long
flusher(char **a)
{
	(void)a;
	return prctl(57 /* PR_SET_IO_FLUSHER */, 1, 0, 0, 0);
}

static long
best_io(char **a)
{
	(void)a;
	return syscall(SYS_ioprio_set, 1, 0, 1 << 13);
}

/* Requests of which the whole machine has a number. */
static long
aio(char **a)
{
	unsigned long context = 0;

	(void)a;
	return syscall(SYS_io_setup, 1, &context);
}

/* Exchanges two names until it is killed. */
static long
swap(char **a)
{
	while (renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1],
	    RENAME_EXCHANGE) == 0)
		;
	return -1;
}

const struct attack shared_attacks[] = {
	{"lease", lease}, {"delegation", delegation}, {"notify", notify}, {"watches", watches}, {"timers", timers},
	{"queue", queue}, {"queue-make", queue_make},
	{"queue-remove", queue_remove}, {"reopen", reopen},
	{"reopen-stdin", reopen_stdin}, {"map", map_shared},
	{"truncate", cut}, {"open-truncate", cut_open},
	{"chmod", set_mode}, {"utime", set_times},
	{"setxattr", set_attribute}, {"getxattr", get_attribute},
	{"whiteout", whiteout},
	{"clone-range", clone_range}, {"lock-memory", lock_memory},
	{"never-kill", never_kill}, {"move-map", move_map},
	{"io-flusher", flusher}, {"best-io", best_io}, {"swap", swap},
	{"aio", aio}, {"fsetxattr", set_attribute_open},
	{"fchown", set_owner_open},
	{NULL, NULL},
};
