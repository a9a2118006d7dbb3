/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/setting.h"

#include <stdlib.h>

#include "cmd/sandbox-exec/allow.h"
#include "cmd/sandbox-exec/homes.h"
#include "cmd/sandbox-exec/path.h"
#include "common/num.h"
#include "common/str.h"

enum {
	QUOTED_LEN = 120,
	CPU_MILLI_MAX = 4096 * 1000,
	SECOND = 1000,
	DAY = 24 * 3600 * SECOND,
	FD_MIN = 3,
	FD_MAX = 1023,
};

#define SIZE_TOP (INT64_C(1) << 50)

struct setting;

typedef int set_value(struct setting_target *t, const struct setting *s,
    const char *value, struct error *e);

struct setting {
	const char *name;
	set_value *set;
	bool list;
	unsigned group;          /* enum setting_fixed, 0: none */
	enum policy_access access;
	size_t offset;           /* of an int64_t in struct policy_limits */
	int64_t min, max;
};

static set_value set_path, set_tmpfs, set_mask, set_without, set_home,
    set_proc, set_workdir, set_net, set_allow, set_env, set_fd, set_require, set_size,
    set_tmp_size, set_number, set_time, set_cpu;

#define PATHS(name, set, access) \
	{name, set, true, FIXED_FILES, access, 0, 0, 0}
#define WORD(name, set, list, group) {name, set, list, group, 0, 0, 0, 0}
#define LIMIT(name, set, field, min, max) \
	{name, set, false, FIXED_LIMITS, 0, \
	    offsetof(struct policy_limits, field), min, max}

static const struct setting settings[] = {
	PATHS("ro", set_path, POLICY_RO),
	PATHS("rw", set_path, POLICY_RW),
	PATHS("overlay", set_path, POLICY_OVERLAY),
	PATHS("tmpfs", set_tmpfs, POLICY_TMPFS),
	PATHS("mask", set_mask, POLICY_MASK),
	WORD("without", set_without, true, FIXED_FILES),
	WORD("home", set_home, false, FIXED_FILES),
	WORD("proc", set_proc, false, FIXED_FILES),
	WORD("workdir", set_workdir, false, 0),
	WORD("net", set_net, false, FIXED_NET),
	WORD("allow", set_allow, true, FIXED_NET),
	WORD("env", set_env, true, FIXED_ENV),
	WORD("fd", set_fd, true, FIXED_FDS),
	LIMIT("mem", set_size, mem, 1 << 20, SIZE_TOP),
	LIMIT("cpu", set_cpu, cpu_milli, 10, CPU_MILLI_MAX),
	LIMIT("pids", set_number, pids, 1, 1 << 22),
	LIMIT("time", set_time, time_ms, 1, INT64_C(366) * DAY),
	LIMIT("fsize", set_size, fsize, 1, SIZE_TOP),
	LIMIT("out", set_size, out, 1, SIZE_TOP),
	LIMIT("files", set_number, files, 8, 1 << 20),
	LIMIT("tmp-size", set_tmp_size, tmpfs, 4 << 10, SIZE_TOP),
	WORD("require", set_require, true, 0),
};

enum { SETTINGS = sizeof settings / sizeof *settings };

const char *
setting_name(size_t i)
{
	return i < SETTINGS ? settings[i].name : NULL;
}

static const struct setting *
find(const char *name)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (str_eq(settings[i].name, name))
			return &settings[i];
	}
	return NULL;
}

bool
setting_is_list(const char *name)
{
	const struct setting *s = find(name);

	return s != NULL && s->list;
}

static bool
is_fixed(const struct setting_target *t, const struct setting *s)
{
	return (t->fixed & s->group) != 0;
}

static int
refuse_fixed(struct error *e)
{
	return error_set(e, "the policy file fixes this and allows less");
}

static int
no_memory(struct error *e)
{
	return error_set(e, "out of memory");
}

static int
find_word(const char *const words[], const char *value)
{
	for (int i = 0; words[i] != NULL; i++) {
		if (str_eq(words[i], value))
			return i;
	}
	return -1;
}

/* The entry with this place inside, or path_count. */
static size_t
find_inside(const struct policy *p, const char *inside)
{
	size_t i = 0;

	while (i < p->path_count && (p->paths[i].access == POLICY_MASK ||
	    !str_eq(p->paths[i].inside, inside)))
		i++;
	return i;
}

/* The entry that decides about a host path that appears under its own name,
 * or NULL. */
static const struct policy_path *
find_cover(const struct policy *p, const char *host)
{
	const struct policy_path *best = NULL;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];

		if (path->access != POLICY_MASK &&
		    path_is_below(host, path->inside) && (best == NULL ||
		    strlen(best->inside) < strlen(path->inside)))
			best = path;
	}
	return best;
}

/* Whether the policy gives at least this much already. */
static bool
is_covered(const struct policy *p, const struct policy_path *want)
{
	const struct policy_path *have = find_cover(p, want->host);

	if (want->access == POLICY_TMPFS || want->access == POLICY_MASK)
		return true;
	if (have == NULL || !str_eq(have->host, have->inside) ||
	    !str_eq(want->host, want->inside))
		return false;
	return have->access == POLICY_RW || have->access == want->access ||
	    (have->access == POLICY_OVERLAY && want->access == POLICY_RO);
}

static int
add_path(struct setting_target *t, const struct setting *s,
    const struct policy_path *new, struct error *e)
{
	struct policy *p = t->policy;
	size_t at = find_inside(p, new->inside);
	struct policy_path copy = *new;

	if (is_fixed(t, s) && !is_covered(p, new))
		return refuse_fixed(e);
	if (at < p->path_count && t->has_path[at] &&
	    (p->paths[at].access != new->access ||
	    !str_eq(p->paths[at].host, new->host)))
		return error_set(e, "given twice, in different ways");
	if (at == POLICY_PATHS_MAX)
		return error_set(e, "more than %d paths", POLICY_PATHS_MAX);
	copy.narrows = is_fixed(t, s) && (at == p->path_count ||
	    p->paths[at].narrows);
	copy.host = strdup(new->host);
	copy.inside = strdup(new->inside);
	copy.given = new->given == NULL ? NULL : strdup(new->given);
	if (copy.host == NULL || copy.inside == NULL ||
	    (new->given != NULL && copy.given == NULL)) {
		free(copy.host);
		free(copy.inside);
		free(copy.given);
		return no_memory(e);
	}
	if (at == p->path_count) {
		p->path_count++;
	} else {
		free(p->paths[at].host);
		free(p->paths[at].given);
		free(p->paths[at].inside);
	}
	p->paths[at] = copy;
	t->has_path[at] = true;
	return 0;
}

static int
set_path(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	char host[PATH_LEN], inside[PATH_LEN], given[PATH_LEN];
	struct policy_path path = {
		.access = s->access, .host = host, .inside = inside,
	};

	if (path_resolve(value, t->cwd, t->home, host, inside, e) != 0 ||
	    path_given(value, t->cwd, t->home, given, e) != 0)
		return -1;
	if (!str_eq(given, host))
		path.given = given;
	return add_path(t, s, &path, e);
}

/* Whether the policy has less for a directory in memory that is there. */
static bool
is_larger(const struct policy *p, const struct policy_path *want)
{
	size_t at = find_inside(p, want->inside);
	int64_t each = p->limits.tmpfs;
	int64_t have = at < p->path_count ? p->paths[at].size : 0;

	return (want->size != 0 ? want->size : each) >
	    (have != 0 ? have : each);
}

/* "/scratch" or "/scratch:64m". */
static int
set_tmpfs(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	const char *colon = strrchr(value, ':');
	char text[PATH_LEN], inside[PATH_LEN];
	struct policy_path path = {
		.access = s->access, .host = inside, .inside = inside,
	};

	if (str_format(text, sizeof text, "%s", value) != 0)
		return error_set(e, "too long");
	if (colon != NULL && num_parse_size(colon + 1, 4 << 10, SIZE_TOP,
	    &path.size) == 0)
		text[colon - value] = '\0';
	if (path_absolute(text, t->cwd, t->home, inside, e) != 0)
		return -1;
	if (inside[1] == '\0')
		return error_set(e, "the root is private already");
	if ((t->fixed & FIXED_LIMITS) != 0 && is_larger(t->policy, &path))
		return refuse_fixed(e);
	return add_path(t, s, &path, e);
}

static int
set_mask(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	struct policy *p = t->policy;
	struct policy_path path = {.access = s->access};
	char glob[PATH_LEN], host[PATH_LEN];

	if (path_glob(value, t->home, glob, e) != 0 ||
	    path_glob_host(glob, host, e) != 0)
		return -1;
	for (size_t i = 0; i < p->path_count; i++) {
		if (p->paths[i].access == POLICY_MASK &&
		    str_eq(p->paths[i].inside, glob))
			return 0;
	}
	if (p->path_count == POLICY_PATHS_MAX)
		return error_set(e, "more than %d paths", POLICY_PATHS_MAX);
	path.host = strdup(host);
	path.inside = strdup(glob);
	if (path.host == NULL || path.inside == NULL) {
		free(path.host);
		free(path.inside);
		return no_memory(e);
	}
	p->paths[p->path_count++] = path;
	return 0;
}

static int
set_without(struct setting_target *t, const struct setting *s,
    const char *value, struct error *e)
{
	static const char *const words[] = {
		"files", "masks", "protection", NULL,
	};
	struct policy *p = t->policy;
	bool *const fields[] = {
		&p->default_files, &p->default_masks, &p->protect,
	};
	int i = find_word(words, value);

	if (i == -1)
		return error_set(e, "not files, masks or protection");
	if (is_fixed(t, s) && i != 0 && *fields[i])
		return refuse_fixed(e);
	*fields[i] = false;
	return 0;
}

static int
set_proc(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	static const char *const words[] = {"pids", "system", NULL};
	int i = find_word(words, value);

	if (i == -1)
		return error_set(e, "not pids or system");
	if (is_fixed(t, s) && (enum policy_proc)i > t->policy->proc)
		return refuse_fixed(e);
	t->policy->proc = (enum policy_proc)i;
	return 0;
}

static int
set_home(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	bool real = str_eq(value, "real");

	if (!real && !str_eq(value, "private"))
		return error_set(e, "not private or real");
	if (real && t->home == NULL)
		return error_set(e, "HOME is no path below '/'");
	if (real && is_fixed(t, s) && t->policy->home != POLICY_HOME_REAL)
		return refuse_fixed(e);
	t->policy->home = real ? POLICY_HOME_REAL : POLICY_HOME_PRIVATE;
	return 0;
}

static int
set_workdir(struct setting_target *t, const struct setting *s,
    const char *value, struct error *e)
{
	char inside[PATH_LEN], *copy;

	(void)s;
	if (path_absolute(value, t->cwd, t->home, inside, e) != 0)
		return -1;
	copy = strdup(inside);
	if (copy == NULL)
		return no_memory(e);
	free(t->policy->workdir);
	t->policy->workdir = copy;
	return 0;
}

static int
set_net(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	static const char *const words[] = {
		[POLICY_NET_NONE] = "none", [POLICY_NET_ALLOW] = "allow",
		[POLICY_NET_HOST] = "host", NULL,
	};
	int net = find_word(words, value);

	if (net == -1)
		return error_set(e, "not none, host or allow");
	if (is_fixed(t, s) && net > (int)t->policy->net)
		return refuse_fixed(e);
	t->policy->net = (enum policy_net)net;
	t->has_net = true;
	return 0;
}

static bool
is_allowed(const struct policy *p, const struct policy_allow *want)
{
	if (p->net != POLICY_NET_ALLOW)
		return p->net == POLICY_NET_HOST;
	for (size_t i = 0; i < p->allow_count; i++) {
		if (allow_covers(&p->allow[i], want))
			return true;
	}
	return false;
}

static int
set_allow(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	struct policy *p = t->policy;
	struct policy_allow a;
	int r = 0;

	if (allow_parse(value, &a, e) != 0)
		return -1;
	if (is_fixed(t, s) && !is_allowed(p, &a))
		r = refuse_fixed(e);
	else if (p->allow_count == POLICY_ALLOW_MAX)
		r = error_set(e, "more than %d entries", POLICY_ALLOW_MAX);
	if (r != 0) {
		allow_done(&a);
		return r;
	}
	p->allow[p->allow_count++] = a;
	t->has_allow = true;
	return 0;
}

/* The whole "NAME=value", or NULL. */
static const char *
find_env(char *const *list, const char *name, size_t len)
{
	for (; list != NULL && *list != NULL; list++) {
		if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
			return *list;
	}
	return NULL;
}

const char *
setting_env(char *const *list, const char *name)
{
	size_t len = strlen(name);
	const char *entry = find_env(list, name, len);

	return entry == NULL ? NULL : entry + len + 1;
}

const char setting_home_default[] = "/home/user";

/* Whether an empty directory can be there: not in what every tree has, nor
 * behind its links. */
static bool
can_be_private(const char *home)
{
	static const char *const taken[] = {
		"/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64",
		"/libx32", "/proc", "/sys", "/dev", "/var/run", "/var/tmp",
	};

	if (home == NULL || home[0] != '/' || home[1] == '\0')
		return false;
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		if (path_is_below(home, taken[i]))
			return false;
	}
	return true;
}

const char *
setting_home(const struct policy *p)
{
	const char *home = setting_env(p->env, "HOME");

	return can_be_private(home) ? home : setting_home_default;
}

/* Puts "NAME=value" in the place of an older one. */
static int
put_env(struct policy *p, const char *entry, size_t len, struct error *e)
{
	size_t at = 0;
	char *copy;

	while (at < p->env_count && (strncmp(p->env[at], entry, len) != 0 ||
	    p->env[at][len] != '='))
		at++;
	if (at == POLICY_ENV_MAX)
		return error_set(e, "more than %d variables", POLICY_ENV_MAX);
	copy = strdup(entry);
	if (copy == NULL)
		return no_memory(e);
	if (at == p->env_count)
		p->env[++p->env_count] = NULL;
	else
		free(p->env[at]);
	p->env[at] = copy;
	return 0;
}

static int
set_env(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	size_t len = strcspn(value, "=");
	const char *entry = value, *have;

	for (size_t i = 0; i < len; i++) {
		char c = ascii_lower(value[i]);

		if (c != '_' && (c < 'a' || c > 'z') &&
		    (i == 0 || c < '0' || c > '9'))
			len = 0;
	}
	if (len == 0)
		return error_set(e, "no name of letters, digits and '_'");
	have = find_env(t->policy->env, value, len);
	if (value[len] == '\0')
		entry = find_env(t->environment, value, len);
	if (entry == NULL)
		return 0;
	if (is_fixed(t, s) && (have == NULL || !str_eq(have, entry)))
		return refuse_fixed(e);
	return put_env(t->policy, entry, len, e);
}

static int
set_fd(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	struct policy *p = t->policy;
	int64_t fd;

	if (num_parse(value, FD_MIN, FD_MAX, &fd) != 0)
		return error_set(e, "no descriptor from %d to %d", FD_MIN,
		    FD_MAX);
	for (size_t i = 0; i < p->fd_count; i++) {
		if (p->fds[i] == fd)
			return 0;
	}
	if (is_fixed(t, s))
		return refuse_fixed(e);
	if (p->fd_count == sizeof p->fds / sizeof *p->fds)
		return error_set(e, "more than %zu descriptors", p->fd_count);
	p->fds[p->fd_count++] = (int)fd;
	return 0;
}

static int
set_require(struct setting_target *t, const struct setting *s,
    const char *value, struct error *e)
{
	static const char *const words[] = {
		"namespaces", "net", "limits", "landlock", "seccomp", "full",
		NULL,
	};
	static const unsigned bits[] = {
		REQUIRE_NAMESPACES, REQUIRE_NET, REQUIRE_LIMITS,
		REQUIRE_LANDLOCK, REQUIRE_SECCOMP, REQUIRE_FULL,
	};
	int i = find_word(words, value);

	(void)s;
	if (i == -1)
		return error_set(e, "not namespaces, net, limits, landlock, "
		    "seccomp or full");
	t->policy->require |= bits[i];
	return 0;
}

static int
set_limit(struct setting_target *t, const struct setting *s, int64_t value,
    struct error *e)
{
	int64_t *field = (void *)((char *)&t->policy->limits + s->offset);

	if (is_fixed(t, s) && *field != 0 && value > *field)
		return refuse_fixed(e);
	*field = value;
	return 0;
}

static int
set_size(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	int64_t v;

	if (num_parse_size(value, s->min, s->max, &v) != 0)
		return error_set(e, "not a size such as 64m, at least %lldb",
		    (long long)s->min);
	return set_limit(t, s, v, e);
}

static int
set_tmp_size(struct setting_target *t, const struct setting *s,
    const char *value, struct error *e)
{
	t->policy->limits.has_tmpfs = true;
	return set_size(t, s, value, e);
}

static int
set_number(struct setting_target *t, const struct setting *s,
    const char *value, struct error *e)
{
	int64_t v;

	if (num_parse(value, s->min, s->max, &v) != 0)
		return error_set(e, "not a number from %lld to %lld",
		    (long long)s->min, (long long)s->max);
	return set_limit(t, s, v, e);
}

static int
set_time(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	int64_t v;

	if (num_parse_duration(value, s->min, s->max, &v) != 0)
		return error_set(e, "not a time such as 30s");
	return set_limit(t, s, v, e);
}

/* "2", "0.5" or "1.25". */
static int
set_cpu(struct setting_target *t, const struct setting *s, const char *value,
    struct error *e)
{
	size_t whole = strcspn(value, ".");
	const char *rest = value + whole + (value[whole] == '.');
	char digits[16];
	int64_t v;

	if (value[whole] == '.' && (rest[0] == '\0' || strlen(rest) > 3))
		rest = "-";
	if (whole == 0 || str_format(digits, sizeof digits, "%.*s%s%.*s",
	    (int)(whole < 9 ? whole : 9), value, rest,
	    (int)(strlen(rest) < 3 ? 3 - strlen(rest) : 0), "000") != 0 ||
	    num_parse(digits, s->min, s->max, &v) != 0)
		return error_set(e, "not a number of processors from 0.01 to "
		    "%d such as 1.5", CPU_MILLI_MAX / 1000);
	return set_limit(t, s, v, e);
}

int
setting_set(struct setting_target *t, const char *name, const char *value,
    struct error *e)
{
	const struct setting *s = find(name);
	char quoted[QUOTED_LEN];

	if (s == NULL)
		return error_set(e, "unknown");
	if (value[0] == '\0')
		return error_set(e, "empty");
	if (s->set(t, s, value, e) == 0)
		return 0;
	return error_prefix(e, "%s", diag_quote(quoted, sizeof quoted,
	    bytes_cstr(value)));
}

int
setting_fix(const char *word, unsigned *fixed, struct error *e)
{
	static const char *const words[] = {
		"files", "net", "env", "limits", "fd", "all", NULL,
	};
	static const unsigned bits[] = {
		FIXED_FILES, FIXED_NET, FIXED_ENV, FIXED_LIMITS, FIXED_FDS,
		FIXED_ALL,
	};
	int i = find_word(words, word);

	if (i == -1)
		return error_set(e, "not files, net, env, limits, fd or all");
	*fixed |= bits[i];
	return 0;
}

int
setting_end(struct setting_target *t, struct error *e)
{
	bool conflict = t->has_net && t->has_allow &&
	    t->policy->net != POLICY_NET_ALLOW;

	if (t->has_allow && !t->has_net)
		t->policy->net = POLICY_NET_ALLOW;
	t->has_net = t->has_allow = false;
	memset(t->has_path, 0, sizeof t->has_path);
	return conflict ? error_set(e, "allow: only with net allow") : 0;
}

/* Says where the private home is, if it cannot be where the caller's is. */
static int
move_home(struct setting_target *t, struct error *e)
{
	const char *home = setting_env(t->policy->env, "HOME");
	char entry[64];

	if (t->home == NULL || home == NULL || !str_eq(home, t->home) ||
	    can_be_private(home))
		return 0;
	str_format(entry, sizeof entry, "HOME=%s", setting_home_default);
	return put_env(t->policy, entry, strlen("HOME"), e);
}

/* The real home directory, read-only unless a path says more. */
static int
finish_home(struct setting_target *t, struct error *e)
{
	static const struct setting home = PATHS("home", set_path, POLICY_RO);
	char host[PATH_LEN], inside[PATH_LEN];
	struct policy_path path = {
		.access = POLICY_RO, .host = host, .inside = inside,
	};
	unsigned fixed = t->fixed;
	int r;

	if (t->policy->home != POLICY_HOME_REAL)
		return move_home(t, e);
	if (path_resolve(t->home, NULL, NULL, host, inside, e) != 0)
		return error_prefix(e, "home: real");
	str_format(inside, sizeof inside, "%s", t->home);
	if (find_inside(t->policy, inside) != t->policy->path_count)
		return 0;
	t->fixed = 0;
	r = add_path(t, &home, &path, e);
	t->fixed = fixed;
	return r;
}

int
setting_finish(struct setting_target *t, struct error *e)
{
	if (finish_home(t, e) != 0)
		return -1;
	if ((t->policy->default_masks || t->policy->protect) &&
	    t->policy->path_count != 0)
		homes_find(t->policy, t->home);
	return policy_finish(t->policy, !t->no_digest, e);
}
