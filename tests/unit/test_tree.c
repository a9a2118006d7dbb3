/* SPDX-License-Identifier: ISC */
/* Directories of hostile code: nothing outside is reached or removed, however
 * deep, however locked, and while somebody swaps what is there. */
#include "cmd/sandbox-worker/tree.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { RACE_MS = 700, DEEP = 5000, UNTIL_MS = 120000 };

static char dir[] = "/tmp/adit-tree.XXXXXX";
static int dir_fd;

static void
put(int at_fd, const char *path)
{
	int fd = openat(at_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	io_close(&fd);
}

static bool
exists(const char *path)
{
	return faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
test_open(void)
{
	const char *leaf;
	uint64_t made = 0;
	int fd;

	mkdirat(dir_fd, "in", 0700);
	mkdirat(dir_fd, "out", 0700);
	put(dir_fd, "out/secret");
	ok(symlinkat("../out", dir_fd, "in/link") == 0, "a link out");
	fd = openat(dir_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	eq_int(tree_open(fd, "link/secret", O_RDONLY, 0), -1, "not through");
	put(fd, "file");
	ok(symlinkat("file", fd, "here") == 0, "a link that stays");
	eq_int(tree_open(fd, "here", O_RDONLY, 0), -1, "no link at all");
	eq_int(tree_open(fd, "../out/secret", O_RDONLY, 0), -1, "not up");
	eq_int(tree_open(fd, "/etc/passwd", O_RDONLY, 0), -1, "not absolute");
	eq_int(tree_open_parent(fd, "link/new", &made, &leaf), -1,
	    "no parent through a link");
	eq_int(tree_open_parent(fd, "a/b/c", NULL, &leaf), -1,
	    "no parent that is not there");
	eq_int(errno, ENOENT, "it says so");
	{
		int parent_fd = tree_open_parent(fd, "a/b/c", &made, &leaf);

		ok(parent_fd != -1, "unless it is to be made");
		eq_int(made, 2, "and counted");
		eq_str(leaf, "c", "the last component");
		io_close(&parent_fd);
	}
	io_close(&fd);
	eq_int(tree_remove(dir_fd, "in", UNTIL_MS), 0, "removed");
	ok(exists("out/secret"), "what a link showed is not");
}

static void
test_remove(void)
{
	int fd, next;

	eq_int(tree_remove(dir_fd, "nothing", UNTIL_MS), 0,
	    "nothing is removed");
	put(dir_fd, "file");
	eq_int(tree_remove(dir_fd, "file", UNTIL_MS), 0, "a file is removed");
	ok(symlinkat("out", dir_fd, "link") == 0, "a link");
	eq_int(tree_remove(dir_fd, "link", UNTIL_MS), 0, "a link is removed");
	ok(exists("out/secret"), "not what it shows");
	mkdirat(dir_fd, "deep", 0700);
	fd = openat(dir_fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < DEEP; i++) {
		mkdirat(fd, "d", 0700);
		put(fd, "f");
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		io_close(&fd);
		fd = next;
	}
	io_close(&fd);
	eq_int(tree_remove(dir_fd, "deep", UNTIL_MS), 0, "5000 deep");
	ok(!exists("deep"), "gone");
	mkdirat(dir_fd, "wide", 0700);
	for (int i = 0; i < DEEP; i++) {
		char name[24];

		str_format(name, sizeof name, "wide/%d", i);
		mkdirat(dir_fd, name, 0700);
	}
	eq_int(tree_remove(dir_fd, "wide", -1), -1, "not without time");
	eq_int(errno, ETIMEDOUT, "it says so");
	eq_int(tree_remove(dir_fd, "wide", UNTIL_MS), 0, "5000 wide");
}

/* Without privileges, modes count. */
static void
test_locked(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		char own[] = "/tmp/adit-tree.XXXXXX";
		int fd;

		if (geteuid() == 0 && (setgid(65534) != 0 ||
		    setuid(65534) != 0))
			_exit(2);
		if (mkdtemp(own) == NULL)
			_exit(3);
		fd = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		mkdirat(fd, "a", 0700);
		mkdirat(fd, "a/b", 0700);
		put(fd, "a/b/c");
		if (fchmodat(fd, "a/b", 0, 0) != 0 ||
		    fchmodat(fd, "a", 0, 0) != 0)
			_exit(5);
		_exit(tree_remove(AT_FDCWD, own, UNTIL_MS) == 0 ? 0 : 4);
	}
	waitpid(pid, &status, 0);
	eq_int(status, 0, "directories that are locked are removed");
}

static void
test_plain(void)
{
	struct error e;
	int fd;

	mkdirat(dir_fd, "plain", 0700);
	mkdirat(dir_fd, "plain/a", 0700);
	put(dir_fd, "plain/a/f");
	fd = openat(dir_fd, "plain", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	eq_int(tree_check_plain(fd, &e), 0, "files and directories are plain");
	ok(linkat(dir_fd, "plain/a/f", dir_fd, "plain/g", 0) == 0, "a name");
	eq_int(tree_check_plain(fd, &e), -1, "a hard link is not");
	eq_str(e.text, "a file has several names", "it says");
	unlinkat(fd, "g", 0);
	ok(symlinkat("a", fd, "l") == 0, "a link");
	eq_int(tree_check_plain(fd, &e), -1, "nor is a symbolic one");
	unlinkat(fd, "l", 0);
	mkfifoat(fd, "a/p", 0600);
	eq_int(tree_check_plain(fd, &e), -1, "nor a FIFO");
	io_close(&fd);
	tree_remove(dir_fd, "plain", UNTIL_MS);
}

/* Turns in/d from a directory to a link to out and back, without end. */
static pid_t
start_swapping(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (;;) {
		mkdirat(dir_fd, "in/d", 0700);
		renameat(dir_fd, "in/d", dir_fd, "in/e");
		if (symlinkat("../out", dir_fd, "in/d") != 0)
			continue;
		unlinkat(dir_fd, "in/d", 0);
		unlinkat(dir_fd, "in/e", AT_REMOVEDIR);
	}
}

static void
test_race(void)
{
	int64_t until_ms = clock_ms() + RACE_MS;
	uint64_t made;
	unsigned tries = 0;
	pid_t pid;
	int fd;

	mkdirat(dir_fd, "in", 0700);
	fd = openat(dir_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid = start_swapping();
	while (clock_ms() < until_ms) {
		const char *leaf;
		int parent_fd = tree_open_parent(fd, "d/x", &made, &leaf);

		if (parent_fd != -1)
			put(parent_fd, leaf);
		io_close(&parent_fd);
		parent_fd = tree_open(fd, "d/secret", O_RDONLY, 0);
		if (parent_fd != -1)
			ok(false, "a race was won");
		io_close(&parent_fd);
		tree_remove(fd, "d", 100);
		tries++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	io_close(&fd);
	ok(tries > 10, "%u tries against a swapped directory", tries);
	ok(!exists("out/x"), "nothing was written outside");
	ok(exists("out/secret"), "nor removed");
	eq_int(tree_remove(dir_fd, "in", UNTIL_MS), 0, "cleaned");
}

int
main(void)
{
	int fds;

	if (mkdtemp(dir) == NULL)
		return 1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = test_open_fds();
	test_open();
	test_remove();
	test_locked();
	test_plain();
	test_race();
	eq_int(test_open_fds(), fds, "every descriptor is closed");
	eq_int(tree_remove(AT_FDCWD, dir, UNTIL_MS), 0, "all is removed");
	return test_done();
}
