/* SPDX-License-Identifier: ISC */
/* The least that a sandbox can cost, in a straight line, without options,
 * checks or reports.
 *
 *	floor COMMAND          seven namespaces by one clone3, ids, a read-only
 *	                       clone of the root, pivot_root, exec, wait
 *	floor --same COMMAND   all that sandbox-exec does by default: a tree of
 *	                       its own with /usr, /etc, DIR of COMMAND, /proc,
 *	                       /dev and private directories, a loopback that is
 *	                       up, no capabilities, no_new_privs, Landlock,
 *	                       rlimits, its seccomp filter, a PID 1 that is not
 *	                       the command
 *	floor --plain COMMAND  fork, exec, wait */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox-filter.h"

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
pivot(int root)
{
	return fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
	    umount2(".", MNT_DETACH) != 0 || chdir("/") != 0 ? -1 : 0;
}

static int
clone_tree(const char *path, uint64_t flags)
{
	struct mount_attr attr = {.attr_set = flags,
		.propagation = MS_PRIVATE};
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE |
	    OPEN_TREE_CLOEXEC);

	return fd != -1 && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
	    &attr, sizeof attr) == 0 ? fd : -1;
}

static int
build_bare(void)
{
	int root = clone_tree("/", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);

	return root == -1 || move_mount(root, "", AT_FDCWD, "/",
	    MOVE_MOUNT_F_EMPTY_PATH) != 0 ? -1 : pivot(root);
}

/* One option is enough; what else there is has the right default. */
static int
mount_new(const char *type, const char *key, const char *value, int root,
    const char *name)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd = -1;

	if (fs != -1 && fsconfig(fs, FSCONFIG_SET_STRING, key, value,
	    0) == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID |
		    MOUNT_ATTR_NODEV);
	close(fs);
	return fd == -1 || move_mount(fd, "", root, name,
	    MOVE_MOUNT_F_EMPTY_PATH) != 0 ? -1 : fd;
}

static int
make_names(int root)
{
	static const char *const dirs[] = {"proc", "dev", "dev/pts", "dev/shm",
		"tmp", "run", "var", "sys", "home", "home/user", "usr", "etc"};
	static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
		{"fd/0", "dev/stdin"}, {"fd/1", "dev/stdout"},
		{"fd/2", "dev/stderr"}, {"urandom", "dev/random"},
		{"pts/ptmx", "dev/ptmx"}, {"../tmp", "var/tmp"},
		{"../run", "var/run"}, {"usr/bin", "bin"},
		{"usr/sbin", "sbin"}, {"usr/lib", "lib"},
		{"usr/lib64", "lib64"}};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		if (mkdirat(root, dirs[i], 0755) != 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		if (symlinkat(links[i][0], root, links[i][1]) != 0)
			return -1;
	}
	return 0;
}

static int
allow(int rules, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {rights, fd};

	return (int)syscall(SYS_landlock_add_rule, rules,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* Binds what the host has into the tree. */
static int
bind_host(int root, const char *dir)
{
	static const char *const from[] = {"/usr", "/etc", "/dev/null",
		"/dev/zero", "/dev/full", "/dev/urandom"};
	const char *name;
	int fd;

	for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
		if (i >= 2)
			mknodat(root, from[i] + 1, S_IFREG | 0444, 0);
		fd = clone_tree(from[i], MOUNT_ATTR_RDONLY |
		    MOUNT_ATTR_NOSUID);
		if (fd == -1 || move_mount(fd, "", root, from[i] + 1,
		    MOVE_MOUNT_F_EMPTY_PATH) != 0)
			return -1;
		close(fd);
	}
	name = dir + 1;
	if (strchr(name, '/') != NULL)
		name = strchr(name, '/') + 1;
	fd = openat(root, "tmp", O_PATH | O_CLOEXEC);
	mkdirat(fd, name, 0755);
	root = clone_tree(dir, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	return root == -1 || move_mount(root, "", fd, name,
	    MOVE_MOUNT_F_EMPTY_PATH);
}

/* dir is a directory in /tmp.  Returns the Landlock rules, or -1. */
static int
build_same(const char *dir)
{
	static const char *const own[] = {"tmp", "dev/shm", "home/user"};
	const uint64_t read = LANDLOCK_ACCESS_FS_EXECUTE |
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	struct landlock_ruleset_attr attr = {
		(LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof attr, 0);
	int root = mount_new("tmpfs", "mode", "0755", AT_FDCWD, "/");

	if (rules == -1 || root == -1 || make_names(root) != 0 ||
	    mount_new("proc", "subset", "pid", root, "proc") == -1 ||
	    mount_new("devpts", "mode", "0620", root, "dev/pts") == -1)
		return -1;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		int fd = open_tree(root, own[i], OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC);

		if (fd == -1 || move_mount(fd, "", root, own[i],
		    MOVE_MOUNT_F_EMPTY_PATH) != 0 ||
		    allow(rules, fd, attr.handled_access_fs) != 0)
			return -1;
	}
	if (bind_host(root, dir) != 0 || pivot(root) != 0 ||
	    allow(rules, root, read) != 0)
		return -1;
	return rules;
}

static int
loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = ioctl(fd, SIOCSIFFLAGS, &lo);

	close(fd);
	return r;
}

static int
confine(int rules)
{
	struct __user_cap_header_struct header = {
		_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};
	struct sock_fprog filter = {sizeof filter_base / sizeof *filter_base,
		(struct sock_filter *)(uintptr_t)filter_base};
	struct rlimit core = {1, 1}, pids = {2048, 2048}, files = {1024, 1024};

	for (unsigned long c = 0; prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0;)
		c++;
	return setsid() == -1 || close_range(3, ~0U,
	    CLOSE_RANGE_CLOEXEC) != 0 || setrlimit(RLIMIT_CORE, &core) != 0 ||
	    setrlimit(RLIMIT_NPROC, &pids) != 0 ||
	    setrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    syscall(SYS_capset, &header, none) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

/* As PID 1.  Returns the exit status. */
static int
run_same(char **argv)
{
	char dir[256];
	int rules, status;
	pid_t pid;

	snprintf(dir, sizeof dir, "%s", argv[0]);
	*strrchr(dir, '/') = '\0';
	rules = build_same(dir);
	if (rules == -1 || sethostname("sandbox", 7) != 0 ||
	    loopback_up() != 0)
		return 125;
	pid = vfork();
	if (pid == 0) {
		if (confine(rules) == 0)
			execv(argv[0], argv);
		_exit(125);
	}
	return pid == -1 || waitpid(pid, &status, 0) == -1 ||
	    !WIFEXITED(status) ? 125 : WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
	int plain = argc > 1 && strcmp(argv[1], "--plain") == 0;
	int same = argc > 1 && strcmp(argv[1], "--same") == 0;
	struct clone_args args = {.exit_signal = SIGCHLD};
	uid_t uid = getuid();
	gid_t gid = getgid();
	pid_t pid;
	int status;

	if (argc < 2 + plain + same)
		return 2;
	argv += 1 + plain + same;
	args.flags = plain ? 0 : NAMESPACES;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0) {
		if (!plain && map_ids(uid, gid) != 0)
			_exit(125);
		if (same)
			_exit(run_same(argv));
		if (!plain && build_bare() != 0) {
			perror("floor");
			_exit(125);
		}
		execv(argv[0], argv);
		perror("floor: exec");
		_exit(127);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
