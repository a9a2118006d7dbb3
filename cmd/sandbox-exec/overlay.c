/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/sandbox-exec/removal.h"
#include "common/io.h"
#include "common/sha256.h"
#include "common/str.h"

enum { NAME_BYTES = 8 }; /* of a digest, in an upper's name */

int
overlay_open_beneath(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

/* Whether the payload could change what is in dir. */
static bool
is_exposed(const struct policy *p, const char *dir)
{
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if ((path->access == POLICY_RW ||
		    path->access == POLICY_OVERLAY) &&
		    path_is_below(dir, path->host))
			return true;
	}
	return false;
}

static int
make_beside(struct overlays *o, const struct policy *p, const char *dir)
{
	if (is_exposed(p, dir)) {
		errno = EPERM;
		return -1;
	}
	if (str_format(o->parent, sizeof o->parent, "%s/.sandbox-exec-XXXXXX",
	    str_eq(dir, "/") ? "" : dir) != 0 ||
	    mkdtemp(o->parent) == NULL) {
		o->parent[0] = '\0';
		return -1;
	}
	return 0;
}

/* A new directory on the file system of host if that can be, where renames
 * and clocks are the same. */
static int
make_parent(struct overlays *o, const struct policy *p, const char *host,
    struct error *e)
{
	char dir[PATH_LEN];
	char *slash;

	str_format(dir, sizeof dir, "%s", host);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	if (make_beside(o, p, dir) == 0 || make_beside(o, p, "/var/tmp") == 0)
		return 0;
	return error_errno(e, "%s: a directory for its changes, beside it or "
	    "in /var/tmp", host);
}

static int
check_parent(const struct policy *p, const char *changes,
    char out[static PATH_LEN], struct error *e)
{
	char real[PATH_MAX];
	struct stat st;

	if (realpath(changes, real) == NULL || lstat(real, &st) != 0)
		return error_errno(e, "%s", changes);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return error_set(e, "%s: not a directory that only its owner, "
		    "the caller, can change", changes);
	if (is_exposed(p, real))
		return error_set(e, "%s: in a directory that the command may "
		    "change", changes);
	return str_format(out, PATH_LEN, "%s", real) == 0 ? 0 :
	    error_set(e, "%s: too long", changes);
}

/* The directory that was given, made if it is missing. */
static int
open_parent(const struct policy *p, const char *changes,
    char out[static PATH_LEN], struct error *e)
{
	bool made = mkdir(changes, 0700) == 0;

	if (!made && errno != EEXIST)
		return error_errno(e, "%s", changes);
	if (check_parent(p, changes, out, e) == 0)
		return 0;
	if (made)
		rmdir(changes);
	return -1;
}

/* Opens dir/name, a directory with the mode and the owner of st. */
static int
make_upper(int dir_fd, const char *name, const struct stat *st)
{
	int fd;

	if (mkdirat(dir_fd, name, 0700) != 0 && errno != EEXIST)
		return -1;
	fd = overlay_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY);
	if (fd == -1)
		return -1;
	if ((geteuid() == 0 && fchown(fd, st->st_uid, st->st_gid) != 0) ||
	    fchmod(fd, st->st_mode & 0777) != 0)
		io_close(&fd);
	return fd;
}

/* The file whose ctime is the start of the changes.  It names the directory
 * that they are of, and whoever has it locked uses them. */
static int
open_state(struct overlay *o, int dir_fd, const struct stat *lower,
    struct error *e)
{
	char want[PATH_LEN + 64], have[PATH_LEN + 64];
	struct stat st;
	ssize_t n;

	str_format(want, sizeof want, "%llu %llu %s\n",
	    (unsigned long long)lower->st_dev,
	    (unsigned long long)lower->st_ino, o->host);
	o->state_fd = openat(dir_fd, "state", O_RDWR | O_CREAT | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (o->state_fd == -1)
		return error_errno(e, "%s/state", o->dir);
	if (flock(o->state_fd, LOCK_EX | LOCK_NB) != 0)
		return error_errno(e, "%s: in use", o->dir);
	n = pread(o->state_fd, have, sizeof have - 1, 0);
	if (n == 0)
		n = pwrite(o->state_fd, want, strlen(want), 0);
	else if (n > 0 && !bytes_eq(bytes_of(have, (size_t)n),
	    bytes_cstr(want)))
		return error_set(e, "%s: holds the changes of another "
		    "directory than %s is now", o->dir, o->host);
	if (n <= 0 || fstat(o->state_fd, &st) != 0)
		return error_errno(e, "%s/state", o->dir);
	o->start = st.st_ctim;
	return 0;
}

static int
open_one(struct overlay *o, int parent_fd, const char *name, struct error *e)
{
	struct stat st;
	int fd, work_fd = -1, r;

	o->lower_fd = open(o->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    O_NOFOLLOW);
	if (o->lower_fd == -1 || fstat(o->lower_fd, &st) != 0)
		return error_errno(e, "%s", o->host);
	if (mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST)
		return error_errno(e, "%s", o->dir);
	fd = overlay_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY);
	if (fd == -1)
		return error_errno(e, "%s", o->dir);
	r = open_state(o, fd, &st, e);
	if (r == 0) {
		o->upper_fd = make_upper(fd, "upper", &st);
		work_fd = make_upper(fd, "work", &st);
		if (o->upper_fd == -1 || work_fd == -1)
			r = error_errno(e, "%s", o->dir);
		/* The payload's ids need to search it, and only them. */
		else if (geteuid() == 0 && fchown(fd, st.st_uid,
		    st.st_gid) != 0)
			r = error_errno(e, "%s", o->dir);
	}
	io_close(&work_fd);
	io_close(&fd);
	return r;
}

/* Names an upper by what it is of, so that options may change between
 * runs. */
static void
name_of(const char *host, char out[static 2 * NAME_BYTES + 1])
{
	uint8_t digest[SHA256_LEN];

	sha256(bytes_cstr(host), digest);
	str_hex(out, bytes_of(digest, NAME_BYTES));
}

static int
add(struct overlays *o, const struct policy *p, struct policy_path *path,
    const char *parent, struct error *e)
{
	struct overlay *a = &o->at[o->count++];
	char name[2 * NAME_BYTES + 1];
	int fd, r;

	a->lower_fd = a->upper_fd = a->state_fd = -1;
	a->host = path->host;
	a->home = p->home_of[POLICY_OWN];
	a->protect = p->protect;
	name_of(path->host, name);
	if (str_format(a->dir, sizeof a->dir, "%s/%s", parent, name) != 0)
		return error_set(e, "%s: too long", parent);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return error_errno(e, "%s", parent);
	r = open_one(a, fd, name, e);
	io_close(&fd);
	if (r != 0)
		return r;
	path->upper = strdup(a->dir);
	return path->upper == NULL ? error_errno(e, "%s", a->dir) : 0;
}

static int
open_all(struct overlays *o, struct policy *p, const char *changes,
    bool keep, struct error *e)
{
	char parent[PATH_LEN] = "";

	o->count = 0;
	o->parent[0] = '\0';
	for (size_t i = 0; i < p->path_count; i++) {
		struct policy_path *path = &p->paths[i];

		if (path->access != POLICY_OVERLAY)
			continue;
		if (str_eq(path->host, "/"))
			return error_set(e, "/: no overlay can be put over "
			    "all of the host");
		if (changes == NULL && !keep)
			continue;
		if (o->count == OVERLAY_MAX)
			return error_set(e, "more than %d overlays whose "
			    "changes are kept", OVERLAY_MAX);
		if (parent[0] == '\0' && (changes != NULL ?
		    open_parent(p, changes, parent, e) :
		    make_parent(o, p, path->host, e)) != 0)
			return -1;
		if (o->parent[0] != '\0')
			memcpy(parent, o->parent, sizeof parent);
		if (add(o, p, path, parent, e) != 0)
			return -1;
	}
	return 0;
}

int
overlay_open(struct overlays *o, struct policy *p, const char *changes,
    bool keep, struct error *e)
{
	mode_t old = umask(077);
	int r = open_all(o, p, changes, keep, e);

	umask(old);
	return r;
}

static int
drop_one(const char *dir)
{
	const char *slash = strrchr(dir, '/');
	char parent[PATH_LEN];
	int fd, r;

	str_format(parent, sizeof parent, "%.*s", (int)(slash - dir), dir);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = fd == -1 ? -1 : removal_remove(fd, slash + 1);
	io_close(&fd);
	return r == 0 || errno == ENOENT ? 0 : -1;
}

int
overlay_drop(struct overlays *o, struct error *e)
{
	for (size_t i = 0; i < o->count; i++) {
		if (drop_one(o->at[i].dir) != 0)
			return error_errno(e, "%s: not removed",
			    o->at[i].dir);
	}
	if (o->parent[0] != '\0' && rmdir(o->parent) != 0)
		return error_errno(e, "%s: not removed", o->parent);
	o->parent[0] = '\0';
	return 0;
}

void
overlay_close(struct overlays *o)
{
	for (size_t i = 0; i < o->count; i++) {
		io_close(&o->at[i].lower_fd);
		io_close(&o->at[i].upper_fd);
		io_close(&o->at[i].state_fd);
	}
	o->count = 0;
}

static const char place[] = ".overlay";
static const char place_lower[] = ".overlay/lower";
static const char place_data[] = ".overlay/data";

/* The layers are named relative to the working directory, the tree's root:
 * older kernels take no descriptor for them. */
static int
make_overlay(void)
{
	static const char *const options[][2] = {
		{"source", "overlay"}, {"lowerdir", ".overlay/lower"},
		{"upperdir", ".overlay/data/upper"},
		{"workdir", ".overlay/data/work"},
	};
	int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	int fd = -1;

	if (fs == -1)
		return -1;
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		if (fsconfig(fs, FSCONFIG_SET_STRING, options[i][0],
		    options[i][1], 0) != 0)
			goto out;
	}
	/* In a user namespace trusted.* is not to be had. */
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID |
		    MOUNT_ATTR_NODEV);
out:
	io_close(&fs);
	return fd;
}

static int
make_layers(int root_fd)
{
	struct stat st;

	return fstatat(root_fd, place_lower, &st, 0) != 0 ||
	    mkdirat(root_fd, ".overlay/data/upper", st.st_mode & 0777) != 0 ||
	    mkdirat(root_fd, ".overlay/data/work", 0700) != 0 ? -1 : 0;
}

int
overlay_mount(int root_fd, int lower_mount, int upper_mount, bool fresh)
{
	int fd = -1, saved;

	if (mkdirat(root_fd, place, 0700) != 0 ||
	    mkdirat(root_fd, place_lower, 0700) != 0 ||
	    mkdirat(root_fd, place_data, 0700) != 0 || fchdir(root_fd) != 0)
		return -1;
	if (move_mount(lower_mount, "", root_fd, place_lower,
	    MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
	    move_mount(upper_mount, "", root_fd, place_data,
	    MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
	    (!fresh || make_layers(root_fd) == 0))
		fd = make_overlay();
	saved = errno;
	/* The overlay has clones of its own. */
	umount2(place_lower, MNT_DETACH);
	umount2(place_data, MNT_DETACH);
	unlinkat(root_fd, place_lower, AT_REMOVEDIR);
	unlinkat(root_fd, place_data, AT_REMOVEDIR);
	unlinkat(root_fd, place, AT_REMOVEDIR);
	errno = saved;
	return fd;
}
