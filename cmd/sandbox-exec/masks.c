/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/protect.h"
#include "cmd/sandbox-exec/setting.h"
#include "common/io.h"
#include "common/str.h"

enum { DEPTH_MAX = 96, LINKS_MAX = 8, HOMES_MAX = 8, GROW = 64 };

/* Below a home directory. */
static const char *const home_secrets[] = {
	".ssh", ".gnupg", ".aws", ".azure", ".kube", ".netrc", ".npmrc",
	".yarnrc.yml", ".pypirc", ".pgpass", ".my.cnf", ".s3cfg",
	".vault-token", ".databrickscfg", ".snowflake", ".password-store",
	".git-credentials", ".*_history", ".mozilla", ".thunderbird",
	".bitcoin", ".electrum", ".cargo/credentials*", ".gem/credentials",
	".docker/config.json", ".m2/settings.xml",
	".gradle/gradle.properties", ".terraform.d/credentials.tfrc.json",
	".claude/.credentials.json", ".claude.json", ".codex/auth.json",
	".gemini/oauth_creds.json", ".local/share/opencode/auth.json",
	".config/github-copilot", ".config/anthropic", ".config/sops",
	".config/configstore", ".config/pypoetry/auth.toml",
	".config/composer/auth.json", ".composer/auth.json",
	".config/helm/registry", ".config/heroku", ".config/netlify",
	".local/share/com.vercel.cli", ".fly", ".oci", ".aliyun", ".boto",
	".terraformrc", ".pulumi/credentials.json", ".ivy2/.credentials",
	".sbt/.credentials", ".nuget/NuGet", ".config/NuGet",
	".local/share/atuin", ".zhistory", ".histfile", ".lesshst",
	".viminfo", ".local/state/nvim", ".emacs.d/server", ".pki",
	".1password", ".config/1Password", ".config/Bitwarden CLI",
	".config/Signal", ".config/Slack", ".config/discord",
	".docker/run", ".docker/desktop", ".colima", ".lima", ".rd",
	".orbstack", ".local/share/containers/podman",
	".huggingface/token", ".cache/huggingface/token",
	".config/git/credentials", ".config/gcloud", ".config/gh",
	".config/glab-cli", ".config/hub", ".config/op", ".config/rclone",
	".config/doctl", ".config/hcloud", ".config/containers/auth.json",
	".config/google-chrome*", ".config/chromium", ".config/microsoft-edge*",
	".config/BraveSoftware", ".config/vivaldi", ".config/opera",
	".local/share/keyrings", ".local/share/kwalletd",
	".local/share/fish/fish_history", NULL,
};

/* Sockets of container engines and service managers stand for all of the
 * host. */
static const char *const system_secrets[] = {
	"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-",
	"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_dsa_key",
	"/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key",
	"/etc/ssl/private",
	"/etc/krb5.keytab", "/run/secrets", "/var/run/secrets",
	"/run/docker.sock", "/run/podman", "/run/containerd", "/run/user",
	"/run/crio", "/run/k3s", "/run/incus", "/run/lxd.socket",
	"/var/lib/lxd/unix.socket", "/var/lib/incus/unix.socket",
	"/var/snap/lxd/common/lxd/unix.socket",
	"/var/snap/lxd/common/lxd-user/unix.socket",
	"/run/dbus", "/run/systemd/private", "/run/libvirt", "/run/snapd.socket",
	"/run/screen", "/run/tmux",
	NULL,
};

struct finder {
	const struct policy *policy;
	struct masks *masks;
	int root_fd;
	size_t visits;      /* directory entries that may still be seen */
	bool soft;          /* running out of them is no failure */
	bool is_default;    /* a path that is granted itself is no secret */
	bool failed;        /* too much; error has why */
	struct error *error;
	char path[PATH_LEN]; /* where the finder is; "" for the root */
	size_t len;
};

static void
fail(struct finder *f, const char *why)
{
	if (!f->failed)
		error_set(f->error, "masks: %s: %s",
		    f->len == 0 ? "/" : f->path, why);
	f->failed = true;
}

/* Adds name to the path.  *old is for leave, which is not to be called when
 * this fails. */
static bool
enter(struct finder *f, const char *name, size_t *old)
{
	size_t n = strlen(name);

	*old = f->len;
	if (f->len + n + 2 > sizeof f->path) {
		fail(f, "path too long");
		return false;
	}
	f->path[f->len++] = '/';
	memcpy(f->path + f->len, name, n + 1);
	f->len += n;
	return true;
}

static void
leave(struct finder *f, size_t old)
{
	f->len = old;
	f->path[old] = '\0';
}

static void
add(struct finder *f, enum masks_kind kind, mode_t mode)
{
	struct masks *m = f->masks;
	struct masks_entry entry = {
		.kind = kind, .directory = S_ISDIR(mode),
	};

	if (m->count == m->size) {
		struct masks_entry *more = m->size == MASKS_MAX ? NULL :
		    realloc(m->entries, (m->size + GROW) * sizeof *more);

		if (more == NULL) {
			fail(f, "too many matches");
			return;
		}
		m->entries = more;
		m->size += GROW;
	}
	entry.path = strdup(f->path);
	if (entry.path == NULL)
		fail(f, "out of memory");
	else
		m->entries[m->count++] = entry;
}

/* A path inside, without following a link. */
static int
open_inside(const struct finder *f, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT,
	};

	return (int)syscall(SYS_openat2, f->root_fd,
	    path[0] == '\0' ? "." : path, &how, sizeof how);
}

static bool
is_directory(const struct dirent *entry)
{
	return entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
}

static int
open_child(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC | O_NONBLOCK);
}

/* Pays for a directory entry out of what may be visited.  Returns whether
 * there was enough. */
static bool
pay(struct finder *f, const struct dirent *entry)
{
	size_t price = f->soft && is_directory(entry) ? MASKS_DIRECTORY : 1;

	if (f->visits < price)
		return false;
	f->visits -= price;
	return true;
}

/* Calls each for every name in the directory fd; in search of repositories
 * only for directories. */
typedef void visit(struct finder *f, int fd, const char *name, void *arg);

static void
list(struct finder *f, int fd, visit *each, void *arg)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *entry = NULL;

	if (d == NULL) {
		/* What init cannot list the payload cannot list either. */
		io_close(&copy);
		return;
	}
	while (!f->failed && (entry = readdir(d)) != NULL) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (!pay(f, entry))
			break;
		if (!f->soft || is_directory(entry))
			each(f, fd, entry->d_name, arg);
	}
	if (entry != NULL && f->soft)
		f->masks->cut = true;
	else if (entry != NULL)
		fail(f, "too many files to look for a mask");
	closedir(d);
}

/* How a granted path lies to the finder's: -1 none is there, 0 one is below,
 * 1 it is one. */
static int
granted(const struct finder *f)
{
	int r = -1;

	for (size_t i = 0; i < f->policy->path_count; i++) {
		const struct policy_path *p = &f->policy->paths[i];

		if (p->access == POLICY_MASK || p->narrows ||
		    !path_is_below(p->inside, f->path))
			continue;
		if (str_eq(p->inside, f->path))
			return 1;
		r = 0;
	}
	return r;
}

static void hide(struct finder *f, int fd, const char *name);

static void
hide_one(struct finder *f, int fd, const char *name, void *arg)
{
	(void)arg;
	hide(f, fd, name);
}

/* Where the link at the finder's path leads; it is in a directory that was
 * reached without links, so that leading ".." can be taken literally. */
static int
join_link(const struct finder *f, const char *text,
    char out[static PATH_LEN])
{
	char dir[PATH_LEN];
	struct error ignored;

	memcpy(dir, f->path, f->len + 1);
	*strrchr(dir, '/') = '\0';
	while (str_starts(text, "../")) {
		char *slash = strrchr(dir, '/');

		if (slash != NULL)
			*slash = '\0';
		text += 3;
	}
	return path_absolute(text, dir[0] == '\0' ? "/" : dir, NULL, out,
	    &ignored);
}

/* Follows the link at the finder's path as far as it stays inside, and moves
 * the finder there.  Returns a descriptor (O_PATH) of what is no link, or
 * -1. */
static int
follow_link(struct finder *f, int fd, const char *name)
{
	int link_fd = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char text[PATH_LEN], target[PATH_LEN];
	struct stat st;

	for (int i = 0; i < LINKS_MAX && link_fd != -1; i++) {
		ssize_t n = readlinkat(link_fd, "", text, sizeof text - 1);

		if (n <= 0)
			break;
		text[n] = '\0';
		if (join_link(f, text, target) != 0 || target[1] == '\0')
			break;
		close(link_fd);
		link_fd = open_inside(f, target, O_PATH | O_NOFOLLOW);
		leave(f, 0);
		if (link_fd == -1 || fstat(link_fd, &st) != 0 ||
		    !enter(f, target + 1, &(size_t){0}))
			break;
		if (!S_ISLNK(st.st_mode))
			return link_fd;
	}
	io_close(&link_fd);
	return -1;
}

/* Adds what the link leads to.  The link itself stays: nothing can be mounted
 * on it. */
static void
add_target(struct finder *f, enum masks_kind kind, int fd, const char *name)
{
	char saved[PATH_LEN];
	size_t saved_len = f->len;
	struct stat st;
	int target;

	memcpy(saved, f->path, saved_len + 1);
	target = follow_link(f, fd, name);
	if (target != -1 && fstat(target, &st) == 0)
		add(f, kind, st.st_mode);
	io_close(&target);
	memcpy(f->path, saved, saved_len + 1);
	f->len = saved_len;
}

/* Whether the payload could not read it anyway; it is not its own, so that
 * it cannot change its mode either. */
static bool
is_unreadable(int fd, const char *name, const struct stat *st)
{
	if (S_ISLNK(st->st_mode) || st->st_uid == geteuid())
		return false;
	return faccessat(fd, name, R_OK, AT_EACCESS) != 0 &&
	    (!S_ISDIR(st->st_mode) ||
	    faccessat(fd, name, X_OK, AT_EACCESS) != 0);
}

/* Hides name; by default, not what is granted by its own path. */
static void
hide(struct finder *f, int fd, const char *name)
{
	struct stat st;
	int child, grant;
	size_t old;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    (f->is_default && is_unreadable(fd, name, &st)) ||
	    !enter(f, name, &old))
		return;
	grant = f->is_default ? granted(f) : -1;
	if (S_ISLNK(st.st_mode)) {
		add_target(f, MASKS_HIDE, fd, name);
	} else if (grant == -1) {
		add(f, MASKS_HIDE, st.st_mode);
	} else if (grant == 0 && (child = open_child(fd, name)) != -1) {
		list(f, child, hide_one, NULL);
		close(child);
	}
	leave(f, old);
}

static bool
is_pattern(const char *part, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", part[i]) != NULL)
			return true;
	}
	return false;
}

/* A pattern's parts that are still to be matched, and how deep. */
struct rest {
	const char *pattern;
	unsigned depth;
};

static void expand(struct finder *f, int fd, struct rest rest);

static void
expand_into(struct finder *f, int fd, const char *name, struct rest rest)
{
	int child;
	size_t old;

	if (rest.depth == DEPTH_MAX) {
		fail(f, "too deep to look for a mask");
		return;
	}
	child = open_child(fd, name);
	if (child == -1)
		return;
	rest.depth++;
	if (enter(f, name, &old)) {
		expand(f, child, rest);
		leave(f, old);
	}
	close(child);
}

/* Goes on where a link leads that the pattern names. */
static void
expand_link(struct finder *f, int fd, const char *name, struct rest rest)
{
	char saved[PATH_LEN];
	size_t old;
	int target, child;

	if (!enter(f, name, &old))
		return;
	memcpy(saved, f->path, old);
	target = follow_link(f, fd, name);
	child = target == -1 ? -1 : open_child(target, ".");
	if (child != -1 && rest.depth++ < DEPTH_MAX)
		expand(f, child, rest);
	io_close(&child);
	io_close(&target);
	memcpy(f->path, saved, old);
	leave(f, old);
}

/* name matched the first part of the pattern. */
static void
expand_match(struct finder *f, int fd, const char *name, struct rest rest)
{
	size_t part = strcspn(rest.pattern, "/");
	bool named = !is_pattern(rest.pattern, part);
	struct stat st;

	if (rest.pattern[part] == '\0') {
		hide(f, fd, name);
		return;
	}
	rest.pattern += part + 1;
	if (named && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		expand_link(f, fd, name, rest);
	else
		expand_into(f, fd, name, rest);
}

static void
expand_one(struct finder *f, int fd, const char *name, void *arg)
{
	const struct rest *rest = arg;

	if (path_match_part(rest->pattern, strcspn(rest->pattern, "/"), name))
		expand_match(f, fd, name, *rest);
}

static void
expand_below(struct finder *f, int fd, const char *name, void *arg)
{
	expand_into(f, fd, name, *(const struct rest *)arg);
}

/* Hides what matches the pattern in the directory fd. */
static void
expand(struct finder *f, int fd, struct rest rest)
{
	size_t part = strcspn(rest.pattern, "/");
	char name[PATH_LEN];

	if (part == 2 && str_starts(rest.pattern, "**") &&
	    rest.pattern[part] == '/') {
		struct rest none = {rest.pattern + 3, rest.depth};

		expand(f, fd, none);
		list(f, fd, expand_below, &rest);
	} else if (is_pattern(rest.pattern, part)) {
		list(f, fd, expand_one, &rest);
	} else if (str_from_bytes(name, sizeof name, bytes_of(rest.pattern,
	    part)) == 0) {
		expand_match(f, fd, name, rest);
	}
}

/* Hides what matches an absolute pattern. */
static void
hide_absolute(struct finder *f, const char *pattern)
{
	struct rest rest = {pattern + 1, 0};
	int fd = open_inside(f, "", O_RDONLY | O_DIRECTORY);

	if (fd == -1)
		return;
	f->len = 0;
	f->path[0] = '\0';
	expand(f, fd, rest);
	close(fd);
}

/* Hides a host path, or pattern, wherever it is granted. */
static void
hide_host(struct finder *f, const char *pattern)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];
		size_t skip = strlen(path->host);
		char inside[2 * PATH_LEN];

		if (path->access == POLICY_MASK ||
		    path->access == POLICY_TMPFS ||
		    !path_is_below(pattern, path->host))
			continue;
		if (str_format(inside, sizeof inside, "%s%s",
		    path->inside[1] == '\0' ? "" : path->inside,
		    pattern + (skip == 1 ? 0 : skip)) == 0 &&
		    inside[0] != '\0')
			hide_absolute(f, inside);
	}
}

/* Whether a grant reaches into dir or dir lies in it. */
static bool
is_reached(const struct policy *p, const char *dir)
{
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access != POLICY_MASK &&
		    path->access != POLICY_TMPFS &&
		    (path_is_below(path->host, dir) ||
		    path_is_below(dir, path->host)))
			return true;
	}
	return false;
}

static void
hide_home(struct finder *f, const char *home)
{
	char pattern[2 * PATH_LEN];

	if (!is_reached(f->policy, home))
		return;
	for (size_t i = 0; home_secrets[i] != NULL; i++) {
		if (str_format(pattern, sizeof pattern, "%s/%s", home,
		    home_secrets[i]) == 0)
			hide_host(f, pattern);
	}
}

static void
hide_homes(struct finder *f)
{
	const struct policy *p = f->policy;
	const char *own = setting_env(p->env, "HOME");

	if (own != NULL && own[0] == '/' && own[1] != '\0')
		hide_home(f, own);
	hide_home(f, "/root");
	hide_home(f, "/home/*");
	for (size_t i = 0; i < p->path_count; i++) {
		const char *host = p->paths[i].host;
		char home[PATH_LEN];

		if (!str_starts(host, "/home/") ||
		    p->paths[i].access == POLICY_MASK)
			continue;
		str_format(home, sizeof home, "%.*s",
		    (int)(6 + strcspn(host + 6, "/")), host);
		if (own == NULL || !str_eq(home, own))
			hide_home(f, home);
	}
}

/* Whether a file of the host's /etc needs no mask.  The usual case, at the
 * price of two system calls. */
static bool
is_no_secret(const struct finder *f, const char *path)
{
	struct stat st;

	return fstatat(f->root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    is_unreadable(f->root_fd, path + 1, &st);
}

static void
hide_defaults(struct finder *f)
{
	f->is_default = true;
	for (size_t i = 0; system_secrets[i] != NULL; i++) {
		const char *path = system_secrets[i];

		if (f->policy->default_files && str_starts(path, "/etc/") &&
		    !is_no_secret(f, path))
			hide_absolute(f, path);
		hide_host(f, path);
	}
	hide_homes(f);
	f->is_default = false;
}

/* The policy's patterns that match at any depth. */
struct anywhere {
	const char *patterns[POLICY_PATHS_MAX];
	size_t count;
};

struct walk {
	const struct anywhere *anywhere;
	unsigned depth;
};

static void walk_one(struct finder *f, int fd, const char *name, void *arg);

static void
walk_into(struct finder *f, int fd, const char *name, struct walk walk)
{
	int child = open_child(fd, name);
	size_t old;

	if (child == -1)
		return;
	if (walk.depth++ == DEPTH_MAX)
		fail(f, "too deep to look for a mask");
	/* What is granted itself has its own walk. */
	if (enter(f, name, &old)) {
		if (granted(f) != 1)
			list(f, child, walk_one, &walk);
		leave(f, old);
	}
	close(child);
}

static void
walk_one(struct finder *f, int fd, const char *name, void *arg)
{
	const struct walk *walk = arg;
	bool hidden = false;

	for (size_t i = 0; i < walk->anywhere->count && !hidden; i++) {
		struct rest rest = {walk->anywhere->patterns[i], 0};
		size_t part = strcspn(rest.pattern, "/");

		if (!path_match_part(rest.pattern, part, name))
			continue;
		hidden = rest.pattern[part] == '\0';
		expand_match(f, fd, name, rest);
	}
	if (!hidden)
		walk_into(f, fd, name, *walk);
}

static void
walk_all(struct finder *f, const struct anywhere *anywhere)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count && !f->failed; i++) {
		const struct policy_path *path = &p->paths[i];
		struct walk walk = {anywhere, 0};
		int fd;

		if (path->access == POLICY_MASK ||
		    path->access == POLICY_TMPFS)
			continue;
		fd = open_inside(f, path->inside, O_RDONLY | O_DIRECTORY |
		    O_NONBLOCK);
		if (fd == -1)
			continue;
		leave(f, 0);
		if (path->inside[1] == '\0' ||
		    enter(f, path->inside + 1, &(size_t){0}))
			list(f, fd, walk_one, &walk);
		close(fd);
	}
	leave(f, 0);
}

/* The masks of the policy.  They hold for what is granted, too. */
static void
hide_policy(struct finder *f)
{
	const struct policy *p = f->policy;
	struct anywhere anywhere = {.count = 0};

	for (size_t i = 0; i < p->path_count && !f->failed; i++) {
		const char *glob = p->paths[i].host;

		if (p->paths[i].access != POLICY_MASK)
			continue;
		while (str_starts(glob, "**/"))
			glob += 3;
		if (glob[0] == '/')
			hide_absolute(f, glob);
		else
			anywhere.patterns[anywhere.count++] = glob;
	}
	if (anywhere.count != 0)
		walk_all(f, &anywhere);
}

static bool
has(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether fd is a git directory itself: a bare repository, or one whose
 * working copy has it elsewhere. */
static bool
is_git(int fd)
{
	return has(fd, "HEAD") && has(fd, "objects");
}

/* Keeps the names that the directory fd has. */
static void
keep_names(struct finder *f, int fd, const char *const names[])
{
	for (; *names != NULL; names++) {
		struct stat st;
		size_t old;

		if (fstatat(fd, *names, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !enter(f, *names, &old))
			continue;
		if (S_ISLNK(st.st_mode))
			add_target(f, MASKS_KEEP, fd, *names);
		else
			add(f, MASKS_KEEP, st.st_mode);
		leave(f, old);
	}
}

static void keep_git(struct finder *f, int fd, const char *name,
    unsigned depth);

static void
keep_module(struct finder *f, int fd, const char *name, void *arg)
{
	unsigned depth = *(const unsigned *)arg;

	if (depth < MASKS_PROTECT_DEPTH)
		keep_git(f, fd, name, depth + 1);
}

/* The finder is in a git directory. */
static void
keep_git_names(struct finder *f, int fd, unsigned depth)
{
	keep_names(f, fd, protect_git_names);
	keep_module(f, fd, "modules", &depth);
	keep_module(f, fd, "worktrees", &depth);
}

/* A git directory, or one that has them below: modules, modules/a/b,
 * worktrees. */
static void
keep_git(struct finder *f, int fd, const char *name, unsigned depth)
{
	int child = open_child(fd, name);
	size_t old;

	if (child == -1 || !enter(f, name, &old)) {
		io_close(&child);
		return;
	}
	add(f, MASKS_PIN, S_IFDIR);
	if (has(child, "HEAD"))
		keep_git_names(f, child, depth);
	else
		list(f, child, keep_module, &depth);
	leave(f, old);
	close(child);
}

/* A directory that people work in: the finder is there. */
static void
keep_directory(struct finder *f, int fd)
{
	struct stat st;
	size_t old;

	keep_names(f, fd, protect_names);
	if (fstatat(fd, ".git", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		keep_git(f, fd, ".git", 0);
	} else if (S_ISREG(st.st_mode) && enter(f, ".git", &old)) {
		add(f, MASKS_KEEP, st.st_mode);
		leave(f, old);
	}
}

struct search {
	unsigned depth;
	size_t root_len; /* of the granted path */
};

/* The directories from below the granted path to here. */
static void
pin_ancestors(struct finder *f, size_t root_len)
{
	size_t whole = f->len;

	for (size_t i = root_len + 1; i <= whole; i++) {
		char c = f->path[i];

		if (c != '/' && c != '\0')
			continue;
		f->path[i] = '\0';
		add(f, MASKS_PIN, S_IFDIR);
		f->path[i] = c;
	}
}

static void
search_one(struct finder *f, int fd, const char *name, void *arg)
{
	struct search search = *(const struct search *)arg;
	size_t old;
	int child;

	if (str_eq(name, ".git") || str_eq(name, "node_modules"))
		return;
	child = open_child(fd, name);
	if (child == -1 || !enter(f, name, &old)) {
		io_close(&child);
		return;
	}
	if (granted(f) != 1) {
		if (has(child, ".git")) {
			pin_ancestors(f, search.root_len);
			keep_directory(f, child);
		}
		if (is_git(child)) {
			pin_ancestors(f, search.root_len);
			keep_git_names(f, child, 0);
		}
		if (++search.depth < MASKS_PROTECT_DEPTH)
			list(f, child, search_one, &search);
	}
	leave(f, old);
	close(child);
}

/* What is writable: its own names, and the repositories below. */
static void
keep_path(struct finder *f, const struct policy_path *path)
{
	int fd = open_inside(f, path->inside, O_RDONLY | O_DIRECTORY |
	    O_NONBLOCK);
	struct search search = {0, 0};

	if (fd == -1)
		return;
	leave(f, 0);
	if (path->inside[1] == '\0' ||
	    enter(f, path->inside + 1, &(size_t){0})) {
		search.root_len = f->len;
		keep_directory(f, fd);
		if (is_git(fd))
			keep_git_names(f, fd, 0);
		list(f, fd, search_one, &search);
	}
	leave(f, 0);
	close(fd);
}

/* The path that decides about where path is mounted. */
static const struct policy_path *
find_parent(const struct policy *p, const struct policy_path *path)
{
	const struct policy_path *best = NULL;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *other = &p->paths[i];

		if (other->access != POLICY_MASK &&
		    !str_eq(other->inside, path->inside) &&
		    path_is_below(path->inside, other->inside) &&
		    (best == NULL || path_is_below(other->inside,
		    best->inside)))
			best = other;
	}
	return best;
}

/* What is granted for reading in what is writable would go elsewhere with a
 * directory between them that is renamed, and another be in its place. */
static void
pin_grants(struct finder *f)
{
	const struct policy *p = f->policy;

	for (size_t i = 0; i < p->path_count && !f->failed; i++) {
		const struct policy_path *path = &p->paths[i], *parent;
		char *slash;

		if (path->access != POLICY_RO &&
		    path->access != POLICY_OVERLAY)
			continue;
		parent = find_parent(p, path);
		if (parent == NULL || parent->access != POLICY_RW)
			continue;
		leave(f, 0);
		if (!enter(f, path->inside + 1, &(size_t){0}))
			continue;
		slash = strrchr(f->path, '/');
		leave(f, (size_t)(slash - f->path));
		if (parent->inside[1] == '\0')
			pin_ancestors(f, 0);
		else if (f->len > strlen(parent->inside))
			pin_ancestors(f, strlen(parent->inside));
	}
	leave(f, 0);
}

static int
compare(const void *a, const void *b)
{
	const struct masks_entry *left = a, *right = b;
	int order = path_compare(left->path, right->path);

	return order != 0 ? order : (int)left->kind - (int)right->kind;
}

/* Sorts, and drops what is said twice or lies in what is hidden. */
static void
finish(struct masks *m)
{
	const struct masks_entry *hidden = NULL;
	size_t kept = 0;

	if (m->count == 0)
		return;
	qsort(m->entries, m->count, sizeof *m->entries, compare);
	for (size_t i = 0; i < m->count; i++) {
		struct masks_entry *e = &m->entries[i];
		bool again = kept != 0 && str_eq(m->entries[kept - 1].path,
		    e->path);

		if (again || (hidden != NULL &&
		    path_is_below(e->path, hidden->path))) {
			free(e->path);
			continue;
		}
		m->entries[kept] = *e;
		if (e->kind == MASKS_HIDE)
			hidden = &m->entries[kept];
		kept++;
	}
	m->count = kept;
}

int
masks_find(int root_fd, const struct policy *p, struct masks *ret,
    struct error *e)
{
	struct finder f = {
		.policy = p, .masks = ret, .root_fd = root_fd, .error = e,
		.visits = MASKS_VISITS_MAX,
	};

	*ret = (struct masks){0};
	hide_policy(&f);
	if (p->default_masks && !f.failed)
		hide_defaults(&f);
	pin_grants(&f);
	for (size_t i = 0; p->protect && i < p->path_count && !f.failed;
	    i++) {
		f.soft = true;
		f.visits = MASKS_PROTECT_VISITS;
		if (p->paths[i].access == POLICY_RW)
			keep_path(&f, &p->paths[i]);
	}
	if (f.failed) {
		masks_done(ret);
		return -1;
	}
	finish(ret);
	return 0;
}

void
masks_done(struct masks *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->entries[i].path);
	free(m->entries);
	*m = (struct masks){0};
}
