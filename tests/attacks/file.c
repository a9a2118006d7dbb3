/* SPDX-License-Identifier: ISC */
/* Files: devices, set-id programs, what is outside. */
#include "attack.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static long
read_file(char **a)
{
	char byte;
	int fd = open(a[0], O_RDONLY | O_NONBLOCK);

	if (fd == -1)
		return -1;
	/* An empty file tells nothing. */
	errno = ENODATA;
	return read(fd, &byte, 1) > 0 ? 0 : -1;
}

static long
write_file(char **a)
{
	return open(a[0], O_WRONLY | O_NONBLOCK);
}

static long
create_file(char **a)
{
	return open(a[0], O_WRONLY | O_CREAT, 0600);
}

static long
create_set_id(char **a)
{
	return open(a[0], O_WRONLY | O_CREAT | O_EXCL, 04755);
}

static long
temp_set_id(char **a)
{
	return open(a[0], O_WRONLY | O_TMPFILE, 06755);
}

static long
make_set_id(char **a)
{
	int fd = open(a[0], O_WRONLY | O_CREAT, 0755);

	return fchmod(fd, 04755);
}

static long
make_set_id_at(char **a)
{
	close(open(a[0], O_WRONLY | O_CREAT, 0755));
	return chmod(a[0], 06755);
}

static long
make_set_id_2(char **a)
{
	close(open(a[0], O_WRONLY | O_CREAT, 0755));
	return syscall(452, AT_FDCWD, a[0], 04755, 0);
}

static long
node_set_id(char **a)
{
	return mknod(a[0], S_IFREG | 04755, 0);
}

static long
device(char **a)
{
	return mknod(a[0], S_IFCHR | 0600, makedev(1, 1));
}

static long
file_capability(char **a)
{
	static const unsigned char value[20] = {1, 0, 0, 2, 0xff, 0xff};

	close(open(a[0], O_WRONLY | O_CREAT, 0755));
	return setxattr(a[0], "security.capability", value, sizeof value, 0);
}

static long
trusted_attribute(char **a)
{
	close(open(a[0], O_WRONLY | O_CREAT, 0755));
	return setxattr(a[0], "trusted.overlay.opaque", "y", 1, 0);
}

static long
hard_link(char **a)
{
	return link(a[0], a[1]);
}

static long
move(char **a)
{
	return rename(a[0], a[1]);
}

static long
exchange(char **a)
{
	return renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE);
}

/* Leaves a device of the kind that an overlay takes for a deletion. */
static long
move_whiteout(char **a)
{
	close(open(a[0], O_WRONLY | O_CREAT, 0600));
	return renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_WHITEOUT);
}

static long
remove_file(char **a)
{
	return remove(a[0]);
}

static long
make_directory(char **a)
{
	return mkdir(a[0], 0700);
}

static long
make_link(char **a)
{
	return symlink(a[0], a[1]);
}

static long
list(char **a)
{
	return open(a[0], O_RDONLY | O_DIRECTORY);
}

/* Climbs out of the root by way of its parent. */
static long
climb(char **a)
{
	for (int i = 0; i < 64; i++) {
		if (chdir("..") != 0)
			return -1;
	}
	return access(a[0] + (a[0][0] == '/'), F_OK);
}

/* A resolver that no filter can look into. */
static long
open_resolved(char **a)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 04755};

	return syscall(SYS_openat2, AT_FDCWD, a[0], &how, sizeof how);
}

/* Fills a file system in blocks of a MiB. */
static long
fill(char **a)
{
	static char block[1 << 20];
	int fd = open(a[0], O_WRONLY | O_CREAT, 0600);

	if (fd == -1)
		return -1;
	for (int i = atoi(a[1]); i > 0; i--) {
		if (write(fd, block, sizeof block) <= 0)
			return -1;
	}
	return 0;
}

static long
fill_inodes(char **a)
{
	char path[256];

	for (int i = atoi(a[1]); i > 0; i--) {
		int fd;

		snprintf(path, sizeof path, "%s/%d", a[0], i);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		if (fd == -1)
			return -1;
		close(fd);
	}
	return 0;
}

/* Renames a file in each of the directories d1 to dN, again and again. */
static long
churn(char **a)
{
	static const char *const names[] = {"x", "y"};
	enum { MAX = 256 };
	int count = atoi(a[0]), fds[MAX] = {0};

	signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < count && i < MAX; i++) {
		char path[32];

		snprintf(path, sizeof path, "d%d", i + 1);
		fds[i] = open(path, O_RDONLY | O_DIRECTORY);
		if (fds[i] == -1)
			return -1;
		close(openat(fds[i], names[0], O_WRONLY | O_CREAT, 0600));
	}
	for (int turn = 0; ; turn ^= 1) {
		for (int i = 0; i < count; i++)
			renameat(fds[i], names[turn], fds[i],
			    names[turn ^ 1]);
	}
}

const struct attack file_attacks[] = {
	{"read", read_file}, {"write", write_file}, {"create", create_file},
	{"create-set-id", create_set_id}, {"temp-set-id", temp_set_id},
	{"fchmod-set-id", make_set_id}, {"chmod-set-id", make_set_id_at},
	{"fchmodat2-set-id", make_set_id_2}, {"mknod-set-id", node_set_id},
	{"openat2-set-id", open_resolved}, {"device", device},
	{"file-capability", file_capability},
	{"trusted-attribute", trusted_attribute}, {"link", hard_link},
	{"rename", move}, {"exchange", exchange},
	{"move-whiteout", move_whiteout}, {"remove", remove_file},
	{"mkdir", make_directory}, {"symlink", make_link}, {"list", list},
	{"climb", climb}, {"fill", fill}, {"fill-inodes", fill_inodes},
	{"churn", churn},
	{NULL, NULL},
};
