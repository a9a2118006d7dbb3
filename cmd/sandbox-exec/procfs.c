/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"
#include "common/str.h"

enum { STAT_MAX = 256 << 10 };

/* In the root's tmpfs, until all covers are made of them. */
static const char cover_file[] = ".proc-file";
static const char cover_directory[] = ".proc-directory";
static const char cover_stat[] = ".proc-stat";

/* Of the machine, what sysinfo(2), uname(2) and the processor tell as well. */
static const char *const shown[] = {
	"cpuinfo", "meminfo", "uptime", "loadavg", "version", "filesystems",
};

/* A detached mount, or -1 with errno. */
static int
new_proc(bool pids_only)
{
	static const char *const options[][2] = {
		{"hidepid", "invisible"}, {"subset", "pid"},
	};
	int fs = fsopen("proc", FSOPEN_CLOEXEC);
	int fd = -1;

	if (fs == -1)
		return -1;
	for (size_t i = 0; i < (pids_only ? 2 : 1); i++) {
		if (fsconfig(fs, FSCONFIG_SET_STRING, options[i][0],
		    options[i][1], 0) != 0)
			goto out;
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID |
		    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
out:
	io_close(&fs);
	return fd;
}

static int
cover(int root_fd, const char *with, int proc_fd, const char *name)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int fd = open_tree(root_fd, with, OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC);
	int r = -1;

	if (fd != -1 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr,
	    sizeof attr) == 0)
		r = move_mount(fd, "", proc_fd, name,
		    MOVE_MOUNT_F_EMPTY_PATH);
	io_close(&fd);
	return r;
}

/* A process, a link to what is a process's, or one of the above. */
static bool
is_shown(const struct dirent *entry)
{
	const char *name = entry->d_name;

	if (entry->d_type == DT_LNK || str_eq(name, ".") ||
	    str_eq(name, "..") || (name[0] >= '1' && name[0] <= '9'))
		return true;
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
		if (str_eq(name, shown[i]))
			return true;
	}
	return false;
}

/* Covers whatever else this kernel has: what must be shown is listed here,
 * not what must not. */
static int
cover_all(int root_fd, int proc_fd)
{
	DIR *d;
	struct dirent *entry;
	int r = 0, copy = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);

	d = copy == -1 ? NULL : fdopendir(copy);
	if (d == NULL) {
		io_close(&copy);
		return -1;
	}
	while (r == 0 && (entry = readdir(d)) != NULL) {
		if (is_shown(entry))
			continue;
		r = cover(root_fd, str_eq(entry->d_name, "stat") ?
		    cover_stat : entry->d_type == DT_DIR ? cover_directory :
		    cover_file, proc_fd, entry->d_name);
	}
	closedir(d);
	return r;
}

/* Which processors there are, and how busy they were until now.  The rest of
 * /proc/stat counts interrupts, and with them keystrokes. */
static int
make_stat(int root_fd, int proc_fd)
{
	static char text[STAT_MAX];
	int from = openat(proc_fd, "stat", O_RDONLY | O_CLOEXEC);
	int to = openat(root_fd, cover_stat, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0444);
	ssize_t n = from == -1 ? -1 : read(from, text, sizeof text);
	struct bytes rest = bytes_of(text, n > 0 ? (size_t)n : 0);
	size_t len = 0;
	int r = -1;

	while (rest.len > 3 && memcmp(rest.ptr, "cpu", 3) == 0) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
		size_t line = end == NULL ? rest.len :
		    (size_t)(end - rest.ptr) + 1;

		len += line;
		rest = bytes_after(rest, line);
	}
	if (to != -1 && n > 0)
		r = io_write_all(to, bytes_of(text, len));
	io_close(&from);
	io_close(&to);
	return r;
}

static int
hide_rest(int root_fd, const char *proc_place)
{
	int fd = openat(root_fd, proc_place, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
	int r = -1;

	if (fd != -1 && mknodat(root_fd, cover_file, S_IFREG | 0444, 0) == 0 &&
	    mkdirat(root_fd, cover_directory, 0555) == 0 &&
	    make_stat(root_fd, fd) == 0)
		r = cover_all(root_fd, fd);
	unlinkat(root_fd, cover_file, 0);
	unlinkat(root_fd, cover_stat, 0);
	unlinkat(root_fd, cover_directory, AT_REMOVEDIR);
	io_close(&fd);
	return r;
}

int
procfs_attach(int root_fd, const char *proc_place, enum policy_proc what)
{
	int fd = new_proc(what == POLICY_PROC_PIDS);
	int r = fd == -1 ? -1 : move_mount(fd, "", root_fd, proc_place,
	    MOVE_MOUNT_F_EMPTY_PATH);

	io_close(&fd);
	if (r != 0)
		return errno == EPERM || errno == EACCES ? 1 : -1;
	return what == POLICY_PROC_PIDS ? 0 : hide_rest(root_fd, proc_place);
}
