/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "common/num.h"
#include "common/str.h"

#define ROOT "/sys/fs/cgroup"

enum {
	FILE_MAX = 4096,
	CPU_PERIOD_US = 100000,
	REMOVE_TRIES = 500,
	KILL_AFTER_TRIES = 100, /* init does it itself, and cleans up */
	REMOVE_WAIT_MS = 10,
};

static const char *const controllers[CGROUP_COUNT] = {
	"memory", "cpu", "pids",
};

void
cgroup_init(struct cgroups *g)
{
	memset(g, 0, sizeof *g);
	g->v2_fd = g->v2_procs_fd = g->janitor_fd = -1;
	for (int i = 0; i < CGROUP_COUNT; i++)
		g->procs_fd[i] = -1;
}

/* Reads a small file as a string.  Returns out, "" if it cannot. */
static const char *
read_small(const char *path, char out[static FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : read(fd, out, FILE_MAX - 1);

	io_close(&fd);
	out[n > 0 ? n : 0] = '\0';
	return out;
}

static const char *
read_in(const char *dir, const char *name, char out[static FILE_MAX])
{
	char path[PATH_MAX];

	out[0] = '\0';
	if (str_format(path, sizeof path, "%s/%s", dir, name) != 0)
		return out;
	return read_small(path, out);
}

static int
write_in(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd, r;

	if (str_format(path, sizeof path, "%s/%s", dir, name) != 0)
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	r = io_write_all(fd, bytes_cstr(text));
	io_close(&fd);
	return r;
}

static int
write_number(const char *dir, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)value);
	return write_in(dir, name, text);
}

static bool
has_word(const char *list, size_t list_len, const char *word)
{
	size_t len = strlen(word);
	const char *end = list + list_len;

	for (;;) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const char *stop = comma == NULL ? end : comma;

		if ((size_t)(stop - list) == len &&
		    memcmp(list, word, len) == 0)
			return true;
		if (comma == NULL)
			return false;
		list = comma + 1;
	}
}

bool
cgroup_find(const char *text, const char *controller, char *out, size_t cap)
{
	for (const char *line = text, *next; *line != '\0'; line = next) {
		size_t len = strcspn(line, "\n");
		const char *end = line + len;
		const char *names = memchr(line, ':', len);
		const char *path;

		next = end + (*end == '\n');
		if (names == NULL)
			continue;
		names++;
		path = memchr(names, ':', (size_t)(end - names));
		if (path != NULL && has_word(names, (size_t)(path - names),
		    controller))
			return str_format(out, cap, "%.*s", (int)(end - path -
			    1), path + 1) == 0;
	}
	return false;
}

static bool
own_group(const char *controller, char *out, size_t cap)
{
	char text[FILE_MAX];

	read_small("/proc/self/cgroup", text);
	return cgroup_find(text, controller, out, cap);
}

/* Makes parent/sandbox-exec-PID.  Returns its path, or NULL. */
static char *
make_group(const char *parent)
{
	char path[PATH_MAX];

	if (str_format(path, sizeof path, "%s/sandbox-exec-%ld", parent,
	    (long)getpid()) != 0 || mkdir(path, 0755) != 0)
		return NULL;
	return strdup(path);
}

static bool
set_memory(const char *dir, bool v2, int64_t bytes)
{
	if (!v2) {
		bool ok = write_number(dir, "memory.limit_in_bytes",
		    bytes) == 0;

		/* Absent where swap is not accounted. */
		write_number(dir, "memory.memsw.limit_in_bytes", bytes);
		/* Counted apart, and not at all without a limit. */
		write_number(dir, "memory.kmem.tcp.limit_in_bytes", bytes);
		return ok;
	}
	write_in(dir, "memory.swap.max", "0");
	write_in(dir, "memory.oom.group", "1");
	return write_number(dir, "memory.max", bytes) == 0;
}

static bool
set_cpu(const char *dir, bool v2, int64_t milli)
{
	int64_t quota = milli * CPU_PERIOD_US / 1000;
	char text[64];

	if (!v2)
		return write_number(dir, "cpu.cfs_period_us",
		    CPU_PERIOD_US) == 0 &&
		    write_number(dir, "cpu.cfs_quota_us", quota) == 0;
	snprintf(text, sizeof text, "%lld %d", (long long)quota,
	    CPU_PERIOD_US);
	return write_in(dir, "cpu.max", text) == 0;
}

static bool
set_limit(const char *dir, bool v2, int controller, int64_t value)
{
	switch (controller) {
	case CGROUP_MEMORY:
		return set_memory(dir, v2, value);
	case CGROUP_CPU:
		return set_cpu(dir, v2, value);
	default:
		return write_number(dir, "pids.max", value) == 0;
	}
}

/* Takes the directory, which it removes if it cannot be used. */
static bool
hold_v2(struct cgroups *g, char *dir)
{
	g->v2_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (g->v2_fd != -1)
		g->v2_procs_fd = openat(g->v2_fd, "cgroup.procs", O_WRONLY |
		    O_CLOEXEC);
	if (g->v2_procs_fd != -1) {
		g->v2_path = dir;
		return true;
	}
	io_close(&g->v2_fd);
	rmdir(dir);
	free(dir);
	return false;
}

/* Version 2 below parent.  Returns whether every wanted limit holds. */
static bool
open_v2(struct cgroups *g, const char *parent,
    const int64_t limit[CGROUP_COUNT])
{
	char *dir = make_group(parent);

	if (dir == NULL)
		return false;
	for (int i = 0; i < CGROUP_COUNT; i++) {
		char word[16];

		if (limit[i] == 0)
			continue;
		snprintf(word, sizeof word, "+%s", controllers[i]);
		/* Without effect where it is on; refused where processes are
		 * in the parent. */
		write_in(parent, "cgroup.subtree_control", word);
		if (!set_limit(dir, true, i, limit[i])) {
			rmdir(dir);
			free(dir);
			return false;
		}
	}
	return hold_v2(g, dir);
}

/* Our own group, or the one above: where we are not alone, version 2 lets
 * only an inner group hand controllers down. */
static bool
open_v2_near(struct cgroups *g, const int64_t limit[CGROUP_COUNT])
{
	char own[PATH_MAX], dir[PATH_MAX];
	char *slash;

	if (access(ROOT "/cgroup.controllers", F_OK) != 0 ||
	    !own_group("", own, sizeof own) ||
	    str_format(dir, sizeof dir, ROOT "%s", own) != 0)
		return false;
	if (str_ends(dir, "/"))
		dir[strlen(dir) - 1] = '\0';
	if (open_v2(g, dir, limit))
		return true;
	slash = strrchr(dir, '/');
	if (slash == NULL || (size_t)(slash - dir) < strlen(ROOT))
		return false;
	*slash = '\0';
	return open_v2(g, dir, limit);
}

/* A group without limits, where version 2 may have no controllers at all. */
static void
open_killer(struct cgroups *g)
{
	static const char *const roots[] = {ROOT, ROOT "/unified"};
	char own[PATH_MAX], parent[PATH_MAX];

	if (!own_group("", own, sizeof own))
		return;
	for (size_t i = 0; i < 2 && g->v2_fd == -1; i++) {
		char *dir = NULL;

		if (str_format(parent, sizeof parent,
		    "%s/cgroup.controllers", roots[i]) == 0 &&
		    access(parent, F_OK) == 0 && str_format(parent,
		    sizeof parent, "%s%s", roots[i], own) == 0)
			dir = make_group(parent);
		if (dir != NULL)
			hold_v2(g, dir);
	}
}

static bool
open_v1(struct cgroups *g, int controller, int64_t limit)
{
	char own[PATH_MAX], parent[PATH_MAX], procs[PATH_MAX];
	char *dir;

	if (!own_group(controllers[controller], own, sizeof own) ||
	    str_format(parent, sizeof parent, ROOT "/%s%s",
	    controllers[controller], own) != 0 ||
	    (dir = make_group(parent)) == NULL)
		return false;
	if (set_limit(dir, false, controller, limit) &&
	    str_format(procs, sizeof procs, "%s/cgroup.procs", dir) == 0) {
		g->procs_fd[controller] = open(procs, O_WRONLY | O_CLOEXEC);
		g->path[controller] = dir;
		return g->procs_fd[controller] != -1;
	}
	rmdir(dir);
	free(dir);
	return false;
}

/* Kills who is in a group; version 2 knows a word for it. */
static void
kill_members(const char *dir)
{
	char text[FILE_MAX];

	if (write_in(dir, "cgroup.kill", "1") == 0)
		return;
	read_in(dir, "cgroup.procs", text);
	for (char *at = text; *at != '\0';) {
		char *end = at + strcspn(at, "\n");
		int64_t pid;

		if (*end != '\0')
			*end++ = '\0';
		if (num_parse(at, 1, INT_MAX, &pid) == 0)
			kill((pid_t)pid, SIGKILL);
		at = end;
	}
}

static void
remove_group(const char *dir, bool kill_late)
{
	for (int n = 0; dir != NULL && n < REMOVE_TRIES; n++) {
		if (rmdir(dir) == 0 || errno != EBUSY)
			break;
		if (kill_late && n >= KILL_AFTER_TRIES)
			kill_members(dir);
		poll(NULL, 0, REMOVE_WAIT_MS);
	}
}

static void
remove_groups(const struct cgroups *g, bool kill_late)
{
	for (int i = 0; i < CGROUP_COUNT; i++)
		remove_group(g->path[i], kill_late);
	remove_group(g->v2_path, kill_late);
}

/* The janitor: one pipe, whose end means that the supervisor was killed. */
static _Noreturn void
janitor_run(const struct cgroups *g, int fd)
{
	char byte;

	dup2(fd, 0);
	close_range(1, ~0U, 0);
	setsid();
	while (read(0, &byte, 1) == -1 && errno == EINTR)
		;
	remove_groups(g, true);
	_exit(0);
}

static bool
start_janitor(struct cgroups *g)
{
	int pair[2];
	sigset_t all, old;

	if (pipe2(pair, O_CLOEXEC) != 0)
		return false;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	g->janitor = fork();
	if (g->janitor == 0)
		janitor_run(g, pair[0]);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(pair[0]);
	g->janitor_fd = pair[1];
	return g->janitor != -1;
}

/* Of such a process no group takes processor time away, and most let none
 * in. */
static bool
is_real_time(void)
{
	/* Musl's own function does not ask. */
	long how = syscall(SYS_sched_getscheduler, 0);

	how = how == -1 ? SCHED_OTHER : how & ~SCHED_RESET_ON_FORK;
	return how == SCHED_FIFO || how == SCHED_RR;
}

unsigned
cgroup_open(struct cgroups *g, const int64_t limit[CGROUP_COUNT], bool kill)
{
	int64_t usable[CGROUP_COUNT];
	unsigned wanted = 0, held = 0;

	for (int i = 0; i < CGROUP_COUNT; i++) {
		usable[i] = i == CGROUP_CPU && limit[i] != 0 &&
		    is_real_time() ? 0 : limit[i];
		wanted |= usable[i] != 0 ? 1U << i : 0;
	}
	limit = usable;
	if (wanted != 0 && open_v2_near(g, limit)) {
		g->v2_limits = true;
		held = wanted;
	}
	for (int i = 0; held != wanted && i < CGROUP_COUNT; i++) {
		if (limit[i] != 0 && open_v1(g, i, limit[i]))
			held |= 1U << i;
	}
	if (kill && g->v2_fd == -1)
		open_killer(g);
	if ((held != 0 || g->v2_fd != -1) && !start_janitor(g)) {
		cgroup_close(g);
		return 0;
	}
	return held;
}

int
cgroup_join(const struct cgroups *g, bool v2)
{
	if (v2 && g->v2_procs_fd != -1 && io_write_all(g->v2_procs_fd,
	    bytes_cstr("0")) != 0)
		return -1;
	for (int i = 0; i < CGROUP_COUNT; i++) {
		if (g->procs_fd[i] != -1 && io_write_all(g->procs_fd[i],
		    bytes_cstr("0")) != 0)
			return -1;
	}
	return 0;
}

/* N of the line "word N" of a file, or 0. */
static int64_t
count_of(const char *text, const char *word)
{
	size_t len = strlen(word);
	const char *at = text;
	char digits[24];
	int64_t n;

	for (; at != NULL && *at != '\0'; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, word, len) != 0 || at[len] != ' ')
			continue;
		at += len + 1;
		return str_from_bytes(digits, sizeof digits, bytes_of(at,
		    strcspn(at, "\n"))) == 0 && num_parse(digits, 0,
		    INT64_MAX, &n) == 0 ? n : 0;
	}
	return 0;
}

static bool
counted(const char *dir, const char *name, const char *word)
{
	char text[FILE_MAX];

	return count_of(read_in(dir, name, text), word) != 0;
}

int
cgroup_open_kills(const struct cgroups *g)
{
	const char *dir = g->v2_limits ? g->v2_path : g->path[CGROUP_MEMORY];
	char path[PATH_MAX];

	if (dir == NULL || str_format(path, sizeof path, "%s/%s", dir,
	    g->v2_limits ? "memory.events" : "memory.oom_control") != 0)
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

int64_t
cgroup_kills(int fd)
{
	char text[FILE_MAX];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return count_of(text, "oom_kill");
}

unsigned
cgroup_hit(const struct cgroups *g)
{
	unsigned hit = 0;

	for (int i = 0; i < CGROUP_COUNT; i++) {
		const char *dir = g->v2_limits ? g->v2_path : g->path[i];

		if (dir == NULL)
			continue;
		if ((i == CGROUP_MEMORY &&
		    (counted(dir, "memory.events", "oom_kill") ||
		    counted(dir, "memory.oom_control", "oom_kill"))) ||
		    (i == CGROUP_CPU &&
		    counted(dir, "cpu.stat", "nr_throttled")) ||
		    (i == CGROUP_PIDS && counted(dir, "pids.events", "max")))
			hit |= 1U << i;
	}
	return hit;
}

void
cgroup_dismiss(struct cgroups *g)
{
	if (g->janitor > 0) {
		kill(g->janitor, SIGKILL);
		waitpid(g->janitor, NULL, 0);
		g->janitor = 0;
	}
	io_close(&g->janitor_fd);
}

void
cgroup_close(struct cgroups *g)
{
	if (g->v2_path != NULL)
		kill_members(g->v2_path);
	remove_groups(g, false);
	for (int i = 0; i < CGROUP_COUNT; i++) {
		io_close(&g->procs_fd[i]);
		free(g->path[i]);
		g->path[i] = NULL;
	}
	free(g->v2_path);
	g->v2_path = NULL;
	g->v2_limits = false;
	io_close(&g->v2_procs_fd);
	io_close(&g->v2_fd);
	cgroup_dismiss(g);
}
