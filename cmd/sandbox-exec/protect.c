/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/protect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

const char *const protect_names[] = {
	".bashrc", ".bash_profile", ".bash_login", ".bash_logout",
	".bash_aliases", ".profile", ".zshrc", ".zprofile", ".zshenv",
	".zlogin", ".zlogout", ".envrc", ".gitconfig", ".gitmodules",
	".ripgreprc", ".mcp.json", ".vscode", ".idea", ".claude", ".codex",
	".cursor", ".gemini", ".windsurf", ".zed", ".devcontainer",
	".husky", ".githooks", ".exrc", ".gdbinit", ".ssh", NULL,
};
_Static_assert(sizeof protect_names / sizeof *protect_names <=
    PROTECT_NAMES + 1, "a bit and a time for each");

/* commondir moves a git directory's configuration elsewhere. */
const char *const protect_git_names[] = {
	"hooks", "config", "config.worktree", "commondir", NULL,
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

		if (is_in(in_git ? protect_git_names : protect_names, path,
		    len))
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

void
protect_note(struct protect_state *ret, int fd, const char *const names[])
{
	ret->missing = ret->links = 0;
	for (size_t i = 0; names[i] != NULL; i++) {
		struct stat st;

		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) != 0) {
			ret->missing |= UINT32_C(1) << i;
		} else if (S_ISLNK(st.st_mode)) {
			ret->links |= UINT32_C(1) << i;
			ret->changed[i] = st.st_ctim;
		}
	}
}

/* Adds the directory fd, which it takes. */
static void
add(struct protect_watch *w, int fd, const char *path, const char *name,
    const char *const names[])
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
	d->names = names;
	protect_note(&d->state, fd, names);
	w->count++;
}

void
protect_start(struct protect_watch *w, const struct policy *p)
{
	w->count = w->found_count = 0;
	for (size_t i = 0; p->protect && i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];
		int fd = path->access != POLICY_RW ? -1 :
		    open_directory(AT_FDCWD, path->host);
		int git_fd;

		if (fd == -1)
			continue;
		git_fd = open_directory(fd, ".git");
		if (git_fd != -1)
			add(w, git_fd, path->host, ".git", protect_git_names);
		/* The directory itself may be a git directory. */
		if (is_there(fd, "HEAD") && is_there(fd, "objects"))
			add(w, fcntl(fd, F_DUPFD_CLOEXEC, 3), path->host, "",
			    protect_git_names);
		add(w, fd, path->host, "", protect_names);
	}
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
	add(w, fd, host, "", protect_git_names);
	if (w->count != count)
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

/* Whether a name is there that was not, or is not the link that it was: no
 * program can set a ctime. */
static bool
is_new(const struct protect_watched *d, size_t i)
{
	const struct protect_state *s = &d->state;
	const struct timespec *old = &s->changed[i];
	struct stat st;

	if (((s->missing | s->links) & UINT32_C(1) << i) == 0 ||
	    fstatat(d->fd, d->names[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	return (s->missing & UINT32_C(1) << i) != 0 ||
	    st.st_ctim.tv_sec != old->tv_sec ||
	    st.st_ctim.tv_nsec != old->tv_nsec;
}

/* last: nothing of the sandbox runs.  Returns how many were found. */
static size_t
check(const struct protect_watched *d, bool last, protect_found *found,
    void *user)
{
	size_t count = 0;

	for (size_t i = 0; d->names[i] != NULL; i++) {
		char renamed[NAME_MAX], path[PROTECT_PATH_LEN + NAME_MAX];
		int r;

		if (!is_new(d, i))
			continue;
		str_format(path, sizeof path, "%s/%s", d->path, d->names[i]);
		r = move_away(d->fd, d->names[i], renamed);
		/* A full disk has no room for another name. */
		if (r != 0 && last && (errno == ENOSPC || errno == EDQUOT) &&
		    removal_remove(d->fd, d->names[i]) == 0) {
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
		w->found_count += check(&w->at[i], false, found, user);
	return w->found_count < PROTECT_FOUND_MAX;
}

void
protect_end(struct protect_watch *w, protect_found *found, void *user)
{
	for (size_t i = 0; i < w->count; i++) {
		check(&w->at[i], true, found, user);
		io_close(&w->at[i].told_fd);
		io_close(&w->at[i].fd);
		free(w->at[i].path);
	}
	w->count = 0;
}
