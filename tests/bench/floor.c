/* SPDX-License-Identifier: ISC */
/* The least that a sandbox of namespaces and a tree of its own can cost: one
 * clone3, ids, a read-only clone of the root, pivot_root, exec, wait; with
 * --plain: fork, exec, wait. */
#include <linux/sched.h>
#include <sched.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
	CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET };

static int
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n > 0 ? 0 : -1;
}

static int
map_ids(uid_t uid, gid_t gid)
{
	char map[64];

	snprintf(map, sizeof map, "%u %u 1\n", gid, gid);
	if (put("/proc/self/setgroups", "deny") != 0 ||
	    put("/proc/self/gid_map", map) != 0)
		return -1;
	snprintf(map, sizeof map, "%u %u 1\n", uid, uid);
	return put("/proc/self/uid_map", map);
}

static int
build(uid_t uid, gid_t gid)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY |
		MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE};
	int root;

	if (map_ids(uid, gid) != 0)
		return -1;
	root = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE |
	    OPEN_TREE_CLOEXEC);
	if (root == -1 || mount_setattr(root, "", AT_EMPTY_PATH |
	    AT_RECURSIVE, &attr, sizeof attr) != 0 ||
	    move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0)
		return -1;
	return fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
	    umount2(".", MNT_DETACH) != 0 || chdir("/") != 0 ? -1 : 0;
}

int
main(int argc, char **argv)
{
	int plain = argc > 1 && strcmp(argv[1], "--plain") == 0;
	struct clone_args args = {.exit_signal = SIGCHLD};
	uid_t uid = getuid();
	gid_t gid = getgid();
	pid_t pid;
	int status;

	if (argc < 2 + plain)
		return 2;
	args.flags = plain ? 0 : NAMESPACES;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0) {
		if (!plain && build(uid, gid) != 0) {
			perror("floor");
			_exit(125);
		}
		execv(argv[1 + plain], argv + 1 + plain);
		perror("floor: exec");
		_exit(127);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
