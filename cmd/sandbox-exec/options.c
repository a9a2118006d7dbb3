/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/options.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-exec/confine.h"
#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/policyfile.h"
#include "common/diag.h"
#include "common/jsonr.h"
#include "common/str.h"

enum {
	ENTRY_LEN = 256,
	SANDBOXES_MAX = 4096,
	SANDBOXES_DEFAULT = 64,
	CALL_MS_MAX = 24 * 3600 * 1000,
	CALL_MS_DEFAULT = 600 * 1000,
};

/* What the command line says, as text; setting.c gives it a meaning. */
struct given {
	struct opt_list ro, rw, overlay, tmpfs, mask, without, allow, env, fd,
	    require;
	const char *home, *workdir, *net, *mem, *cpu, *pids, *time, *fsize,
	    *out, *files, *tmp_size;
	const char *proc, *policy, *changes, *audit, *netns;
	const char *listen;
	bool diff, commit, discard, explain, json, serve, mcp, audit_input;
	int64_t status_fd, ready_fd, sandboxes_max, call_ms_max;
};

#define LIST(name, argument, field, help) \
	{0, name, argument, OPT_LIST, offsetof(struct given, field), 0, 0, \
	    NULL, help}
#define TEXT(name, argument, field, help) \
	{0, name, argument, OPT_STRING, offsetof(struct given, field), 0, 0, \
	    NULL, help}
#define FLAG(name, field, help) \
	{0, name, NULL, OPT_FLAG, offsetof(struct given, field), 0, 0, NULL, \
	    help}

static const struct opt opts[] = {
	LIST("ro", "PATH[:INSIDE]", ro, "show this, read-only"),
	LIST("rw", "PATH[:INSIDE]", rw, "show this, writable"),
	LIST("overlay", "DIR[:INSIDE]", overlay,
	    "show this directory, keep writes apart from it"),
	FLAG("diff", diff, "list the overlays' changes at the end"),
	FLAG("commit", commit, "make the overlays' changes at the end"),
	FLAG("discard", discard, "drop what --changes has kept"),
	TEXT("changes", "DIR", changes, "keep the overlays' changes here"),
	LIST("tmpfs", "PATH[:SIZE]", tmpfs, "an empty directory in memory"),
	LIST("mask", "GLOB", mask, "make matching files look empty"),
	LIST("without", "WORD", without,
	    "drop the default files, masks or protection"),
	TEXT("home", "WORD", home, "private or real [private]"),
	TEXT("proc", "WORD", proc, "pids, or system for more [pids]"),
	TEXT("workdir", "DIR", workdir,
	    "directory to run in [the present one if it is shown]"),
	TEXT("net", "WORD", net, "none, host or allow [none]"),
	TEXT("netns", "FILE", netns,
	    "the network of --net none: this namespace"),
	LIST("allow", "HOST[:PORT]", allow,
	    "connect there: a name, *.name or range"),
	LIST("env", "NAME[=VALUE]", env, "pass or set a variable"),
	LIST("fd", "N", fd, "pass this descriptor"),
	TEXT("mem", "SIZE", mem, "memory"),
	TEXT("cpu", "N", cpu, "processors, such as 1.5"),
	TEXT("pids", "N", pids, "processes and threads [2048]"),
	TEXT("time", "TIME", time, "time until it is killed"),
	TEXT("fsize", "SIZE", fsize, "size of a file"),
	TEXT("out", "SIZE", out, "output: its head and tail are kept"),
	TEXT("files", "N", files, "open descriptors of a process [4096]"),
	TEXT("tmp-size", "SIZE", tmp_size,
	    "size of a directory in memory [1g]"),
	LIST("require", "WORD", require,
	    "fail unless enforced: full, net, limits, ..."),
	TEXT("policy", "FILE", policy, "read settings from this file"),
	FLAG("explain", explain, "say what is enforced, run nothing"),
	FLAG("json", json, "print JSON for --explain and --diff"),
	{0, "status-fd", "N", OPT_NUMBER, offsetof(struct given, status_fd), 0,
	    INT_MAX, NULL, "write the outcome there, a JSON object"},
	TEXT("audit", "FILE", audit, "append events to this file"),
	FLAG("mcp", mcp, "serve the tools by MCP on standard input and output"),
	FLAG("serve", serve, "run many sandboxes, asked for by frames"),
	TEXT("listen", "PATH", listen,
	    "serve at this Unix socket [stdin and stdout]"),
	{0, "ready-fd", "N", OPT_NUMBER, offsetof(struct given, ready_fd), 0,
	    INT_MAX, NULL, "write a line there when it serves"},
	{0, "max-sandboxes", "N", OPT_NUMBER,
	    offsetof(struct given, sandboxes_max), 1, SANDBOXES_MAX, NULL,
	    "sandboxes at the same time [64]"},
	{0, "max-call", "TIME", OPT_DURATION,
	    offsetof(struct given, call_ms_max), 1000, CALL_MS_MAX, NULL,
	    "longest time of a tool call [10m]"},
	FLAG("audit-input", audit_input,
	    "show what tools were called with in the audit"),
	OPT_END,
};

static const struct opt_command command = {
	.program = "sandbox-exec",
	.operands = "[--] COMMAND [ARGUMENT]...",
	.purpose = "Runs a command that is not trusted in a sandbox.",
	.opts = opts,
};

/* The caller's variables that tell programs how to show things. */
static bool
is_passed(const char *entry)
{
	static const char *const names[] = {
		"TERM=", "COLORTERM=", "NO_COLOR=", "LANG=", "LANGUAGE=",
		"LC_", "TZ=",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (str_starts(entry, names[i]))
			return true;
	}
	return false;
}

static int
set_entry(struct setting_target *t, const char *name, const char *value,
    struct error *e)
{
	char entry[PATH_LEN + ENTRY_LEN];

	if (setting_env(t->policy->env, name) != NULL)
		return 0;
	if (str_format(entry, sizeof entry, "%s=%s", name, value) != 0)
		return error_set(e, "%s: too long", name);
	return setting_set(t, "env", entry, e);
}

static int
set_default_env(struct setting_target *t, struct error *e)
{
	if (set_entry(t, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
	    "/usr/bin:/sbin:/bin", e) != 0 ||
	    set_entry(t, "HOME", t->home == NULL ? setting_home_default :
	    t->home, e) != 0)
		return -1;
	for (char *const *v = t->environment; *v != NULL; v++) {
		/* An odd name or one too many is not worth failing for. */
		struct error ignored;

		if (is_passed(*v))
			(void)setting_set(t, "env", *v, &ignored);
	}
	return 0;
}

static int
set_proxy_env(struct setting_target *t, struct error *e)
{
	static const char *const names[] = {
		"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY",
		"HTTPS_PROXY", "ALL_PROXY",
	};
	char url[ENTRY_LEN];

	str_format(url, sizeof url, "http://127.0.0.1:%d", CONFINE_PROXY_PORT);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (set_entry(t, names[i], url, e) != 0)
			return -1;
	}
	return set_entry(t, "no_proxy", "localhost,127.0.0.1,::1", e) != 0 ||
	    set_entry(t, "NO_PROXY", "localhost,127.0.0.1,::1", e) != 0 ?
	    -1 : 0;
}

static int
set_one(struct setting_target *t, const struct opt *o, const char *value,
    struct error *e)
{
	return setting_set(t, o->name, value, e) == 0 ? 0 :
	    error_prefix(e, "--%s", o->name);
}

/* Takes the options that have the name of a setting. */
static int
set_given(struct setting_target *t, const struct given *g, struct error *e)
{
	const char *name;

	for (size_t i = 0; (name = setting_name(i)) != NULL; i++) {
		const struct opt *o = opts;
		const char *field;

		while (!str_eq(o->name, name))
			o++;
		field = (const char *)g + o->offset;
		if (o->kind == OPT_LIST) {
			const struct opt_list *l = (const void *)field;

			for (size_t j = 0; j < l->count; j++) {
				if (set_one(t, o, l->at[j], e) != 0)
					return -1;
			}
		} else {
			const char *value = *(const char *const *)
			    (const void *)field;

			if (value != NULL && set_one(t, o, value, e) != 0)
				return -1;
		}
	}
	return setting_end(t, e);
}

/* A policy that the payload can write is its own; so is one beside it. */
static int
check_policy_file(const struct policy *p, const char *file, struct error *e)
{
	char real[PATH_MAX];

	if (realpath(file, real) == NULL)
		return 0; /* a pipe */
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if ((path->access == POLICY_RW ||
		    path->access == POLICY_OVERLAY) &&
		    path_is_below(real, path->host))
			return error_set(e, "%s: the policy file is in a "
			    "directory that the command may change: %s", file,
			    path->host);
	}
	return 0;
}

/* What a sandbox that lives on cannot have. */
static int
check_lasting(const struct policy *p, struct error *e)
{
	if (p->fd_count != 0)
		return error_set(e, "fd: not for a sandbox that lives on");
	if (p->limits.out != 0)
		return error_set(e, "out: not for a sandbox that lives on");
	return 0;
}

/* The place of a file that need not be there yet; "" if nothing can. */
static void
find_place(const char *file, const char *cwd, char out[static PATH_LEN])
{
	char path[PATH_LEN], real[PATH_MAX];
	char *slash;

	out[0] = '\0';
	if (file == NULL || (file[0] != '/' && cwd[0] != '/') ||
	    str_format(path, sizeof path, "%s%s%s", file[0] == '/' ? "" : cwd,
	    file[0] == '/' ? "" : "/", file) != 0)
		return;
	slash = strrchr(path, '/');
	*slash = '\0';
	if (realpath(slash == path ? "/" : path, real) != NULL)
		str_format(out, PATH_LEN, "%s/%s", real[1] == '\0' ? "" :
		    real, slash + 1);
}

/* Who reaches the socket can ask for a sandbox with any policy, and who can
 * write to the audit file can say anything there. */
static int
check_places(const struct options *o, struct error *e)
{
	if (o->listen_place[0] != '\0' && policy_shows(&o->policy,
	    o->listen_place, false))
		return error_set(e, "%s: the server's socket would be in "
		    "reach of commands", o->listen_place);
	if (o->audit_place[0] != '\0' && policy_shows(&o->policy,
	    o->audit_place, true))
		return error_set(e, "%s: the audit file is in a directory "
		    "that the command can write", o->audit_place);
	return 0;
}

static int
check_serve(const struct given *g, const struct options *o, bool other,
    struct error *e)
{
	if (other)
		return error_set(e, "--%s takes no command, --explain, "
		    "--changes, --diff, --commit, --discard or --status-fd",
		    g->mcp ? "mcp" : "serve");
	if (g->audit_input && g->audit == NULL)
		return error_set(e, "--audit-input needs --audit");
	return check_lasting(&o->policy, e) == 0 ? check_places(o, e) : -1;
}

/* A descriptor of ours, which all close on exec, is not one of the caller's:
 * its number would lead out of the sandbox. */
static int
check_inherited(int fd, struct error *e)
{
	int flags = fcntl(fd, F_GETFD);

	return flags == -1 || (flags & FD_CLOEXEC) != 0 ?
	    error_set(e, "descriptor %d: it is not open", fd) : 0;
}

/* One for the command.  ".." of a directory leads to all of the host. */
static int
check_passed(int fd, struct error *e)
{
	struct stat st;

	if (check_inherited(fd, e) != 0)
		return -1;
	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ?
	    error_set(e, "descriptor %d: it is a directory", fd) : 0;
}

static int
check_descriptors(const struct given *g, const struct policy *p,
    struct error *e)
{
	if (g->status_fd != -1 && check_inherited((int)g->status_fd, e) != 0)
		return -1;
	if (g->ready_fd != -1 && check_inherited((int)g->ready_fd, e) != 0)
		return -1;
	for (size_t i = 0; i < p->fd_count; i++) {
		if (check_passed(p->fds[i], e) != 0)
			return -1;
	}
	return 0;
}

/* Options that make sense only together. */
static int
check_given(const struct given *g, const struct options *o, unsigned fixed,
    struct error *e)
{
	bool overlay = false, present = o->argv[0] != NULL;
	bool after = g->diff || g->commit || g->discard;

	for (size_t i = 0; i < o->policy.path_count; i++)
		overlay = overlay ||
		    o->policy.paths[i].access == POLICY_OVERLAY;
	if ((after || g->changes != NULL) && !overlay)
		return error_set(e, "--diff, --commit, --discard and "
		    "--changes need an overlay");
	if (g->commit && (fixed & FIXED_FILES) != 0)
		return error_set(e, "--commit: the policy file fixes files");
	if (g->commit && g->discard)
		return error_set(e, "--commit and --discard exclude each "
		    "other");
	if (g->netns != NULL && o->policy.net != POLICY_NET_NONE)
		return error_set(e, "--netns: only with --net none");
	if (g->netns != NULL && (g->serve || g->mcp))
		return error_set(e, "--netns is for one sandbox, not for "
		    "--serve or --mcp");
	if (g->json && !g->explain && !g->diff)
		return error_set(e, "--json needs --explain or --diff");
	if (g->serve && g->mcp)
		return error_set(e, "--serve and --mcp exclude each other");
	if (!g->serve && (g->listen != NULL || g->ready_fd != -1))
		return error_set(e, "--listen and --ready-fd need --serve");
	if (!g->serve && !g->mcp && g->audit_input)
		return error_set(e, "--audit-input needs --serve or --mcp");
	if (g->serve || g->mcp)
		return check_serve(g, o, present || g->explain || after ||
		    g->changes != NULL || g->status_fd != -1, e);
	if (!present && !g->explain && !(after && g->changes != NULL))
		return error_set(e, "no command");
	return 0;
}

static void
print_problem(void *user, const char *line)
{
	(void)user;
	diag_error("%s", line);
}

static int
finish_policy(struct setting_target *t, struct error *e)
{
	if (t->policy->net == POLICY_NET_ALLOW) {
		unsigned fixed = t->fixed;
		int r;

		t->fixed = 0;
		r = set_proxy_env(t, e);
		t->fixed = fixed;
		if (r != 0)
			return -1;
	}
	return setting_finish(t, e);
}

/* Puts the policy together.  Returns 0; -1 with a text; -2 when everything
 * was printed. */
static int
make_policy(struct setting_target *t, const struct given *g, struct error *e)
{
	if (set_default_env(t, e) != 0)
		return -1;
	if (g->policy != NULL) {
		const char *cwd = t->cwd;
		int r;

		t->cwd = NULL;
		r = policyfile_load(g->policy, t, print_problem, NULL);
		t->cwd = cwd;
		if (r != 0)
			return -2;
	}
	if (set_given(t, g, e) != 0 || finish_policy(t, e) != 0)
		return -1;
	return g->policy == NULL ? 0 :
	    check_policy_file(t->policy, g->policy, e);
}

/* Where the caller's home is, if the environment says so in a usable way. */
static const char *
find_home(char *const *environment, char out[static PATH_LEN])
{
	const char *home = setting_env(environment, "HOME");
	struct error ignored;

	if (home == NULL || path_absolute(home, NULL, NULL, out,
	    &ignored) != 0 || out[1] == '\0')
		return NULL;
	return out;
}

static void
take_given(struct options *o, const struct given *g)
{
	o->mode = g->serve ? OPTIONS_SERVE : g->mcp ? OPTIONS_MCP :
	    g->explain ? OPTIONS_EXPLAIN : OPTIONS_COMMAND;
	o->listen = g->listen;
	o->ready_fd = (int)g->ready_fd;
	o->sandboxes_max = g->sandboxes_max;
	o->call_ms_max = g->call_ms_max;
	o->audit_input = g->audit_input;
	o->json = g->json;
	o->diff = g->diff;
	o->commit = g->commit;
	o->discard = g->discard;
	o->changes = g->changes;
	o->audit = g->audit;
	o->netns = g->netns;
	o->status_fd = (int)g->status_fd;
}

enum opt_result
options_parse(int argc, char **argv, struct options *ret)
{
	struct given g = {.status_fd = -1, .ready_fd = -1,
		.sandboxes_max = SANDBOXES_DEFAULT,
		.call_ms_max = CALL_MS_DEFAULT};
	struct setting_target *t = &ret->target;
	enum opt_result r;
	struct error e;
	int first, made;

	*t = (struct setting_target){
		.policy = &ret->policy, .environment = environ,
		.home = find_home(environ, ret->home),
		.cwd = getcwd(ret->cwd, sizeof ret->cwd) == NULL ? "" :
		    ret->cwd,
	};
	policy_init(&ret->policy);
	r = opt_parse(&command, argc, argv, 1, &g, &first, &e);
	if (r == OPT_DONE)
		return r;
	if (r == OPT_RUN) {
		take_given(ret, &g);
		find_place(g.listen, t->cwd, ret->listen_place);
		find_place(g.audit, t->cwd, ret->audit_place);
		ret->argv = argv + first;
		t->no_digest = argv[first] != NULL && g.audit == NULL &&
		    g.status_fd == -1 && !g.explain;
		made = make_policy(t, &g, &e);
		if (made == 0 && check_given(&g, ret, t->fixed, &e) == 0 &&
		    check_descriptors(&g, &ret->policy, &e) == 0)
			return OPT_RUN;
		if (made == -2)
			return OPT_INVALID;
	}
	opt_usage_error(&command, &e);
	return OPT_INVALID;
}

/* The first problem is the one that is told. */
static void
take_first(void *user, const char *line)
{
	struct error *e = user;

	if (e->text[0] == '\0')
		error_set(e, "%s", line);
}

int
options_extend(struct options *o, struct bytes settings, struct error *e)
{
	static char *const none[] = {NULL};
	struct setting_target *t = &o->target;
	struct jsonr v;

	if (settings.len == 0)
		return 0;
	if (jsonr_parse_object(settings, &v, e) != 0)
		return error_prefix(e, "policy");
	t->environment = none;
	e->text[0] = '\0';
	if (policyfile_parse("policy", settings, t, take_first, e) != 0 ||
	    finish_policy(t, e) != 0 || check_places(o, e) != 0)
		return -1;
	return check_lasting(&o->policy, e);
}
