/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-worker/sandbox_command.h"
#include "cmd/sandbox-worker/secret_file.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/jsonr.h"
#include "common/proc.h"
#include "common/str.h"

/* ---- what must not be written ---- */

enum { NAMED_MAX = SECRET_FILES_MAX + 8, READ_LEN = 16 * 1024 };

struct named {
	const char *option, *path;
	bool is_dir;           /* it is itself where nobody may write */
};

struct named_list {
	struct named at[NAMED_MAX];
	size_t count;
};

static void
add_named(struct named_list *l, const char *option, const char *path,
    bool is_dir)
{
	if (path != NULL)
		l->at[l->count++] = (struct named){option, path, is_dir};
}

static void
list_named(struct named_list *l, const struct settings *s)
{
	const struct secret_file *f;

	l->count = 0;
	for (size_t i = 0; (f = secret_file_get(i)) != NULL; i++)
		add_named(l, f->option, f->path, false);
	add_named(l, "--ca", s->ca, false);
	add_named(l, "--policy", s->policy, false);
	add_named(l, "--policy-jq", s->policy_jq, false);
	add_named(l, "--sandbox-exec", s->sandbox_exec, false);
	add_named(l, "--audit", s->audit, false);
	add_named(l, "--metrics", s->metrics, false);
	add_named(l, "--state", s->state, true);
	add_named(l, "--outputs", s->outputs, true);
	add_named(l, "--workspaces", s->workspaces, true);
}

/* The directory that path is in. */
static int
find_parent(const char *path, char out[static PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (slash == NULL)
		return realpath(".", out) == NULL ? -1 : 0;
	return str_format(dir, sizeof dir, "%.*s", (int)(slash - path) + 1,
	    path) != 0 || realpath(dir, out) == NULL ? -1 : 0;
}

enum { PLACES_MAX = 2 };

/* The directories in which whoever writes could change it: that of its name,
 * and if that is a link, that of what it leads to.  Returns how many. */
static int
find_places(const struct named *n, char out[static PLACES_MAX][PATH_MAX])
{
	char real[PATH_MAX];
	int count = 0;

	if (!n->is_dir && find_parent(n->path, out[count]) == 0)
		count++;
	if (realpath(n->path, real) == NULL)
		return count;
	if (n->is_dir)
		str_format(out[count++], PATH_MAX, "%s", real);
	else if (find_parent(real, out[count]) == 0)
		count++;
	return count;
}

/* ---- settings ---- */

static bool
is_in(const char *dir, const char *given, bool shared)
{
	char real[PATH_MAX];

	if (given == NULL || realpath(given, real) == NULL)
		return false;
	return str_is_within(dir, real) && (shared || !str_eq(dir, real));
}

/* Whether sessions can write to dir: it lies in the working directory of all,
 * or below one that holds a directory for each. */
static bool
is_writable(const struct settings *s, const char *dir)
{
	return is_in(dir, s->workspaces, false) ||
	    is_in(dir, s->outputs, false) ||
	    (s->workspaces == NULL && is_in(dir, s->workdir, true));
}

int
judge_settings(const struct settings *s, struct error *e)
{
	char places[PLACES_MAX][PATH_MAX];
	struct named_list l;

	list_named(&l, s);
	for (size_t i = 0; i < l.count; i++) {
		int n = find_places(&l.at[i], places);

		while (n-- > 0)
			if (is_writable(s, places[n]))
				return error_set(e, "%s %s: sessions can "
				    "write where it lies", l.at[i].option,
				    l.at[i].path);
	}
	return 0;
}

/* ---- what a policy grants ---- */

/* Whether who can write to dir, or that file, can change n. */
static bool
is_reached(const struct named *n, const char *dir)
{
	char places[PLACES_MAX][PATH_MAX], real[PATH_MAX];
	int count = find_places(n, places);

	while (count-- > 0)
		if (str_is_within(places[count], dir))
			return true;
	return realpath(n->path, real) != NULL && str_eq(real, dir);
}

/* A way to show something, by its key in a policy.  Of an overlay a session
 * writes a copy. */
struct grant {
	const char *key;
	bool is_written;
};

static const struct grant grants[] = {
	{"rw", true}, {"ro", false}, {"overlay", false}, {NULL, false},
};

static const struct grant home_grant = {"home", false};

/* Whether directories in memory are in the way where the root directory is
 * shown as itself. */
static bool
is_hidden(const char *dir, const char *inside)
{
	return str_eq(inside, "/") && (str_is_within(dir, "/tmp") ||
	    str_is_within(dir, "/dev/shm"));
}

/* Whether who is shown dir as inside sees what other sessions have in n. */
static bool
is_seen(const struct named *n, const char *dir, const char *inside)
{
	char real[PATH_MAX];

	return n->is_dir && realpath(n->path, real) != NULL &&
	    str_is_within(real, dir) && !is_hidden(real, inside);
}

/* Refuses to show path as inside when there is what sessions must not have. */
static int
judge_grant(const struct settings *s, const struct grant *g, const char *path,
    const char *inside, struct error *e)
{
	char real[PATH_MAX];
	struct named_list l;

	if (realpath(path, real) == NULL)
		return 0;
	list_named(&l, s);
	for (size_t i = 0; i < l.count; i++) {
		if (g->is_written && is_reached(&l.at[i], real))
			return error_set(e, "%s %s: sessions could write "
			    "where %s %s lies", g->key, path, l.at[i].option,
			    l.at[i].path);
		if (!g->is_written && is_seen(&l.at[i], real, inside))
			return error_set(e, "%s %s: sessions could read what "
			    "others have in %s %s", g->key, path,
			    l.at[i].option, l.at[i].path);
	}
	return 0;
}

/* The home directory, of which a policy says how it is shown. */
static int
judge_home(const struct settings *s, struct jsonr policy, struct error *e)
{
	const char *home = getenv("HOME");
	struct jsonr v;

	if (jsonr_get(policy, "home", &v, e) == -1)
		return -1;
	if (!jsonr_eq_str(v, "real") || home == NULL)
		return 0;
	return judge_grant(s, &home_grant, home, home, e);
}

/* ---- a policy of a program ---- */

/* "HOST", "HOST:INSIDE" or "~/HOST".  Others are for sandbox-exec to
 * refuse. */
static int
judge_entry(const struct settings *s, const struct grant *g, struct jsonr v,
    struct error *e)
{
	char text[2 * PATH_MAX], path[2 * PATH_MAX];
	const char *home = getenv("HOME"), *inside = path;
	struct buf b;
	char *colon;
	int r;

	buf_init(&b, sizeof text - 1);
	r = v.kind == JSONR_STRING && jsonr_add_str(v, &b) == 0
	    ? str_from_bytes(text, sizeof text, buf_bytes(&b)) : -1;
	buf_reset(&b);
	if (r != 0)
		return error_set(e, "%s: not a list of paths", g->key);
	colon = strchr(text, ':');
	if (colon != NULL) {
		*colon = '\0';
		inside = colon + 1;
	}
	if (str_starts(text, "~/") && home != NULL)
		r = str_format(path, sizeof path, "%s%s", home, text + 1);
	else
		r = str_format(path, sizeof path, "%s", text);
	return r == 0 ? judge_grant(s, g, path, inside, e)
	    : error_set(e, "%s: a path is too long", g->key);
}

static int
judge_list(const struct settings *s, const struct grant *g,
    struct jsonr policy, struct error *e)
{
	struct jsonr list, entry;
	struct jsonr_iter i;

	if (jsonr_get(policy, g->key, &list, e) == -1)
		return -1;
	if (list.kind == JSONR_STRING)
		return judge_entry(s, g, list, e);
	if (list.kind != JSONR_ARRAY)
		return 0;
	jsonr_iter_init(&i, list);
	while (jsonr_next(&i, NULL, &entry))
		if (judge_entry(s, g, entry, e) != 0)
			return -1;
	return 0;
}

int
judge_policy(const struct settings *s, struct bytes policy, struct error *e)
{
	struct jsonr v;
	int r = jsonr_parse_object(policy, &v, e);

	for (const struct grant *g = grants; r == 0 && g->key != NULL; g++)
		r = judge_list(s, g, v, e);
	if (r == 0)
		r = judge_home(s, v, e);
	return r == 0 ? 0 : error_prefix(e, "the policy");
}

/* ---- a policy file ---- */

/* Reads until the end, or until the time is up. */
static void
read_until(int fd, int64_t deadline_ms, struct buf *out)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_ms();
		uint8_t *room = buf_reserve(out, READ_LEN);
		ssize_t n;

		if (room == NULL || left_ms <= 0 ||
		    poll(&p, 1, (int)left_ms) == 0)
			return;
		n = read(fd, room, READ_LEN);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		buf_commit(out, (size_t)n);
	}
}

/* What a process that is over, or has had its time, gave.  Returns its exit
 * status. */
static int
take_output(pid_t pid, int out_fd, int err_fd, struct buf *out,
    struct buf *complaint)
{
	int64_t deadline_ms = clock_ms() + JUDGE_POLICY_MS;
	int status = 0;

	read_until(out_fd, deadline_ms, out);
	read_until(err_fd, deadline_ms, complaint);
	/* It has closed both, and nothing is left for it to do. */
	kill(-pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid ? proc_exit_status(status)
	    : EXIT_FAILED;
}

/* Moves behind prefix, if text begins so. */
static const char *
skip(const char *text, const char *prefix)
{
	return text + (str_starts(text, prefix) ? strlen(prefix) : 0);
}

/* The first line of what it complains of, without its own name and that of
 * the policy. */
static void
take_complaint(struct bytes in, const char *policy, struct error *e)
{
	char text[ERROR_TEXT_MAX];
	const char *from;

	if (in.len >= sizeof text)
		in.len = sizeof text - 1;
	if (str_from_bytes(text, sizeof text, in) != 0 || text[0] == '\0')
		str_format(text, sizeof text, "sandbox-exec refuses it");
	text[strcspn(text, "\n")] = '\0';
	from = skip(text, "sandbox-exec: ");
	if (str_starts(from, policy))
		from = skip(skip(skip(from, policy), ":"), " ");
	error_set(e, "%s", from);
}

/* The words of a call of sandbox-exec. */
struct words {
	char program[PATH_MAX];
	const char *argv[2 * OPT_LIST_MAX + 8];
};

static void
fill_words(struct words *w, const struct settings *s, bool require,
    bool replace_workdir)
{
	size_t n = 0;

	w->argv[n++] = sandbox_command_find(s, w->program);
	if (s->policy != NULL) {
		w->argv[n++] = "--policy";
		w->argv[n++] = s->policy;
	}
	w->argv[n++] = "--explain";
	w->argv[n++] = "--json";
	if (replace_workdir) {
		w->argv[n++] = "--workdir";
		w->argv[n++] = "/";
	}
	for (size_t i = 0; require && i < s->require.count; i++) {
		w->argv[n++] = "--require";
		w->argv[n++] = s->require.at[i];
	}
	w->argv[n] = NULL;
}

/* Has a sandbox explained.  Returns 0, or -1 with a text. */
static int
run_explain(const struct settings *s, const struct words *w,
    struct buf *answer, struct error *e)
{
	struct proc_command c = {.argv = w->argv, .envp = environ,
		.fds = {-1, -1, -1, -1}, .death_signal = SIGKILL};
	int out[2] = {-1, -1}, err[2] = {-1, -1}, r = -1;
	struct buf complaint;
	pid_t pid = -1;

	buf_init(&complaint, JUDGE_ANSWER_MAX);
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
		error_errno(e, "pipe");
	} else {
		c.fds[1] = out[1];
		c.fds[2] = err[1];
		pid = proc_spawn(&c, e);
	}
	io_close(&out[1]);
	io_close(&err[1]);
	if (pid != -1) {
		r = take_output(pid, out[0], err[0], answer, &complaint);
		if (r != EXIT_OK)
			take_complaint(buf_bytes(&complaint), s->policy != NULL
			    ? s->policy : "", e);
	}
	io_close(&out[0]);
	io_close(&err[0]);
	buf_reset(&complaint);
	return r == EXIT_OK ? 0 : -1;
}

static int
judge_path(const struct settings *s, struct jsonr path, struct error *e)
{
	char access[16], host[PATH_MAX], inside[PATH_MAX];
	const struct grant *g = grants;

	if (jsonr_get_str(path, "access", access, sizeof access, e) != 1 ||
	    jsonr_get_str(path, "inside", inside, sizeof inside, e) != 1 ||
	    jsonr_get_str(path, "host", host, sizeof host, e) < 0)
		return error_set(e, "sandbox-exec shows something unknown");
	while (g->key != NULL && !str_eq(access, g->key))
		g++;
	return g->key == NULL ? 0 : judge_grant(s, g, host, inside, e);
}

static int
judge_explained(const struct settings *s, struct bytes answer,
    struct error *e)
{
	struct jsonr v, policy, list, entry;
	struct jsonr_iter i;

	if (jsonr_parse_object(answer, &v, e) != 0 ||
	    jsonr_get(v, "policy", &policy, e) != 1 ||
	    jsonr_get(policy, "paths", &list, e) != 1 ||
	    list.kind != JSONR_ARRAY)
		return error_set(e, "sandbox-exec does not say what it shows");
	jsonr_iter_init(&i, list);
	while (jsonr_next(&i, NULL, &entry))
		if (judge_path(s, entry, e) != 0)
			return -1;
	return 0;
}

static int
explain(const struct settings *s, bool require, struct error *e)
{
	struct buf answer;
	struct words w;
	int r;

	buf_init(&answer, JUDGE_ANSWER_MAX);
	/* The policy's working directory may be one that only sessions have;
	 * but what is fixed cannot be replaced. */
	fill_words(&w, s, require, true);
	r = run_explain(s, &w, &answer, e);
	if (r != 0 && s->policy != NULL) {
		buf_clear(&answer);
		fill_words(&w, s, require, false);
		r = run_explain(s, &w, &answer, e);
	}
	if (r == 0)
		r = judge_explained(s, buf_bytes(&answer), e);
	buf_reset(&answer);
	if (r != 0 && s->policy != NULL)
		error_prefix(e, "--policy %s", s->policy);
	return r;
}

int
judge_policy_file(const struct settings *s, struct error *e)
{
	return s->policy == NULL ? 0 : explain(s, false, e);
}

int
judge_sandbox(const struct settings *s, struct error *e)
{
	return explain(s, true, e);
}
