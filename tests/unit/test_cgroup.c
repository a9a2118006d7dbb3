/* SPDX-License-Identifier: ISC */
/* Control groups: where a process is, and, as root on a host with a tree of
 * version 2 (controllers or not), that everything in a group dies and that
 * nothing is left. */
#include "cmd/sandbox-exec/cgroup.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/test.h"

#define HYBRID "9:name=systemd:/a\n3:cpu,cpuacct:/b/c\n2:memory:/m:n\n0::/u\n"

static const int64_t none[CGROUP_COUNT];

static void
test_find(void)
{
	static const struct {
		const char *text, *controller, *want; /* NULL: not there */
	} rows[] = {
		{"0::/user.slice/x\n", "", "/user.slice/x"},
		{"0::/", "", "/"},
		{HYBRID, "", "/u"},
		{HYBRID, "cpu", "/b/c"},
		{HYBRID, "cpuacct", "/b/c"},
		{HYBRID, "memory", "/m:n"},
		{HYBRID, "name=systemd", "/a"},
		{HYBRID, "pids", NULL},
		{HYBRID, "cpua", NULL},
		{HYBRID, "mem", NULL},
		{"3:cpuacct,cpu:/b\n", "cpu", "/b"},
		{"3:cpuset:/b\n", "cpu", NULL},
		{"2:memory\n0::/u\n", "memory", NULL},
		{"nothing\n\n:\n0::/u\n", "", "/u"},
		{"", "", NULL},
	};
	char out[32];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool found = cgroup_find(rows[i].text, rows[i].controller,
		    out, sizeof out);

		if (rows[i].want == NULL)
			ok(!found, "row %zu: '%s' is not there", i,
			    rows[i].controller);
		else
			eq_str(found ? out : "none", rows[i].want,
			    "row %zu: '%s'", i, rows[i].controller);
	}
	ok(cgroup_find("0::/abc\n", "", out, 5), "a path that just fits");
	ok(!cgroup_find("0::/abc\n", "", out, 4), "a path that does not");
}

/* Forks a process that leaves session and parent, and has joined or was
 * cloned into the group.  Returns the end of a pipe that it holds. */
static int
start_stray(const struct cgroups *g, bool into)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) != 0)
		return -1;
	if (into) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (__u64)g->v2_fd;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0) {
		if (!into && cgroup_join(g, true) != 0)
			_exit(1);
		if (fork() == 0) {
			setsid();
			close(pair[0]);
			if (write(pair[1], "", 1) == 1)
				pause();
		}
		_exit(0);
	}
	close(pair[1]);
	waitpid(pid, NULL, 0);
	return pair[0];
}

static void
test_kill(bool into)
{
	struct cgroups g;
	struct stat st;
	char path[4096], byte;
	int fd, fds = test_open_fds();

	cgroup_init(&g);
	eq_int(cgroup_open(&g, none, true), 0, "no limit is asked for");
	if (!ok(g.v2_fd != -1, "a group that can kill is made"))
		return;
	snprintf(path, sizeof path, "%s", g.v2_path);
	fd = start_stray(&g, into);
	eq_int(read(fd, &byte, 1), 1, "a stray process runs");
	cgroup_close(&g);
	eq_int(read(fd, &byte, 1), 0, "it is dead, %s", into ?
	    "cloned into the group" : "by joining");
	close(fd);
	ok(stat(path, &st) != 0 && errno == ENOENT, "the group is gone");
	eq_int(test_open_fds(), fds, "so are its descriptors");
	cgroup_close(&g);
}

/* In a mount namespace where version 2 is all there is: without controllers
 * no limit holds. */
static int
try_without_controllers(void)
{
	const int64_t limit[CGROUP_COUNT] = {1 << 30, 1000, 100};
	struct cgroups g;
	char path[64];
	struct stat st;

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL) != 0)
		return 1;
	cgroup_init(&g);
	if (cgroup_open(&g, limit, false) != 0 || g.v2_fd != -1)
		return 2;
	snprintf(path, sizeof path, "/sys/fs/cgroup/sandbox-exec-%d",
	    (int)getpid());
	if (stat(path, &st) == 0)
		return 3;
	cgroup_open(&g, limit, true);
	if (g.v2_fd == -1 || g.v2_limits || stat(path, &st) != 0)
		return 4;
	cgroup_close(&g);
	return stat(path, &st) == 0 ? 5 : 0;
}

static void
test_without_controllers(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try_without_controllers());
	waitpid(pid, &status, 0);
	eq_int(status, 0, "without controllers no limit holds, none is left");
}

/* The tree of version 2, wherever it is; a host that has its controllers in
 * use cannot show the lack of them. */
/* The files of version 2 and of version 1. */
static void
test_kills(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{"low 0\nhigh 7\nmax 9\noom 3\noom_kill 2\n"
		    "oom_group_kill 1\n", 2},
		{"oom_kill_disable 1\nunder_oom 1\noom_kill 41\n", 41},
		{"oom_kill 9223372036854775807", INT64_MAX},
		{"oom_kill 9223372036854775808\n", 0},
		{"oom_kill x\n", 0}, {"oom_kill", 0}, {"oom_kill \n", 0},
		{"oom 1\n", 0}, {"", 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int fd = memfd_create("kills", MFD_CLOEXEC);

		eq_int(write(fd, rows[i].text, strlen(rows[i].text)),
		    (int64_t)strlen(rows[i].text), "row %zu is written", i);
		eq_int(cgroup_kills(fd), rows[i].want, "kills, row %zu", i);
		close(fd);
	}
	eq_int(cgroup_kills(-1), 0, "no file, no kills");
}

static bool
is_hybrid(void)
{
	return access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) == 0;
}

int
main(void)
{
	test_find();
	test_kills();
	if (geteuid() == 0 && (is_hybrid() ||
	    access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)) {
		test_kill(false);
		test_kill(true);
	}
	if (geteuid() == 0 && is_hybrid())
		test_without_controllers();
	return test_done();
}
