/* SPDX-License-Identifier: ISC */
/* What is hidden and what is kept in a tree of files, and what becomes of
 * protected names that the payload makes. */
#include "cmd/sandbox-exec/masks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmd/sandbox-exec/protect.h"
#include "cmd/sandbox-exec/setting.h"
#include "common/str.h"
#include "tests/unit/files.h"

static char dir[] = "/tmp/adit-masks.XXXXXX";
static struct error why;
static struct policy policy;
static struct setting_target target;
static struct masks masks;
static struct masks_watches watches;
static int root_fd;

static void
make_files(void)
{
	static const char *const dirs[] = {
		"home", "home/.ssh", "home/dot", "home/dot/gh", "home/.docker",
		"home/.config2", "work", "work/.git", "work/.git/hooks",
		"work/.git/modules", "work/.git/modules/a",
		"work/.git/modules/a/b", "work/.git/modules/a/b/hooks",
		"work/sub", "work/sub/repo", "work/sub/repo/.git",
		"work/sub/repo/.git/hooks", "work/sub/repo/.git/objects",
		"work/.vscode", "work/deep", "bare", "bare/in", "bare/in/r.git",
		"bare/in/r.git/hooks", "bare/in/r.git/objects",
		"bare/in/r.git/worktrees", "bare/in/r.git/worktrees/w",
		"work/deep/1", "work/deep/1/2",
		"far", "far/1", "far/1/2", "far/1/2/link", "far/1/2/repo",
		"far/1/2/repo/.git", "far/1/2/bare", "far/1/2/bare/objects",
		"far/1/2/3", "far/1/2/3/beyond", "far/1/2/3/beyond/.git",
		"far/leaf", "far/none",
	};
	static const char *const files[] = {
		"home/.ssh/id", "home/.ssh/known_hosts", "home/dot/gh/hosts",
		"home/.docker/config.json", "home/.netrc", "home/.x_history",
		"work/.git/HEAD", "work/.git/config", "work/.env",
		"work/.git/modules/a/b/HEAD", "work/.git/modules/a/b/config",
		"work/sub/.env", "work/sub/repo/.git/HEAD",
		"work/sub/repo/.git/config", "work/.bashrc",
		"work/deep/1/2/key.pem", "work/plain", "bare/in/r.git/HEAD",
		"bare/in/r.git/config", "bare/in/r.git/worktrees/w/HEAD",
		"bare/in/r.git/worktrees/w/config.worktree",
		"far/leaf/.git", "far/1/2/link/.git", "far/1/2/repo/.git/HEAD",
		"far/1/2/repo/.git/config", "far/1/2/bare/HEAD",
		"far/1/2/bare/config", "far/1/2/3/beyond/.git/HEAD",
		"far/1/2/3/beyond/.git/config",
	};

	must(mkdtemp(dir) != NULL && chdir(dir) == 0, dir);
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		must(mkdir(dirs[i], 0700) == 0, dirs[i]);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		make_file(files[i]);
	must(symlink("dot", "home/.config") == 0, "home/.config");
	must(symlink("../sub/.env", "work/deep/linked.pem") == 0, "link");
	must(symlink("/nowhere", "work/deep/away.pem") == 0, "link");
}

static void
begin(void)
{
	static char home[128];

	policy_done(&policy);
	policy_init(&policy);
	policy.default_files = false;
	str_format(home, sizeof home, "%s/home", dir);
	target = (struct setting_target){
		.policy = &policy, .cwd = dir, .home = home,
	};
	must(setting_set(&target, "env", "HOME=/none", &why) == 0, why.text);
}

static void
set(const char *name, const char *value)
{
	char text[512];

	str_format(text, sizeof text, "%s", value);
	if (setting_set(&target, name, text, &why) != 0) {
		fprintf(stderr, "%s: %s\n", name, why.text);
		exit(1);
	}
}

/* HOME is where the default masks look. */
static void
set_home(void)
{
	char text[160];

	str_format(text, sizeof text, "HOME=%s/home", dir);
	set("env", text);
}

static int
find(void)
{
	masks_done(&masks);
	masks_watches_done(&watches);
	must(setting_end(&target, &why) == 0 &&
	    setting_finish(&target, &why) == 0, "policy");
	return masks_find(root_fd, &policy, &masks, &watches, &why);
}

/* "h path" for what is hidden, k for kept, p for pinned; one line each,
 * without the temporary directory. */
static const char *
found(void)
{
	static char text[8192];
	size_t len = 0;

	if (find() != 0)
		return why.text;
	text[0] = '\0';
	for (size_t i = 0; i < masks.count; i++) {
		const struct masks_entry *e = &masks.entries[i];
		const char *path = str_starts(e->path, dir)
		    ? e->path + strlen(dir) + 1 : e->path;

		str_format(text + len, sizeof text - len, "%c %s%s\n",
		    "hkp"[e->kind], path, e->directory ? "/" : "");
		len += strlen(text + len);
	}
	return text;
}

static void
test_defaults(void)
{
	begin();
	set_home();
	set("ro", "work");
	eq_str(found(), "", "nothing secret in a workspace");
	begin();
	set_home();
	set("ro", "home");
	eq_str(found(), "h home/.docker/config.json\nh home/.netrc\n"
	    "h home/.ssh/\nh home/.x_history\nh home/dot/gh/\n",
	    "a home's secrets, through links");
	begin();
	set_home();
	set("ro", "~/.docker");
	eq_str(found(), "h home/.docker/config.json\n",
	    "in a part that is shown, too");
	begin();
	set_home();
	set("ro", "home:/data");
	eq_str(found(), "", "not where the tree has nothing");
	begin();
	set_home();
	set("ro", "home");
	set("ro", "~/.ssh/known_hosts");
	set("ro", "~/.netrc");
	eq_str(found(), "h home/.docker/config.json\nh home/.ssh/id\n"
	    "h home/.x_history\nh home/dot/gh/\n",
	    "what is granted by its own path is no secret");
	begin();
	set_home();
	set("ro", "home");
	target.fixed = FIXED_FILES;
	set("ro", "~/.netrc");
	set("ro", "~/.ssh");
	eq_str(found(), "h home/.docker/config.json\nh home/.netrc\n"
	    "h home/.ssh/\nh home/.x_history\nh home/dot/gh/\n",
	    "unless a fixed policy has granted only more");
	begin();
	set_home();
	set("ro", "home");
	set("without", "masks");
	eq_str(found(), "", "no masks");
}

static void
test_policy_masks(void)
{
	char glob[256];

	begin();
	set("ro", "work");
	set("mask", ".env");
	eq_str(found(), "h work/.env\nh work/sub/.env\n", "at any depth");
	begin();
	set("ro", "work");
	set("ro", "work/sub");
	set("mask", "**/.env");
	set("mask", "*.pem");
	eq_str(found(), "h work/.env\nh work/deep/1/2/key.pem\n"
	    "h work/sub/.env\n", "also below other grants, each once; "
	    "a link's target");
	begin();
	set("ro", "work");
	set("mask", "1/*/key.*");
	eq_str(found(), "h work/deep/1/2/key.pem\n", "more parts than one");
	begin();
	set("ro", "work");
	str_format(glob, sizeof glob, "%s/work/**/2", dir);
	set("mask", glob);
	eq_str(found(), "h work/deep/1/2/\n", "from the root, any depth");
	begin();
	set("ro", "work");
	str_format(glob, sizeof glob, "%s/work/d*", dir);
	set("mask", glob);
	set("mask", "*.pem");
	eq_str(found(), "h work/deep/\nh work/sub/.env\n",
	    "nothing below what is hidden");
	begin();
	set("rw", "work");
	set("mask", "key.pem");
	set("mask", "plain");
	set("without", "protection");
	eq_str(found(), "p work/deep/\np work/deep/1/\np work/deep/1/2/\n"
	    "h work/deep/1/2/key.pem\nh work/plain\n",
	    "what leads to it is pinned");
	begin();
	set("ro", "work/.env");
	str_format(glob, sizeof glob, "%s/work/.env", dir);
	set("mask", glob);
	eq_str(found(), "h work/.env\n", "a mask wins over a grant");
}

/* Sets a mask of a path below the temporary directory. */
static void
set_mask(const char *rest)
{
	char glob[256];

	str_format(glob, sizeof glob, "%s/%s", dir, rest);
	set("mask", glob);
}

/* Shows path by another name below the temporary directory, or by its own. */
static void
set_grant(const char *path, const char *as)
{
	char text[256];

	if (as == NULL)
		str_format(text, sizeof text, "%s", path);
	else
		str_format(text, sizeof text, "%s:%s/%s", path, dir, as);
	set("ro", text);
}

/* A pattern is one of host paths as well: what is granted by another name, or
 * named through a link.  The tree here is the host, so that the other name
 * has to be there, too. */
static void
test_host_masks(void)
{
	const char *list;
	static const struct {
		const char *grant, *as, *mask, *want;
	} rows[] = {
		{"work/deep", "home/dot", "work/deep/gh/hosts",
		    "h home/dot/gh/hosts\n"},
		{"work/deep", "home/dot", "work/*/gh", "h home/dot/gh/\n"},
		{"work/deep", "home/dot", "**/gh/ho?ts",
		    "h home/dot/gh/hosts\n"},
		{"work/deep", "home/dot", "work/**/**/hosts",
		    "h home/dot/gh/hosts\n"},
		{"work/deep", "home/dot", "work/**", "h home/dot/\n"},
		{"work/deep", "home/dot", "work", "h home/dot/\n"},
		{"work/deep", "home/dot", "w*/deep", "h home/dot/\n"},
		{"work/plain", "home/.netrc", "work/pl*",
		    "h home/.netrc\n"},
		{"work/deep", "home/dot", "work/de", ""},
		{"work/deep", "home/dot", "work/deep/gh/hosts/x", ""},
		{"work/deep", "home/dot", "home/dot/gh", "h home/dot/gh/\n"},
		{"work", NULL, "w/sub/.env", "h work/sub/.env\n"},
		{"work", NULL, "w/*/.env", "h work/sub/.env\n"},
		{"work", NULL, "env", "h work/sub/.env\n"},
		{".", NULL, "?/deep/*/2", "h work/deep/1/2/\n"},
	};

	must(symlink("work", "w") == 0 && symlink("w/sub/.env", "env") == 0,
	    "links");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin();
		set_grant(rows[i].grant, rows[i].as);
		set_mask(rows[i].mask);
		list = found();
		ok(rows[i].want[0] == '\0' ? list[0] == '\0' :
		    strstr(list, rows[i].want) != NULL, "%s in %s: %s",
		    rows[i].mask, rows[i].grant, list);
	}
	must(unlink("w") == 0 && unlink("env") == 0, "links");
}

/* What a grant is called counts for patterns of any depth. */
static void
test_named_grants(void)
{
	static const struct {
		const char *grant, *as, *mask, *want;
	} rows[] = {
		{"work/sub", NULL, "sub", "h work/sub/\n"},
		{"work/sub", NULL, "work", ""},
		{"work/sub", NULL, "s*/.env", "h work/sub/.env\n"},
		{"work/sub", NULL, "work/**/.env", "h work/sub/.env\n"},
		{"work/deep", "home/dot", "deep/gh", "h home/dot/gh/\n"},
		{"work/deep", "home/dot", "dot/gh", "h home/dot/gh/\n"},
		{"work/plain", "home/.netrc", "plain", "h home/.netrc\n"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin();
		set_grant(rows[i].grant, rows[i].as);
		set("mask", rows[i].mask);
		eq_str(found(), rows[i].want, "%s for %s", rows[i].mask,
		    rows[i].grant);
	}
}

/* A home directory that a pattern would take for one, and one that only the
 * command knows. */
static void
test_odd_homes(void)
{
	char text[256];

	must(mkdir("o[d]", 0700) == 0, "o[d]");
	make_file("o[d]/.netrc");
	begin();
	set("ro", "o[d]");
	str_format(text, sizeof text, "HOME=%s/o[d]", dir);
	set("env", text);
	eq_str(found(), "h o[d]/.netrc\n", "a name with brackets");
	begin();
	set_grant("work/deep", "home/dot");
	must(symlink("gh", "home/dot/.aws") == 0, "link");
	str_format(text, sizeof text, "HOME=%s/home/dot", dir);
	set("env", text);
	eq_str(found(), "h home/dot/gh/\n", "a name inside");
	must(unlink("home/dot/.aws") == 0, "link");
}

static void
test_protection(void)
{
	begin();
	set("rw", "work");
	eq_str(found(), "k work/.bashrc\np work/.git/\nk work/.git/config\n"
	    "k work/.git/hooks/\np work/.git/modules/\n"
	    "p work/.git/modules/a/\np work/.git/modules/a/b/\n"
	    "k work/.git/modules/a/b/config\nk work/.git/modules/a/b/hooks/\n"
	    "k work/.vscode/\np work/sub/\np work/sub/repo/\n"
	    "p work/sub/repo/.git/\nk work/sub/repo/.git/config\n"
	    "k work/sub/repo/.git/hooks/\n", "repositories and start-up files");
	ok(!masks.cut, "all of them");
	must(symlink("../plain", "work/.git/config.worktree") == 0, "link");
	begin();
	set("rw", "work");
	ok(strstr(found(), "k work/plain\n") != NULL, "a link's target is kept");
	must(unlink("work/.git/config.worktree") == 0, "link");
	begin();
	set("rw", "work/sub/repo/.git");
	eq_str(found(), "k work/sub/repo/.git/config\n"
	    "k work/sub/repo/.git/hooks/\n", "a git directory alone");
	begin();
	set("rw", "bare");
	eq_str(found(), "p bare/in/\np bare/in/r.git/\n"
	    "k bare/in/r.git/config\nk bare/in/r.git/hooks/\n"
	    "p bare/in/r.git/worktrees/\np bare/in/r.git/worktrees/w/\n"
	    "k bare/in/r.git/worktrees/w/config.worktree\n",
	    "a git directory without a working copy");
	begin();
	set("rw", "far");
	eq_str(found(), "p far/1/\np far/1/2/\np far/1/2/bare/\n"
	    "k far/1/2/bare/config\np far/1/2/link/\n"
	    "k far/1/2/link/.git\np far/1/2/repo/\np far/1/2/repo/.git/\n"
	    "k far/1/2/repo/.git/config\np far/leaf/\nk far/leaf/.git\n",
	    "three levels deep, and no further");
	begin();
	set("rw", "work");
	set("ro", "work/deep/1/2");
	set("ro", "work/sub");
	set("without", "protection");
	eq_str(found(), "p work/deep/\np work/deep/1/\n",
	    "what leads to a part that is not writable");
	begin();
	set("rw", "work");
	set("ro", "work/deep");
	set("ro", "work/deep/1/2");
	set("without", "protection");
	eq_str(found(), "", "but for what is not writable either");
	begin();
	set("ro", "work");
	eq_str(found(), "", "read-only needs none");
	begin();
	set("rw", "work");
	set("without", "protection");
	eq_str(found(), "", "without protection");
	begin();
	set("rw", "work");
	set("mask", ".git");
	eq_str(found(), "k work/.bashrc\nh work/.git/\nk work/.vscode/\n"
	    "p work/sub/\np work/sub/repo/\nh work/sub/repo/.git/\n",
	    "hidden is more than kept");
}

static void
test_budget(void)
{
	char name[64];

	must(mkdir("many", 0700) == 0, "many");
	for (int i = 0; i < MASKS_PROTECT_VISITS + 1; i++) {
		str_format(name, sizeof name, "many/%d", i);
		make_file(name);
	}
	begin();
	set("rw", "many");
	eq_str(found(), "", "no repository in many files");
	ok(masks.cut, "but not all were looked at");
	begin();
	set("ro", "many");
	set("mask", "*");
	ok(str_ends(found(), "too many matches"), "too many are an error");
}

/* Makes so many directories below each other, and a link for a protected name
 * that leads there. */
static void
make_deep(const char *top, int depth)
{
	char path[4096], link[64];

	must(mkdir(top, 0700) == 0, top);
	str_format(path, sizeof path, "%s", top);
	for (int i = 0; i < depth; i++) {
		str_format(path + strlen(path), 3, "/d");
		must(mkdir(path, 0700) == 0, path);
	}
	str_format(link, sizeof link, "%s/.envrc", top);
	must(symlink(path + strlen(top) + 1, link) == 0, link);
}

/* Each step is a look-up from the root. */
static void
test_deep(void)
{
	enum { SOME = 40, TOO_MANY = 1500 };

	make_deep("some", SOME);
	make_deep("too_many", TOO_MANY);
	begin();
	set("rw", "some");
	ok(found()[0] != '\0' && !masks.cut, "a deep link is followed");
	eq_int(masks.count, SOME, "to its end");
	begin();
	set("rw", "too_many");
	find();
	ok(masks.cut && masks.count == 0, "a deeper one costs too much");
}

static void
test_names(void)
{
	static const char *const yes[] = {
		".git/config", ".git/hooks", ".git/hooks/pre-commit", ".git",
		"a/.git/config", ".GIT/Hooks/x", ".bashrc", "a/b/.envrc",
		".vscode/settings.json", ".git/modules/a/config",
		".git/commondir",
	};
	static const char *const no[] = {
		"", "a", "config", "hooks/a", ".git/HEAD", ".git/objects/a",
		".gitignore", "bashrc", ".bashrc2", "a.git/config",
	};

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		ok(protect_is_name(yes[i]), "protected: %s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		ok(!protect_is_name(no[i]), "not: '%s'", no[i]);
}

static char told[1024];

static void
tell(void *user, const char *path, const char *renamed)
{
	size_t len = strlen(told);

	(void)user;
	str_format(told + len, sizeof told - len, "%s -> %s\n",
	    path + strlen(dir) + 1, renamed == NULL ? "?" : renamed);
}

static void
test_watch(void)
{
	static struct protect_watch watch;
	int fds = test_open_fds();

	begin();
	set("rw", "work");
	must(setting_finish(&target, &why) == 0, "policy");
	protect_start(&watch, &policy);
	make_file("work/.envrc");
	must(mkdir("work/.idea", 0700) == 0, ".idea");
	make_file("work/.git/commondir");
	make_file("work/.idea.sandbox-exec");
	must(symlink("/etc/passwd", "work/.profile") == 0, ".profile");
	told[0] = '\0';
	protect_end(&watch, tell, NULL);
	eq_str(told, "work/.git/commondir -> commondir.sandbox-exec\n"
	    "work/.profile -> .profile.sandbox-exec\n"
	    "work/.envrc -> .envrc.sandbox-exec\n"
	    "work/.idea -> .idea.sandbox-exec-1\n", "what was made is told");
	ok(access("work/.envrc", F_OK) != 0 &&
	    access("work/.idea.sandbox-exec-1", F_OK) == 0, "and renamed");
	ok(access("work/.bashrc", F_OK) == 0, "what was there stays");
	eq_int(test_open_fds(), fds, "no descriptor is left");
	must(symlink("plain", "work/.zshrc") == 0, ".zshrc");
	must(symlink("plain", "work/.zshenv") == 0, ".zshenv");
	begin();
	set("rw", "work");
	protect_start(&watch, &policy);
	told[0] = '\0';
	protect_end(&watch, tell, NULL);
	eq_str(told, "", "nothing to tell");
	protect_start(&watch, &policy);
	must(unlink("work/.zshrc") == 0, ".zshrc");
	make_file("work/.zshrc");
	protect_end(&watch, tell, NULL);
	eq_str(told, "work/.zshrc -> .zshrc.sandbox-exec\n",
	    "a link that was replaced");
}

/* A payload takes every name that it can guess. */
static void
test_taken_names(void)
{
	static struct protect_watch watch;
	char name[64];

	begin();
	set("rw", "work");
	make_file("work/.gitmodules.sandbox-exec");
	for (int i = 1; i < 200; i++) {
		str_format(name, sizeof name, "work/.gitmodules.sandbox-exec-%d",
		    i);
		make_file(name);
	}
	protect_start(&watch, &policy);
	make_file("work/.gitmodules");
	told[0] = '\0';
	protect_end(&watch, tell, NULL);
	ok(access("work/.gitmodules", F_OK) != 0, "renamed all the same");
	ok(str_starts(told, "work/.gitmodules -> .gitmodules.sandbox-exec-"),
	    "to what nobody can have taken");
}

static void
test_while_it_runs(void)
{
	static struct protect_watch watch;
	const struct timespec none = {0, 0}, long_enough = {10, 0};
	int fds = test_open_fds(), again = 0;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, PROTECT_SIGNAL);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	begin();
	set_home();
	set("rw", "work");
	protect_start(&watch, &policy);
	protect_arm(&watch);
	make_file("work/other");
	eq_int(sigtimedwait(&signals, NULL, &long_enough), PROTECT_SIGNAL,
	    "a name is made");
	told[0] = '\0';
	ok(protect_look(&watch, tell, NULL) && told[0] == '\0',
	    "that is not protected");
	make_file("work/.gitconfig");
	eq_int(sigtimedwait(&signals, NULL, &long_enough), PROTECT_SIGNAL,
	    "another");
	ok(protect_look(&watch, tell, NULL) &&
	    access("work/.gitconfig", F_OK) != 0, "is gone at once");
	eq_str(told, "work/.gitconfig -> .gitconfig.sandbox-exec\n",
	    "and told");
	must(rename("work/other", "work/.git/commondir") == 0, "commondir");
	eq_int(sigtimedwait(&signals, NULL, &long_enough), PROTECT_SIGNAL,
	    "a rename in the repository");
	do {
		make_file("work/.gitconfig");
		again++;
	} while (protect_look(&watch, tell, NULL) &&
	    again < 2 * PROTECT_FOUND_MAX);
	eq_int(again, PROTECT_FOUND_MAX - 2, "not for ever");
	protect_end(&watch, tell, NULL);
	while (sigtimedwait(&signals, NULL, &none) != -1)
		;
	eq_int(test_open_fds(), fds, "no descriptor is left");
}

static void
remove_files(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	if (pid != -1)
		waitpid(pid, NULL, 0);
}

int
main(void)
{
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	make_files();
	test_defaults();
	test_policy_masks();
	test_host_masks();
	test_named_grants();
	test_odd_homes();
	test_protection();
	test_names();
	test_watch();
	test_taken_names();
	test_while_it_runs();
	test_budget();
	test_deep();
	masks_done(&masks);
	policy_done(&policy);
	close(root_fd);
	remove_files();
	return test_done();
}
