/* SPDX-License-Identifier: ISC */
/* The policy: what each setting takes, what the file says about a mistake,
 * and that nothing gets looser than what a file fixes. */
#include "cmd/sandbox-exec/policyfile.h"

#include <sys/stat.h>

#include "cmd/sandbox-exec/path.h"
#include "common/buf.h"
#include "common/str.h"
#include "tests/unit/test.h"

enum { PROBLEMS_MAX = 64, LINE_LEN = 900 };

static char dir[] = "/tmp/adit-policy.XXXXXX";
static char problems[PROBLEMS_MAX][LINE_LEN];
static size_t problem_count;
static struct error why;
static struct policy policy;
static struct setting_target target;
static char ci[] = "CI=true", empty[] = "EMPTY=", token[] = "TOKEN=secret";
static char *environment[] = {ci, empty, token, NULL};

static void
begin(void)
{
	policy_done(&policy);
	policy_init(&policy);
	target = (struct setting_target){
		.policy = &policy, .cwd = dir, .home = dir,
		.environment = environment,
	};
	problem_count = 0;
}

static bool
set(const char *name, const char *value)
{
	return setting_set(&target, name, value, &why) == 0;
}

static void
take_problem(void *user, const char *line)
{
	(void)user;
	if (problem_count < PROBLEMS_MAX)
		str_format(problems[problem_count++], LINE_LEN, "%s", line);
}

/* Whether the file has no mistake. */
static bool
file(const char *text)
{
	begin();
	return policyfile_parse("p.yaml", bytes_cstr(text), &target,
	    take_problem, NULL) == 0;
}

static const char *
first_problem(const char *text)
{
	if (file(text))
		return "accepted";
	return problem_count == 0 ? "none" : problems[0];
}

static bool
finish(void)
{
	return setting_end(&target, &why) == 0 &&
	    setting_finish(&target, &why) == 0;
}

static void
test_numbers(void)
{
	static const struct {
		const char *name, *low, *high, *below, *above, *bad;
	} rows[] = {
		{"mem", "1m", "1048576g", "1048575b", "1048577g", "64"},
		{"cpu", "0.01", "4096", "0.009", "4096.001", "1.2345"},
		{"pids", "1", "4194304", "0", "4194305", "many"},
		{"time", "1ms", "366d", "0s", "367d", "10"},
		{"fsize", "1b", "1048576g", "0b", "1048577g", "1"},
		{"out", "1b", "1048576g", "0b", "1048577g", "1t"},
		{"files", "8", "1048576", "7", "1048577", "-1"},
		{"tmp-size", "4k", "1048576g", "4095b", "1048577g", "4"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *name = rows[i].name;

		begin();
		ok(set(name, rows[i].low), "%s: %s", name, rows[i].low);
		ok(set(name, rows[i].high), "%s: %s", name, rows[i].high);
		ok(!set(name, rows[i].below), "%s: not %s", name,
		    rows[i].below);
		ok(!set(name, rows[i].above), "%s: not %s", name,
		    rows[i].above);
		ok(!set(name, rows[i].bad), "%s: not %s", name, rows[i].bad);
	}
	begin();
	ok(set("cpu", "1.25") && policy.limits.cpu_milli == 1250, "1.25");
	ok(set("cpu", "2") && policy.limits.cpu_milli == 2000, "2");
	ok(!set("cpu", ".5") && !set("cpu", "1.") && !set("cpu", "1.5x") &&
	    !set("cpu", "1e3") && !set("cpu", "123456789012"), "no numbers");
	ok(set("time", "1m30s") && policy.limits.time_ms == 90000, "1m30s");
}

static void
test_paths(void)
{
	char text[512], inside[512];

	begin();
	ok(set("ro", "a") && set("rw", "a/b") && set("ro", "~/link"),
	    "relative, below home, a link");
	ok(!set("rw", "a/b:/elsewhere/../x"), "no '..' inside");
	ok(!set("ro", "nothing"), "what is not there");
	eq_str(why.text, "'nothing': on the host: No such file or directory",
	    "is told");
	ok(!set("rw", "a"), "not twice, in different ways");
	ok(set("ro", "./a//"), "twice in the same way");
	str_format(text, sizeof text, "%s/a/b/../b:/work", dir);
	ok(set("rw", text), "host and inside");
	ok(set("tmpfs", "/scratch:64m") && set("tmpfs", "/odd:name"), "tmpfs");
	ok(!set("tmpfs", "/"), "but not the root");
	ok(finish(), "finished");
	eq_int(policy.path_count, 6, "six paths");
	eq_str(policy.paths[0].inside, "/odd:name", "sorted");
	eq_str(policy.paths[1].inside, "/scratch", "by the path inside");
	eq_int(policy.paths[1].size, 64 << 20, "its size");
	str_format(inside, sizeof inside, "%s/link", dir);
	str_format(text, sizeof text, "%s/a/b", dir);
	eq_str(policy.paths[4].inside, inside, "a link keeps its name inside");
	eq_str(policy.paths[4].host, text, "and is resolved on the host");
	eq_str(policy.paths[5].inside, "/work", "the other name");
	eq_str(policy.paths[5].host, text, "'..' is resolved on the host");
	begin();
	target.cwd = NULL;
	ok(!set("ro", "a") && set("ro", "~/a"), "a file has no directory");
	target.home = NULL;
	ok(!set("ro", "~/a"), "nor a home if there is none");
	ok(!set("home", "real"), "that could not be shown either");
}

static void
test_globs(void)
{
	static const char *const good[][2] = {
		{"**/.env", "**/.env"}, {".env*", ".env*"},
		{"/a//b/./c", "/a/b/c"}, {"a/**/b", "a/**/b"},
		{"/a/**", "/a/**"},
	};
	static const char *const bad[] = {
		"/", "**x", "a**/b", "a/../b", "***", "", ".", "~x/../y",
	};
	char out[PATH_LEN];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ok(path_glob(good[i][0], NULL, out, &why) == 0, "%s",
		    good[i][0]);
		eq_str(out, good[i][1], "is %s", good[i][1]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(path_glob(bad[i], NULL, out, &why) != 0, "not '%s'",
		    bad[i]);
}

static void
test_host_globs(void)
{
	static const struct {
		const char *glob, *host;
	} rows[] = {
		{"/link/x", "/a/b/x"}, {"/link", "/a/b"},
		{"/link/none/y*", "/a/b/none/y*"},
		{"/a/*/link", "/a/*/link"}, {"/link/*/x", "/a/b/*/x"},
		{"/none/link/x", "/none/link/x"}, {"/l*/x", "/l*/x"},
		{"/odd/x", "/o\\[d]/x"}, {"/o\\[d]/y", "/o\\[d]/y"},
		{"/l\\ink/x", "/a/b/x"}, {"/loop/x", "/loop/x"},
	};
	char path[256], host[PATH_LEN], want[256], escaped[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		str_format(path, sizeof path, "%s%s", dir, rows[i].glob);
		str_format(want, sizeof want, "%s%s", dir, rows[i].host);
		ok(path_glob_host(path, host, &why) == 0, "%s", rows[i].glob);
		eq_str(host, want, "on the host");
	}
	ok(path_glob_host("a/*", host, &why) == 0, "of any depth");
	eq_str(host, "a/*", "is what it is");
	ok(path_glob_host("/", host, &why) == 0, "the root");
	str_format(path, sizeof path, "%s/root", dir);
	ok(path_glob_host(path, host, &why) != 0, "a link to the root");
	eq_str(why.text, "would hide everything", "is told");
	str_format(path, sizeof path, "%s/root/e*", dir);
	ok(path_glob_host(path, host, &why) == 0, "and below it");
	eq_str(host, "/e*", "is below the root");
	path_escape("/a*b?[c]\\d", escaped);
	eq_str(escaped, "/a\\*b\\?\\[c]\\\\d", "wildcards are escaped");
	ok(path_match_part(escaped + 1, strlen(escaped + 1), "a*b?[c]\\d"),
	    "and match themselves");
	begin();
	target.home = "/o[d]";
	ok(set("mask", "~/x") && set("mask", "/o\\[d]/x"),
	    "a home directory is no pattern");
	eq_int(policy.path_count, 1, "so these two are one");
}

static void
test_match(void)
{
	static const struct {
		const char *pattern, *name;
		bool match;
	} rows[] = {
		{"*", "", true}, {"*", ".env", true}, {".env", ".env", true},
		{".env", ".envx", false}, {".env*", ".env", true},
		{"*.pem", "a.pem", true}, {"*.pem", "a.pem.x", false},
		{"*a*b*c", "xxaxxbxxc", true}, {"*a*b*c", "xxbxxaxxc", false},
		{"?", "", false}, {"??", "ab", true}, {"[a-c]x", "bx", true},
		{"[!a-c]x", "bx", false}, {"[^a]", "b", true},
		{"[]]", "]", true}, {"[a", "[a", true}, {"[a-]", "-", true},
		{"\\*", "*", true}, {"\\*", "a", false}, {"\\", "\\", true},
		{"a*", "b", false}, {"*.*.*", "a.b", false},
		{"[a-c]*", "", false},
	};
	char many[201];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(path_match_part(rows[i].pattern, strlen(rows[i].pattern),
		    rows[i].name) == rows[i].match, "%s: %s", rows[i].pattern,
		    rows[i].name);
	memset(many, 'a', sizeof many - 1);
	many[sizeof many - 1] = '\0';
	ok(!path_match_part("*a*a*a*a*a*a*a*a*a*a*a*a*a*b", 28, many),
	    "many stars end in time");
}

static void
test_order(void)
{
	ok(path_compare("/a", "/a/b") < 0 && path_compare("/a/b", "/a-b") < 0 &&
	    path_compare("/a-b", "/b") < 0 && path_compare("/", "/a") < 0 &&
	    path_compare("/a", "/a") == 0, "a directory before what is in it");
	ok(path_is_below("/a/b", "/a") && path_is_below("/a", "/a") &&
	    path_is_below("/a", "/") && !path_is_below("/ab", "/a") &&
	    !path_is_below("/a", "/a/b"), "below");
}

static void
test_env(void)
{
	begin();
	ok(set("env", "CI") && set("env", "A=1") && set("env", "A=2") &&
	    set("env", "EMPTY") && set("env", "ABSENT"), "accepted");
	eq_str(setting_env(policy.env, "CI"), "true", "passed");
	eq_str(setting_env(policy.env, "A"), "2", "the last wins");
	eq_str(setting_env(policy.env, "EMPTY"), "", "an empty one");
	ok(setting_env(policy.env, "ABSENT") == NULL, "an absent one");
	eq_str(setting_home(&policy), setting_home_default, "without HOME");
	ok(set("env", "HOME=relative"), "a HOME that is no place");
	eq_str(setting_home(&policy), setting_home_default, "is no home");
	ok(set("env", "HOME=/"), "a HOME that is the root");
	eq_str(setting_home(&policy), setting_home_default, "is no home");
	ok(set("env", "HOME=/h"), "the shortest HOME");
	eq_str(setting_home(&policy), "/h", "is taken");
	ok(!set("env", "=x") && !set("env", "1A=x") && !set("env", "A-B=x") &&
	    !set("env", "A B"), "no names");
	for (int i = 0; i < POLICY_ENV_MAX; i++) {
		char entry[16];

		str_format(entry, sizeof entry, "V%d=", i);
		(void)set("env", entry);
	}
	eq_int(policy.env_count, POLICY_ENV_MAX, "as many as there may be");
	ok(!set("env", "MORE=") && set("env", "A=3"), "and no more");
}

static void
test_net(void)
{
	begin();
	ok(set("allow", "example.org") && finish(), "an entry alone");
	eq_int(policy.net, POLICY_NET_ALLOW, "means net allow");
	begin();
	ok(set("net", "none") && set("allow", "example.org") && !finish(),
	    "none and an entry contradict");
	begin();
	ok(set("net", "host") && set("allow", "example.org") && !finish(),
	    "so do host and an entry");
	ok(file("allow: []") && policy.net == POLICY_NET_ALLOW &&
	    policy.allow_count == 0, "an empty list allows nothing");
	ok(file("allow:") && policy.net == POLICY_NET_ALLOW, "so does null");
	ok(file("allow: [b.example, a.example, B.example.]") &&
	    set("net", "none") && finish() && policy.allow_count == 0,
	    "none of an option takes a file's list away");
	ok(file("allow: [b.example, a.example, B.example.]") && finish() &&
	    policy.allow_count == 2, "twice the same is once");
	eq_str(policy.allow[0].name, "a.example", "sorted");
}

static void
test_fixed(void)
{
	static const char text[] =
	    "{rw: ~/a, ro: ~/other, net: allow, allow: '*.example.org',"
	    " env: A=1, mem: 1g, fixed: all}";
	static const char *const looser[][2] = {
		{"net", "host"}, {"allow", "example.org"},
		{"allow", "*.example.org:22"}, {"rw", "other"},
		{"ro", "third"}, {"rw", "a/b:/usr"}, {"overlay", "other"},
		{"home", "real"}, {"without", "masks"},
		{"without", "protection"}, {"env", "TOKEN"}, {"env", "A=2"},
		{"mem", "2g"}, {"fd", "5"}, {"pids", "100000"},
	};
	static const char *const tighter[][2] = {
		{"allow", "a.example.org"}, {"net", "none"}, {"ro", "a/b"},
		{"rw", "a/b"}, {"overlay", "a"}, {"tmpfs", "/a"},
		{"mask", "**/x"}, {"without", "files"}, {"home", "private"},
		{"env", "A=1"}, {"mem", "512m"}, {"out", "1m"},
		{"require", "full"}, {"pids", "10"}, {"workdir", "/"},
	};

	for (size_t i = 0; i < sizeof looser / sizeof *looser; i++)
		ok(file(text) && !set(looser[i][0], looser[i][1]),
		    "%s: %s is looser", looser[i][0], looser[i][1]);
	for (size_t i = 0; i < sizeof tighter / sizeof *tighter; i++)
		ok(file(text) && set(tighter[i][0], tighter[i][1]),
		    "%s: %s is not", tighter[i][0], tighter[i][1]);
	ok(file("net: none\nfixed: net") && !set("allow", "a.example") &&
	    !set("net", "allow") && set("mem", "1g"), "none is none");
	ok(file("net: host\nfixed: net") && set("allow", "a.example") &&
	    finish() && policy.net == POLICY_NET_ALLOW, "host can be less");
	ok(file("net: none") && set("net", "host"), "not fixed, not kept");
}

static void
test_file(void)
{
	ok(file("{\"ro\": [\"/usr\"], \"net\": \"none\", \"pids\": 10,\n"
	    "\t\"require\": [\"net\", \"limits\"]}"), "JSON");
	eq_int(policy.require, REQUIRE_NET | REQUIRE_LIMITS, "its words");
	eq_int(policy.limits.pids, 10, "its number");
	eq_str(first_problem("nett: none"), "p.yaml:1:1: 'nett': unknown key; "
	    "did you mean 'net'?", "an unknown key");
	eq_str(first_problem("a: 1\nquite-unknown: 2"),
	    "p.yaml:1:1: 'a': unknown key", "a short one is like nothing");
	eq_str(first_problem("net: [none]"),
	    "p.yaml:1:6: net: a list, must be one value", "a list");
	eq_str(first_problem("ro: {a: b}"),
	    "p.yaml:1:5: ro: a map, must be one value", "a map");
	eq_str(first_problem("ro: [[/a]]"),
	    "p.yaml:1:6: ro: a list, must be one value", "a list in a list");
	eq_str(first_problem("net:"), "p.yaml:1:5: net: empty", "nothing");
	eq_str(first_problem("[net]"), "p.yaml:1:1: not a map of keys and "
	    "values", "no map");
	eq_str(first_problem(""), "p.yaml:1:1: the file is empty",
	    "an empty file");
	eq_str(first_problem("net: none\nnet: host"), "p.yaml:2:1: net: given "
	    "twice, first in line 1", "a key given twice");
	eq_str(first_problem("net: none\nallow: a.example"),
	    "p.yaml: allow: only with net allow", "a contradiction");
	eq_str(first_problem("fixed: [net, nets]"), "p.yaml:1:14: fixed: not "
	    "files, net, env, limits, fd or all", "an unknown word");
	eq_str(first_problem("net: \"ho\\x1b[31mst\""), "p.yaml:1:6: net: "
	    "'ho\\x1b[31mst': not none, host or allow", "control bytes");
	ok(!file("nett: 1\nmem: 7\nallow: ['*', 'a.example']\npids: x") &&
	    problem_count == 4, "every problem is told");
	eq_str(problems[2], "p.yaml:3:9: allow: '*': no host name of letters, "
	    "digits and hyphens", "at its place");
}

static void
test_many_problems(void)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	for (int i = 0; i < 60; i++)
		buf_format(&b, "unknown%d: 1\n", i);
	begin();
	ok(policyfile_parse("p.yaml", buf_bytes(&b), &target, take_problem,
	    NULL) != 0, "sixty problems");
	eq_int(problem_count, POLICYFILE_PROBLEMS_MAX + 1, "are cut");
	buf_reset(&b);
}

static void
test_digest(void)
{
	char first[SHA256_HEX_CAP];

	ok(file("{allow: [b.example, a.example], env: [B=1, A=1]}") &&
	    finish(), "a policy");
	memcpy(first, policy.digest, sizeof first);
	eq_int(strlen(first), SHA256_HEX_CAP - 1, "has a digest");
	ok(file("{env: [A=2, B=1], allow: [A.example, b.example.]}") &&
	    finish() && str_eq(policy.digest, first),
	    "the same for the same in other words");
	ok(file("{env: [A=2, B=1], allow: [a.example]}") && finish() &&
	    !str_eq(policy.digest, first), "another for another");
}

static void
make_files(void)
{
	static const char *const dirs[] = {"a", "a/b", "other", "third",
		"o[d]"};

	if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
		perror(dir);
		exit(1);
	}
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		if (mkdir(dirs[i], 0700) != 0)
			perror(dirs[i]);
	}
	if (symlink("a/b", "link") != 0 || symlink("o[d]", "odd") != 0 ||
	    symlink("loop", "loop") != 0 || symlink("/", "root") != 0)
		perror("links");
}

static void
remove_files(void)
{
	static const char *const names[] = {"link", "odd", "loop", "root",
		"o[d]", "a/b", "a", "other", "third", dir};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (remove(names[i]) != 0)
			perror(names[i]);
	}
}

int
main(void)
{
	int fds = test_open_fds();

	make_files();
	test_numbers();
	test_paths();
	test_globs();
	test_host_globs();
	test_match();
	test_order();
	test_env();
	test_net();
	test_fixed();
	test_file();
	test_many_problems();
	test_digest();
	policy_done(&policy);
	remove_files();
	eq_int(test_open_fds(), fds, "no descriptor is left");
	return test_done();
}
