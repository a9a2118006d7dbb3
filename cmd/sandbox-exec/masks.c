/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/masks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-exec/finder.h"
#include "cmd/sandbox-exec/masks_keep.h"
#include "cmd/sandbox-exec/setting.h"
#include "common/io.h"
#include "common/str.h"

enum { DEPTH_MAX = 96 };

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

static void hide(struct finder *f, int fd, const char *name);

static void
hide_one(struct finder *f, int fd, const char *name, void *arg)
{
	(void)arg;
	hide(f, fd, name);
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
	    !finder_enter(f, name, &old))
		return;
	grant = f->is_default ? finder_granted(f) : -1;
	if (S_ISLNK(st.st_mode)) {
		finder_add_target(f, MASKS_HIDE, fd, name);
	} else if (grant == -1) {
		finder_add(f, MASKS_HIDE, st.st_mode);
	} else if (grant == 0 && (child = finder_open_child(fd, name)) != -1) {
		finder_list(f, child, hide_one, NULL);
		close(child);
	}
	finder_leave(f, old);
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
		finder_fail(f, "too deep to look for a mask");
		return;
	}
	child = finder_open_child(fd, name);
	if (child == -1)
		return;
	rest.depth++;
	if (finder_enter(f, name, &old)) {
		expand(f, child, rest);
		finder_leave(f, old);
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

	if (!finder_enter(f, name, &old))
		return;
	memcpy(saved, f->path, old);
	target = finder_follow(f, fd, name);
	child = target == -1 ? -1 : finder_open_child(target, ".");
	if (child != -1 && rest.depth++ < DEPTH_MAX)
		expand(f, child, rest);
	io_close(&child);
	io_close(&target);
	memcpy(f->path, saved, old);
	finder_leave(f, old);
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
		finder_list(f, fd, expand_below, &rest);
	} else if (is_pattern(rest.pattern, part)) {
		finder_list(f, fd, expand_one, &rest);
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
	int fd = finder_open_inside(f, "", O_RDONLY | O_DIRECTORY);

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

/* All home directories in dir, and the one that a grant is in. */
static void
hide_others(struct finder *f, const char *dir)
{
	const struct policy *p = f->policy;
	size_t len = strlen(dir);
	char home[PATH_LEN];

	if (str_format(home, sizeof home, "%s/*", dir) == 0)
		hide_home(f, home);
	for (size_t i = 0; i < p->path_count; i++) {
		const char *host = p->paths[i].host;

		if (p->paths[i].access == POLICY_MASK ||
		    !path_is_below(host, dir) || host[len] != '/')
			continue;
		str_format(home, sizeof home, "%.*s", (int)(len + 1 +
		    strcspn(host + len + 1, "/")), host);
		hide_home(f, home);
	}
}

static void
hide_homes(struct finder *f)
{
	const struct policy *p = f->policy;
	const char *others = p->home_of[POLICY_OTHERS];

	hide_home(f, setting_home(p));
	if (p->home_of[POLICY_OWN] != NULL)
		hide_home(f, p->home_of[POLICY_OWN]);
	if (p->home_of[POLICY_ROOT] != NULL)
		hide_home(f, p->home_of[POLICY_ROOT]);
	if (others != NULL)
		hide_others(f, others);
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
	int child = finder_open_child(fd, name);
	size_t old;

	if (child == -1)
		return;
	if (walk.depth++ == DEPTH_MAX)
		finder_fail(f, "too deep to look for a mask");
	/* What is granted itself has its own walk. */
	if (finder_enter(f, name, &old)) {
		if (finder_granted(f) != 1)
			finder_list(f, child, walk_one, &walk);
		finder_leave(f, old);
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

/* Part by part. */
static bool
matches(const char *pattern, const char *path)
{
	for (;;) {
		size_t part = strcspn(pattern, "/"), len = strcspn(path, "/");
		char name[PATH_LEN];

		if (str_from_bytes(name, sizeof name, bytes_of(path, len)) !=
		    0 || !path_match_part(pattern, part, name) ||
		    (pattern[part] == '\0') != (path[len] == '\0'))
			return false;
		if (path[len] == '\0')
			return true;
		pattern += part + 1;
		path += len + 1;
	}
}

/* Hides a file that is granted by its own path, which no walk comes to, if
 * the end of the path matches. */
static void
hide_granted(struct finder *f, const struct anywhere *anywhere,
    const char *inside)
{
	bool hidden = false;

	for (const char *at = inside; at != NULL; at = strchr(at, '/')) {
		at++;
		for (size_t i = 0; i < anywhere->count; i++)
			hidden = hidden || matches(anywhere->patterns[i], at);
	}
	finder_leave(f, 0);
	if (hidden && finder_enter(f, inside + 1, &(size_t){0})) {
		finder_add(f, MASKS_HIDE, S_IFREG);
		finder_leave(f, 0);
	}
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
		fd = finder_open_inside(f, path->inside, O_RDONLY | O_DIRECTORY |
		    O_NONBLOCK);
		if (fd == -1 && errno == ENOTDIR)
			hide_granted(f, anywhere, path->inside);
		if (fd == -1)
			continue;
		finder_leave(f, 0);
		if (path->inside[1] == '\0' ||
		    finder_enter(f, path->inside + 1, &(size_t){0}))
			finder_list(f, fd, walk_one, &walk);
		close(fd);
	}
	finder_leave(f, 0);
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
    struct masks_watches *watches, struct error *e)
{
	struct finder f = {
		.policy = p, .masks = ret, .watches = watches,
		.root_fd = root_fd, .error = e, .visits = MASKS_VISITS_MAX,
	};

	*ret = (struct masks){0};
	watches->count = 0;
	hide_policy(&f);
	if (p->default_masks && !f.failed)
		hide_defaults(&f);
	masks_pin_hidden(&f);
	masks_pin_grants(&f);
	for (size_t i = 0; p->protect && i < p->path_count && !f.failed;
	    i++) {
		f.soft = true;
		f.visits = MASKS_PROTECT_VISITS;
		if (p->paths[i].access == POLICY_RW)
			masks_keep_path(&f, &p->paths[i]);
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
