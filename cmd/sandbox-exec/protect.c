/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/protect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/removal.h"
#include "common/io.h"
#include "common/str.h"

enum {
	NUMBERED = 10,  /* names that say how often, */
	RENAMES_MAX = 20, /* then some that nobody can have taken */
	RANDOM_LEN = 8,
};

static const char *const directory_names[] = {
	".bashrc", ".bash_profile", ".bash_login", ".bash_logout",
	".bash_aliases", ".profile", ".zshrc", ".zprofile", ".zshenv",
	".zlogin", ".zlogout", ".envrc", ".gitconfig", ".gitmodules",
	".ripgreprc", ".mcp.json", ".vscode", ".idea", ".claude", ".codex",
	".cursor", ".gemini", ".windsurf", ".zed", ".devcontainer",
	".husky", ".githooks", ".exrc", ".gdbinit", ".ssh",
	".agents", ".amazonq", ".kiro", ".opencode", "opencode.json", ".qwen",
	".roo", ".devcontainer.json", ".vimrc", ".nvimrc", ".nvim.lua",
	".lldbinit", ".Rprofile", ".ghci", ".irbrc", ".ocamlinit", ".pdbrc",
	".pryrc", ".cshrc", ".tcshrc", ".login", ".kshrc", ".mkshrc",
	".xprofile", ".xsessionrc", ".xinitrc", ".tmux.conf", ".screenrc",
	".emacs", ".hgrc", NULL,
};
_Static_assert(sizeof directory_names / sizeof *directory_names <=
    PROTECT_NAMES + 1, "a bit and a time for each");

/* commondir moves a git directory's configuration elsewhere. */
static const char *const git_names[] = {
	"hooks", "config", "config.worktree", "commondir", NULL,
};

/* .git as a link.  With HEAD a directory is a git directory itself as soon as
 * what is in .git is none any more. */
static const char *const repository_names[] = {".git", "HEAD", NULL};

/* sharedpath moves a repository's configuration elsewhere. */
static const char *const mercurial_names[] = {
	"hgrc", "hgrc-not-shared", "sharedpath", NULL,
};

static const char *const home_names[] = {
	".bash_completion", ".bashrc.d", ".emacs.d", ".forward", ".inputrc",
	".lessfilter", ".oh-my-zsh", ".pam_environment", ".procmailrc",
	".psqlrc", ".sqliterc", ".vim", ".xsession", NULL,
};

/* Directories, most of them. */
static const char *const config_names[] = {
	"alacritty", "autostart", "direnv", "emacs", "environment.d", "fish",
	"foot", "ghostty", "git", "helix", "hg", "hypr", "i3", "kitty",
	"mise", "nushell", "nvim", "opencode", "plasma-workspace",
	"powershell", "starship.toml", "sway", "systemd", "tmux", "vim",
	"wezterm", "xonsh", "zed", "zsh", NULL,
};

static const char *const share_names[] = {
	"applications", "bash-completion", "dbus-1", "nvim", "systemd", NULL,
};

const char *const *const protect_names[PROTECT_LISTS] = {
	[PROTECT_DIRECTORY] = directory_names,
	[PROTECT_GIT] = git_names,
	[PROTECT_REPOSITORY] = repository_names,
	[PROTECT_MERCURIAL] = mercurial_names,
	[PROTECT_HOME] = home_names,
	[PROTECT_CONFIG] = config_names,
	[PROTECT_SHARE] = share_names,
};

static bool
is_in(const char *const names[], const char *part, size_t len)
{
	for (; *names != NULL; names++) {
		size_t i = 0;

		while (i < len && ascii_lower((*names)[i]) ==
		    ascii_lower(part[i]))
			i++;
		if (i == len && (*names)[len] == '\0')
			return true;
	}
	return false;
}

bool
protect_is_name(const char *path)
{
	static const char *const git[] = {".git", NULL};
	bool in_git = false;

	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if (is_in(in_git ? git_names : directory_names, path, len))
			return true;
		/* ".git" as a file names a git directory elsewhere. */
		if (is_in(git, path, len)) {
			if (path[len] == '\0')
				return true;
			in_git = true;
		}
		path += len + (path[len] == '/');
	}
	return false;
}

static int
open_directory(int dir_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

static bool
is_there(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
protect_is_git(int fd)
{
	return is_there(fd, "HEAD") && is_there(fd, "objects");
}

static int64_t
change_of(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

void
protect_note(struct protect_state *ret, int fd, enum protect_list list)
{
	const char *const *names = protect_names[list];

	ret->list = list;
	ret->missing = ret->links = 0;
	for (size_t i = 0; names[i] != NULL; i++) {
		struct stat st;

		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) != 0) {
			ret->missing |= UINT64_C(1) << i;
		} else if (S_ISLNK(st.st_mode)) {
			ret->links |= UINT64_C(1) << i;
			ret->changed_ns[i] = change_of(&st);
		}
	}
}

/* The file that a link leads to in the end, as a number; 0 for none. */
static uint64_t
find_target(int fd, const char *name)
{
	enum { DEVICE_BITS = 40 }; /* above all inodes that there are */
	struct stat st;

	if (fstatat(fd, name, &st, 0) != 0)
		return 0;
	return (uint64_t)st.st_ino ^ ((uint64_t)st.st_dev << DEVICE_BITS |
	    (uint64_t)st.st_dev >> (64 - DEVICE_BITS));
}

static void
note_targets(struct protect_watched *d)
{
	const char *const *names = protect_names[d->state.list];

	if (d->state.links != 0)
		d->targets = calloc(PROTECT_NAMES, sizeof *d->targets);
	for (size_t i = 0; d->targets != NULL && names[i] != NULL; i++) {
		if ((d->state.links & UINT64_C(1) << i) != 0)
			d->targets[i] = find_target(d->fd, names[i]);
	}
}

/* The time of the last change of the directory fd, if another change would be
 * of another time: on a file system that is known to have its own, and not so
 * recent that its clock may not have moved on.  Else 0. */
static int64_t
find_still(int fd)
{
	enum { RECENT_S = 2 };
	struct timespec now;
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0 ||
	    clock_gettime(CLOCK_REALTIME, &now) != 0 ||
	    st.st_ctim.tv_sec > now.tv_sec - RECENT_S)
		return 0;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case XFS_SUPER_MAGIC:
		return change_of(&st);
	default:
		return 0;
	}
}

/* Whether nothing can have been made in it, nor be led elsewhere. */
static bool
is_still(const struct protect_watched *d)
{
	struct stat st;

	return d->still_ns != 0 && d->state.links == 0 &&
	    fstat(d->fd, &st) == 0 && change_of(&st) == d->still_ns;
}

/* Adds the directory fd, which it takes. */
static void
add(struct protect_watch *w, int fd, const char *path, const char *name,
    enum protect_list list)
{
	struct protect_watched *d = &w->at[w->count];
	char full[PROTECT_PATH_LEN];

	if (w->count == PROTECT_WATCHED_MAX || str_format(full, sizeof full,
	    "%s%s%s", path, name[0] == '\0' ? "" : "/", name) != 0 ||
	    (d->path = strdup(full)) == NULL) {
		close(fd);
		return;
	}
	d->fd = fd;
	d->told_fd = -1;
	d->targets = NULL;
	/* Where there are many names. */
	d->still_ns = list == PROTECT_DIRECTORY ? find_still(fd) : 0;
	protect_note(&d->state, fd, list);
	w->count++;
}

/* Adds a directory that is writable, and its repository. */
static void
add_granted(struct protect_watch *w, int fd, const char *path)
{
	/* The directory itself may be a git directory. */
	bool bare = protect_is_git(fd);
	int git_fd = open_directory(fd, ".git");
	size_t old = w->count;

	if (git_fd != -1)
		add(w, git_fd, path, ".git", PROTECT_GIT);
	if (bare)
		add(w, fcntl(fd, F_DUPFD_CLOEXEC, 3), path, "", PROTECT_GIT);
	else if (git_fd != -1 || is_there(fd, ".git"))
		add(w, fcntl(fd, F_DUPFD_CLOEXEC, 3), path, "",
		    PROTECT_REPOSITORY);
	add(w, fd, path, "", PROTECT_DIRECTORY);
	for (size_t i = old; i < w->count; i++)
		note_targets(&w->at[i]);
}

void
protect_start(struct protect_watch *w, const struct policy *p)
{
	w->policy = p;
	w->count = w->found_count = 0;
	for (size_t i = 0; p->protect && i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];
		int fd = path->access != POLICY_RW ? -1 :
		    open_directory(AT_FDCWD, path->host);

		if (fd != -1)
			add_granted(w, fd, path->host);
	}
}

uint64_t
protect_missing(const struct protect_watch *w, const char *path,
    enum protect_list list)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->at[i].state.list == list && str_eq(w->at[i].path, path))
			return w->at[i].state.missing;
	}
	return 0;
}

/* Where a path inside lies on the host. */
static int
find_host(const struct policy *p, const char *inside,
    char out[static PROTECT_PATH_LEN])
{
	const struct policy_path *best = NULL;
	size_t skip;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access == POLICY_RW &&
		    path_is_below(inside, path->inside) && (best == NULL ||
		    path_is_below(path->inside, best->inside)))
			best = path;
	}
	if (best == NULL)
		return -1;
	skip = best->inside[1] == '\0' ? 0 : strlen(best->inside);
	return str_format(out, PROTECT_PATH_LEN, "%s%s",
	    best->host[1] == '\0' ? "" : best->host, inside + skip);
}

void
protect_add(struct protect_watch *w, const struct policy *p,
    const char *inside, const struct protect_state *state)
{
	char host[PROTECT_PATH_LEN];
	size_t count = w->count;
	int fd = find_host(p, inside, host) != 0 ? -1 :
	    open_directory(AT_FDCWD, host);

	if (fd == -1)
		return;
	add(w, fd, host, "", state->list);
	if (w->count == count)
		return;
	w->at[count].state = *state;
}

void
protect_arm(struct protect_watch *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct protect_watched *d = &w->at[i];

		if ((d->state.missing | d->state.links) == 0)
			continue;
		d->told_fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);
		if (d->told_fd != -1 && fcntl(d->told_fd, F_NOTIFY,
		    DN_MULTISHOT | DN_CREATE | DN_RENAME) != 0)
			io_close(&d->told_fd);
	}
}

static void
format_new_name(const char *name, int i, char out[static NAME_MAX])
{
	uint8_t random[RANDOM_LEN];
	char hex[2 * RANDOM_LEN + 1] = "";

	if (i == 0) {
		str_format(out, NAME_MAX, "%s.sandbox-exec", name);
	} else if (i < NUMBERED) {
		str_format(out, NAME_MAX, "%s.sandbox-exec-%d", name, i);
	} else if (getrandom(random, sizeof random, 0) == RANDOM_LEN) {
		str_hex(hex, bytes_of(random, sizeof random));
		str_format(out, NAME_MAX, "%s.sandbox-exec-%s", name, hex);
	}
}

/* The payload can have taken any name that it can guess.  Returns 0 and the
 * name that it has now, or -1 with errno. */
static int
move_away(int fd, const char *name, char out[static NAME_MAX])
{
	for (int i = 0; i < RENAMES_MAX; i++) {
		format_new_name(name, i, out);
		if (renameat2(fd, name, fd, out, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* Whether the payload can have made what the link leads to now. */
static bool
is_writable(const struct policy *p, int fd, const char *name)
{
	int target = openat(fd, name, O_PATH | O_CLOEXEC);
	char link[64], path[PATH_MAX];
	ssize_t n = -1;

	if (target == -1)
		return false;
	str_format(link, sizeof link, "/proc/self/fd/%d", target);
	n = readlink(link, path, sizeof path - 1);
	close(target);
	if (n < 0)
		return true;
	path[n] = '\0';
	return policy_shows(p, path, true);
}

/* A link leads elsewhere when one behind it does, or a directory on the
 * way. */
static bool
is_led_away(const struct policy *p, const struct protect_watched *d, size_t i)
{
	const char *name = protect_names[d->state.list][i];
	uint64_t target = d->targets == NULL ? 0 : find_target(d->fd, name);

	return d->targets != NULL && target != 0 &&
	    target != d->targets[i] && is_writable(p, d->fd, name);
}

/* Whether a name is there that was not, or is not the link that it was: no
 * program can set a ctime. */
static bool
is_new(const struct policy *p, const struct protect_watched *d, size_t i)
{
	const struct protect_state *s = &d->state;
	struct stat st;

	if (((s->missing | s->links) & UINT64_C(1) << i) == 0 ||
	    fstatat(d->fd, protect_names[s->list][i], &st,
	    AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	return (s->missing & UINT64_C(1) << i) != 0 ||
	    change_of(&st) != s->changed_ns[i] || is_led_away(p, d, i);
}

/* last: nothing of the sandbox runs.  Returns how many were found. */
static size_t
check(const struct protect_watch *w, size_t at, bool last,
    protect_found *found, void *user)
{
	const struct protect_watched *d = &w->at[at];
	const char *const *names = protect_names[d->state.list];
	size_t count = 0;

	if (is_still(d))
		return 0;
	for (size_t i = 0; names[i] != NULL; i++) {
		char renamed[NAME_MAX], path[PROTECT_PATH_LEN + NAME_MAX];
		int r;

		if (!is_new(w->policy, d, i))
			continue;
		str_format(path, sizeof path, "%s/%s", d->path, names[i]);
		r = move_away(d->fd, names[i], renamed);
		/* A full disk has no room for another name. */
		if (r != 0 && last && (errno == ENOSPC || errno == EDQUOT) &&
		    removal_remove(d->fd, names[i]) == 0) {
			renamed[0] = '\0';
			r = 0;
		}
		/* It may be gone again. */
		if (r == 0 || errno != ENOENT)
			found(user, path, r == 0 ? renamed : NULL);
		count++;
	}
	return count;
}

bool
protect_look(struct protect_watch *w, protect_found *found, void *user)
{
	for (size_t i = 0; i < w->count; i++)
		w->found_count += check(w, i, false, found, user);
	return w->found_count < PROTECT_FOUND_MAX;
}

void
protect_end(struct protect_watch *w, protect_found *found, void *user)
{
	for (size_t i = 0; i < w->count; i++) {
		check(w, i, true, found, user);
		io_close(&w->at[i].told_fd);
		io_close(&w->at[i].fd);
		free(w->at[i].path);
		free(w->at[i].targets);
	}
	w->count = 0;
}
