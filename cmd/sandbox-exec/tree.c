/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/sandbox-exec/confine.h"
#include "cmd/sandbox-exec/mask.h"
#include "cmd/sandbox-exec/overlay.h"
#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/procfs.h"
#include "cmd/sandbox-exec/raw.h"
#include "cmd/sandbox-exec/setting.h"
#include "common/io.h"
#include "common/str.h"

enum {
	FLAGS_ALL = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
	FLAGS_RO = FLAGS_ALL | MOUNT_ATTR_RDONLY,
	FLAGS_DEVICE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
	    MOUNT_ATTR_RDONLY,
	PRIVATE_INODES = 1 << 18,
	DIRECTORIES = 2, /* of system_paths, that are no links anywhere */
	IN_TREE = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
	    RESOLVE_IN_ROOT,
};

void
tree_init(struct tree *t)
{
	t->source_count = 0;
	t->watches = (struct masks_watches){0};
	t->root = t->idmount.userns_fd = -1;
	t->no_proc = t->links_read = t->refused = t->cut = false;
	t->no_idmap = NULL;
}

void
tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->source_count; i++) {
		io_close(&t->sources[i].fd);
		io_close(&t->sources[i].upper_fd);
		free(t->sources[i].name);
	}
	io_close(&t->idmount.userns_fd);
	io_close(&t->root);
	tree_init(t);
}

static int
open_beneath(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
		.resolve = resolve};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

/* What a mount call says for want of permission or of the call; it takes
 * descriptors or paths that anybody can reach, so it is not about those. */
static void
note_refusal(struct tree *t)
{
	t->refused = errno == EPERM || errno == EACCES || errno == ENOSYS;
}

/* Clones the mount at fd, or at a path that only root can change, with these
 * flags. */
static int
clone_mount(struct tree *t, int fd, const char *path, uint64_t flags)
{
	struct mount_attr attr = {.attr_set = flags,
		.propagation = MS_PRIVATE};
	int mount_fd = open_tree(fd, path, AT_RECURSIVE |
	    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | (*path == '\0' ? AT_EMPTY_PATH : 0));

	if (mount_fd != -1 && mount_setattr(mount_fd, "", AT_EMPTY_PATH |
	    AT_RECURSIVE, &attr, sizeof attr) != 0)
		io_close(&mount_fd);
	if (mount_fd == -1)
		note_refusal(t);
	return mount_fd;
}

static struct tree_source *
add_source(struct tree *t, const char *inside, int fd, const struct stat *st)
{
	struct tree_source *s = &t->sources[t->source_count++];

	*s = (struct tree_source){
		.inside = (char *)(uintptr_t)inside,
		.fd = fd,
		.upper_fd = -1,
		.directory = S_ISDIR(st->st_mode),
	};
	return s;
}

static void
take_name(struct tree_source *s, const struct policy_path *path, char *name)
{
	s->path = path;
	s->inside = s->name = name;
	s->writable = path->access == POLICY_RW;
}

/* One of the host's own directories or devices; a link is made again as a
 * link by tree_build. */
static int
open_default(struct tree *t, const char *path, uint64_t flags,
    struct error *e)
{
	struct stat st;
	int fd = clone_mount(t, AT_FDCWD, path, flags);

	if (fd == -1)
		return errno == ENOENT ? 0 : error_errno(e, "%s", path);
	if (fstat(fd, &st) != 0) {
		error_errno(e, "%s", path);
		close(fd);
		return -1;
	}
	if (S_ISLNK(st.st_mode))
		close(fd);
	else
		add_source(t, path, fd, &st);
	return 0;
}

static const char *const system_paths[] = {
	"/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64",
	"/libx32",
};

static const char *const devices[] = {
	"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom",
};

/* Which of the host's directories in its root are links, and to what: "" for
 * none. */
static void
read_links(struct tree *t)
{
	for (size_t i = 0; i < TREE_LINKS && !t->links_read; i++) {
		ssize_t n = readlink(system_paths[i + DIRECTORIES],
		    t->links[i], sizeof t->links[i] - 1);

		t->links[i][n > 0 ? n : 0] = '\0';
	}
	t->links_read = true;
}

static int
open_defaults(struct tree *t, const struct policy *p, struct error *e)
{
	if (p->default_files)
		read_links(t);
	for (size_t i = 0; p->default_files &&
	    i < sizeof system_paths / sizeof *system_paths; i++) {
		if (i >= DIRECTORIES && t->links[i - DIRECTORIES][0] != '\0')
			continue;
		if (open_default(t, system_paths[i], FLAGS_RO, e) != 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		if (open_default(t, devices[i], FLAGS_DEVICE, e) != 0)
			return -1;
	}
	return 0;
}

static uint64_t
flags_of(const struct policy_path *path)
{
	return path->access == POLICY_RW ? FLAGS_ALL : FLAGS_RO;
}

/* "/" is what is in it: but for what would undo the sandbox, and what it has
 * of its own. */
static int
open_everything(struct tree *t, const struct policy_path *path,
    struct error *e)
{
	DIR *d = opendir("/");
	struct dirent *entry;
	int r = 0;

	if (d == NULL)
		return error_errno(e, "/");
	while (r == 0 && (entry = readdir(d)) != NULL) {
		size_t before = t->source_count;
		char *name;
		bool skip = entry->d_type == DT_LNK ||
		    str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..");

		for (size_t i = 0; policy_not_in_root[i] != NULL; i++)
			skip = skip || str_eq(entry->d_name,
			    policy_not_in_root[i]);
		if (skip || before == TREE_SOURCES_MAX)
			continue;
		if (asprintf(&name, "/%s", entry->d_name) == -1) {
			r = error_errno(e, "/");
			break;
		}
		r = open_default(t, name, flags_of(path), e);
		if (t->source_count == before)
			free(name);
		else
			take_name(&t->sources[before], path, name);
	}
	closedir(d);
	return r;
}

/* Where an overlay's writes go on the host; their owner there is that of the
 * directory that is overlaid. */
static int
open_upper(struct tree *t, struct tree_source *s, const struct stat *st,
    const struct owner *owner, struct error *e)
{
	const char *upper = s->path->upper;
	int fd;

	if (!s->directory)
		return error_set(e, "%s: an overlay must be a directory",
		    s->path->host);
	if (upper == NULL)
		return 0;
	fd = open_beneath(AT_FDCWD, upper, O_PATH | O_DIRECTORY,
	    RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd == -1 || (s->upper_fd = clone_mount(t, fd, "",
	    FLAGS_ALL)) == -1) {
		error_errno(e, "%s", upper);
		io_close(&fd);
		return -1;
	}
	close(fd);
	if (owner->map && idmount_set(&t->idmount, s->upper_fd, st,
	    owner->host.uid, owner->host.gid) != 0)
		t->no_idmap = upper;
	return 0;
}

static int
open_path(struct tree *t, const struct policy_path *path,
    const struct owner *owner, struct error *e)
{
	struct tree_source *s;
	struct stat st;
	int fd, mount_fd;

	if (str_eq(path->host, "/") && str_eq(path->inside, "/"))
		return open_everything(t, path, e);
	fd = open_beneath(AT_FDCWD, path->host, O_PATH, RESOLVE_NO_SYMLINKS |
	    RESOLVE_NO_MAGICLINKS);
	if (fd == -1)
		return error_errno(e, "%s", path->host);
	if (fstat(fd, &st) != 0 || (mount_fd = clone_mount(t, fd, "",
	    flags_of(path))) == -1) {
		error_errno(e, "%s", path->host);
		close(fd);
		return -1;
	}
	close(fd);
	/* Asked for is what the caller can do with it; but not for the whole
	 * system. */
	if (owner->map && !str_eq(path->host, "/") && idmount_set(&t->idmount,
	    mount_fd, &st, owner->host.uid, owner->host.gid) != 0)
		t->no_idmap = path->host;
	s = add_source(t, path->inside, mount_fd, &st);
	s->path = path;
	s->writable = path->access != POLICY_RO;
	return path->access != POLICY_OVERLAY ? 0 :
	    open_upper(t, s, &st, owner, e);
}

int
tree_open(struct tree *t, const struct policy *p,
    const struct owner *owner, struct error *e)
{
	if (open_defaults(t, p, e) != 0)
		return -1;
	for (size_t i = 0; i < p->path_count; i++) {
		if (p->paths[i].access == POLICY_TMPFS ||
		    p->paths[i].access == POLICY_MASK)
			continue;
		if (open_path(t, &p->paths[i], owner, e) != 0)
			return -1;
	}
	return 0;
}

/* Makes a file system of its own: name is its type, options are pairs and
 * end with NULL.  Returns the detached mount, or -1 with errno. */
static int
new_mount(const char *type, const char *const *options, uint64_t flags)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd = -1;

	if (fs == -1)
		return -1;
	for (; *options != NULL; options += 2) {
		if (fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1],
		    0) != 0)
			goto out;
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)flags);
out:
	io_close(&fs);
	return fd;
}

static int
new_tmpfs(int64_t size, const char *mode)
{
	char bytes[32], inodes[32];
	const char *options[] = {"size", bytes, "nr_inodes", inodes, "mode",
		mode, NULL};

	snprintf(bytes, sizeof bytes, "%lld", (long long)(size != 0 ? size :
	    POLICY_TMPFS_SIZE));
	snprintf(inodes, sizeof inodes, "%d", PRIVATE_INODES);
	return new_mount("tmpfs", options, FLAGS_ALL);
}

static int
attach(int mount_fd, int target_fd, const char *name)
{
	return move_mount(mount_fd, "", target_fd, name,
	    MOVE_MOUNT_F_EMPTY_PATH | (*name == '\0' ?
	    MOVE_MOUNT_T_EMPTY_PATH : 0));
}

/* Puts a directory of the private tmpfs, which is writable there, on top of
 * itself (root is read-only in the end). */
static int
attach_private(struct tree *t, struct landlock *l, const char *name)
{
	int fd = open_tree(t->root, name, OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC);
	int r = -1;

	if (fd != -1 && attach(fd, t->root, name) == 0)
		r = landlock_allow_write(l, fd);
	io_close(&fd);
	return r;
}

/* Makes the missing directories of path (relative) below dir_fd. */
static int
make_dirs(int dir_fd, const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t n = 0;

	for (; *path != '\0'; path++) {
		if (n + 1 >= sizeof part) {
			errno = ENAMETOOLONG;
			return -1;
		}
		part[n] = '\0';
		if (*path == '/' && n != 0 &&
		    mkdirat(dir_fd, part, 0755) != 0 && errno != EEXIST)
			return -1;
		part[n++] = *path;
	}
	part[n] = '\0';
	return mkdirat(dir_fd, part, mode) == 0 || errno == EEXIST ? 0 : -1;
}

/* The links that the host has in its root: /bin to usr/bin and the like. */
static int
make_system_links(struct tree *t)
{
	read_links(t);
	for (size_t i = 0; i < TREE_LINKS; i++) {
		if (t->links[i][0] != '\0' && symlinkat(t->links[i], t->root,
		    system_paths[i + DIRECTORIES] + 1) != 0)
			return -1;
	}
	return 0;
}

/* Places for what nearly every tree has. */
static int
make_places(struct tree *t, const struct policy *p)
{
	for (size_t i = 0; p->default_files && i < DIRECTORIES; i++) {
		if (mkdirat(t->root, system_paths[i] + 1, 0755) != 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		if (mknodat(t->root, devices[i] + 1, S_IFREG | 0444, 0) != 0)
			return -1;
	}
	return p->default_files ? make_system_links(t) : 0;
}

/* Directories and links that every tree has. */
static int
make_skeleton(struct tree *t, const struct policy *p)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = {
		{"proc", 0555}, {"dev", 0755}, {"dev/pts", 0755},
		{"dev/shm", 01777}, {"tmp", 01777}, {"run", 0755},
		{"var", 0755}, {"sys", 0555},
	};
	static const char *const links[][2] = {
		{"/proc/self/fd", "dev/fd"}, {"fd/0", "dev/stdin"},
		{"fd/1", "dev/stdout"}, {"fd/2", "dev/stderr"},
		{"urandom", "dev/random"}, {"pts/ptmx", "dev/ptmx"},
		{"../tmp", "var/tmp"}, {"../run", "var/run"},
	};
	mode_t old = umask(0);
	int fd = t->root;
	int r = -1;

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		if (mkdirat(fd, dirs[i].name, dirs[i].mode) != 0)
			goto out;
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		if (symlinkat(links[i][0], fd, links[i][1]) != 0)
			goto out;
	}
	if (make_dirs(fd, setting_home(p) + 1, 0700) == 0)
		r = make_places(t, p);
out:
	umask(old);
	return r;
}

/* Opens the place for a mount, and makes it where that is in the private
 * tmpfs; never on the host. */
static int
make_target(struct tree *t, const char *inside, bool directory,
    struct error *e)
{
	char parent[PATH_MAX];
	char *slash;
	struct stat st;
	int fd = open_beneath(t->root, inside, O_PATH, IN_TREE);

	if (fd != -1 || errno != ENOENT)
		goto out;
	if (str_format(parent, sizeof parent, "%s", inside) != 0)
		goto out;
	slash = strrchr(parent, '/');
	*slash = '\0';
	if (slash == parent)
		fd = fcntl(t->root, F_DUPFD_CLOEXEC, 3);
	else
		fd = make_target(t, parent, true, e);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) != 0 || st.st_dev != t->private_dev) {
		io_close(&fd);
		return error_set(e, "%s: does not exist on the host, and "
		    "making it would change the host", inside);
	}
	if ((directory ? mkdirat(fd, slash + 1, 0755) :
	    mknodat(fd, slash + 1, S_IFREG | 0444, 0)) != 0)
		io_close(&fd);
	else
		close(fd), fd = open_beneath(t->root, inside, O_PATH, IN_TREE);
out:
	if (fd == -1)
		error_errno(e, "%s: in the sandbox", inside);
	return fd;
}

/* Makes room where a link of ours is, such as /var/run or /bin. */
static void
remove_link(struct tree *t, const char *inside)
{
	const char *name = strrchr(inside, '/') + 1;
	char parent[PATH_MAX];
	struct stat dir, st;
	int fd;

	if (str_format(parent, sizeof parent, "%.*s", (int)(name - inside),
	    inside) != 0)
		return;
	fd = open_beneath(t->root, parent, O_PATH | O_DIRECTORY, IN_TREE);
	if (fd != -1 && fstat(fd, &dir) == 0 &&
	    dir.st_dev == t->private_dev &&
	    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		unlinkat(fd, name, 0);
	io_close(&fd);
}

/* What is granted takes the place of a link that every tree has. */
static int
open_target(struct tree *t, const char *inside, bool directory,
    struct error *e)
{
	int fd = open_beneath(t->root, inside, O_PATH, IN_TREE);

	if (fd == -1 && errno == ELOOP)
		remove_link(t, inside);
	return fd != -1 ? fd : make_target(t, inside, directory, e);
}

/* Puts an overlay in the place of the mount that it is over. */
static int
make_overlay(struct tree *t, struct tree_source *s, int64_t size,
    struct error *e)
{
	bool fresh = s->upper_fd == -1;
	int fd;

	if (fresh)
		s->upper_fd = new_tmpfs(size, "0700");
	fd = s->upper_fd == -1 ? -1 : overlay_mount(t->root, s->fd,
	    s->upper_fd, fresh);
	if (fd == -1)
		return error_errno(e, "%s: overlay", s->inside);
	io_close(&s->upper_fd);
	close(s->fd);
	s->fd = fd;
	return 0;
}

static int
attach_source(struct tree *t, const struct policy *p, struct tree_source *s,
    struct landlock *l, struct error *e)
{
	int target, r;

	if (s->path != NULL && s->path->access == POLICY_OVERLAY &&
	    make_overlay(t, s, p->limits.tmpfs, e) != 0)
		return -1;
	target = open_target(t, s->inside, s->directory, e);
	if (target == -1)
		return -1;
	r = attach(s->fd, target, "");
	close(target);
	if (r == 0 && s->writable)
		r = landlock_allow_write(l, s->fd);
	if (r != 0)
		return error_errno(e, "%s: mount", s->inside);
	io_close(&s->fd);
	return 0;
}

static int
attach_tmpfs(struct tree *t, const struct policy_path *path, int64_t size,
    struct landlock *l, struct error *e)
{
	int target = open_target(t, path->inside, true, e);
	int fd, r = -1;

	if (target == -1)
		return -1;
	fd = new_tmpfs(path->size != 0 ? path->size : size, "0755");
	if (fd != -1 && attach(fd, target, "") == 0)
		r = landlock_allow_write(l, fd);
	if (r != 0)
		error_errno(e, "%s: tmpfs", path->inside);
	io_close(&fd);
	close(target);
	return r;
}

/* The private home is on top of what it is in and below what is in it. */
static int
attach_home(struct tree *t, const struct policy *p, int home_fd,
    struct landlock *l, struct error *e)
{
	int target, r = -1;

	if (p->home != POLICY_HOME_PRIVATE)
		return 0;
	target = open_target(t, setting_home(p), true, e);
	if (target == -1)
		return -1;
	if (attach(home_fd, target, "") == 0)
		r = landlock_allow_write(l, home_fd);
	close(target);
	return r == 0 ? 0 : error_errno(e, "home");
}

/* Sources and directories of its own in the policy's order, so that the
 * later one wins; above: those that the home is in, or the others. */
static int
attach_paths(struct tree *t, const struct policy *p, bool above,
    struct landlock *l, struct error *e)
{
	const char *home = setting_home(p);
	size_t s = 0;

	while (s < t->source_count && t->sources[s].path == NULL)
		s++;
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];
		bool is_above = path_is_below(home, path->inside) &&
		    !str_eq(home, path->inside);

		if (path->access == POLICY_TMPFS && is_above == above &&
		    attach_tmpfs(t, path, p->limits.tmpfs, l, e) != 0)
			return -1;
		for (; s < t->source_count && t->sources[s].path == path;
		    s++) {
			if (is_above == above && attach_source(t, p,
			    &t->sources[s], l, e) != 0)
				return -1;
		}
	}
	return 0;
}

/* Into a tree that nothing but make_skeleton has been at. */
static int
attach_defaults(struct tree *t, const struct policy *p, struct landlock *l,
    struct error *e)
{
	for (size_t i = 0; i < t->source_count &&
	    t->sources[i].path == NULL; i++) {
		struct tree_source *s = &t->sources[i];

		if (attach(s->fd, t->root, s->inside + 1) == 0)
			io_close(&s->fd);
		else if (attach_source(t, p, s, l, e) != 0)
			return -1;
	}
	return 0;
}

static int
attach_all(struct tree *t, const struct policy *p, struct landlock *l,
    struct error *e)
{
	int home_fd = open_tree(t->root, setting_home(p) + 1,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int r = -1;

	if (home_fd == -1 || attach_private(t, l, "tmp") != 0 ||
	    attach_private(t, l, "dev/shm") != 0)
		error_errno(e, "private directories");
	else if (attach_defaults(t, p, l, e) == 0 &&
	    attach_paths(t, p, true, l, e) == 0 &&
	    attach_home(t, p, home_fd, l, e) == 0 &&
	    attach_paths(t, p, false, l, e) == 0)
		r = 0;
	io_close(&home_fd);
	return r;
}

/* The place of a file that may be a link to nowhere, as /etc/resolv.conf is
 * where the resolver's own directory in /run is not shown. */
static int
open_linked(struct tree *t, const char *path, struct error *e)
{
	char link[PATH_MAX], target[PATH_MAX];
	int fd = open_beneath(t->root, path, O_PATH, RESOLVE_IN_ROOT);
	ssize_t n;

	if (fd != -1 || errno != ENOENT)
		return fd != -1 ? fd : error_errno(e, "%s", path);
	n = readlinkat(t->root, path + 1, link, sizeof link - 1);
	link[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		return open_target(t, path, false, e);
	if (link[0] != '/' && str_format(target, sizeof target, "%.*s/%s",
	    (int)(strrchr(path, '/') - path), path, link) != 0)
		return error_errno(e, "%s", path);
	if (path_absolute(link[0] == '/' ? link : target, NULL, NULL, link,
	    e) != 0)
		return -1;
	return open_target(t, link, false, e);
}

/* Names are asked of the gate. */
static int
attach_resolver(struct tree *t, struct error *e)
{
	static const char name[] = ".resolv.conf";
	static const char text[] = "nameserver " CONFINE_DNS_ADDRESS
	    "\n";
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int target = open_linked(t, "/etc/resolv.conf", e);
	int file, fd = -1, r = -1;

	if (target == -1)
		return -1;
	file = openat(t->root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0444);
	if (file != -1 && io_write_all(file, bytes_cstr(text)) == 0)
		fd = open_tree(t->root, name, OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC);
	if (fd != -1 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr,
	    sizeof attr) == 0)
		r = attach(fd, target, "");
	if (r != 0)
		error_errno(e, "/etc/resolv.conf");
	unlinkat(t->root, name, 0);
	io_close(&fd);
	io_close(&file);
	close(target);
	return r;
}

static int
attach_proc(struct tree *t, const struct policy *p)
{
	int r = procfs_attach(t->root, "proc", p->proc);

	t->no_proc = r == 1;
	return r == 1 ? 0 : r;
}

static int
attach_pts(struct tree *t, struct landlock *l)
{
	/* All sandboxes and the host have kernel.pty.max together. */
	static const char *const options[] = {"ptmxmode", "0666", "mode",
		"0620", "max", TREE_PTYS_MAX, NULL};
	int fd = new_mount("devpts", options, MOUNT_ATTR_NOSUID |
	    MOUNT_ATTR_NOEXEC);
	int dev = openat(t->root, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = fd == -1 || dev == -1 ? -1 : attach(fd, t->root, "dev/pts");

	/* For all that is in /dev, which itself is read-only. */
	if (r == 0)
		r = landlock_allow_write(l, dev);
	io_close(&dev);
	io_close(&fd);
	return r;
}

int
tree_enter(struct tree *t)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	if (mount_setattr(t->root, "", AT_EMPTY_PATH, &attr,
	    sizeof attr) != 0 ||
	    fchdir(t->root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) {
		note_refusal(t);
		return -1;
	}
	return chdir("/");
}

/* The old root is on top of the new one, and goes with everything that is
 * mounted on it. */
int
tree_leave(void)
{
	return (int)-raw_call(SYS_umount2, (long)(uintptr_t)"/", MNT_DETACH,
	    0, 0, 0);
}

int
tree_make_root(struct tree *t, const struct policy *p, struct error *e)
{
	struct stat st;

	t->root = new_tmpfs(p->limits.tmpfs, "0755");
	if (t->root == -1)
		return error_errno(e, "root: tmpfs");
	if (fstat(t->root, &st) != 0 || make_skeleton(t, p) != 0)
		return error_errno(e, "root");
	t->private_dev = st.st_dev;
	return 0;
}

int
tree_attach_root(struct tree *t, struct error *e)
{
	return attach(t->root, AT_FDCWD, "/") == 0 ? 0 :
	    error_errno(e, "root: tmpfs");
}

static int
build(struct tree *t, const struct policy *p, struct landlock *l,
    struct error *e)
{
	if (attach_proc(t, p) != 0)
		return error_errno(e, "proc");
	if (attach_pts(t, l) != 0)
		return error_errno(e, "devpts");
	if (attach_all(t, p, l, e) != 0 || mask_all(t, p, e) != 0)
		return -1;
	if (p->net == POLICY_NET_ALLOW && p->default_files &&
	    attach_resolver(t, e) != 0)
		return -1;
	if (landlock_allow_read(l, t->root) != 0)
		return error_errno(e, "landlock");
	return 0;
}

int
tree_build(struct tree *t, const struct policy *p, struct landlock *l,
    struct error *e)
{
	mode_t old = umask(0); /* the caller's is for what the payload makes */
	int r = build(t, p, l, e);

	umask(old);
	return r;
}
