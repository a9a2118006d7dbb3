/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/sandbox-exec/allow.h"
#include "cmd/sandbox-exec/path.h"
#include "common/jsonw.h"

/* Enough for a build of a large program, too little for a fork bomb. */
enum { PIDS_DEFAULT = 2048, FILES_DEFAULT = 4096 };

enum { DIGEST_TEXT_MAX = 4 << 20 };

void
policy_init(struct policy *p)
{
	/* What the counts count is written as it is added. */
	memset(p, 0, offsetof(struct policy, paths));
	p->env[0] = NULL;
	p->netns_fd = -1;
	p->default_files = p->default_masks = p->protect = true;
	p->limits.pids = PIDS_DEFAULT;
	p->limits.files = FILES_DEFAULT;
	p->limits.tmpfs = POLICY_TMPFS_SIZE;
}

void
policy_done(struct policy *p)
{
	for (size_t i = 0; i < p->path_count; i++) {
		free(p->paths[i].host);
		free(p->paths[i].given);
		free(p->paths[i].inside);
		free(p->paths[i].upper);
	}
	for (size_t i = 0; i < p->allow_count; i++)
		allow_done(&p->allow[i]);
	for (size_t i = 0; i < p->env_count; i++)
		free(p->env[i]);
	for (size_t i = 0; i < POLICY_HOMES; i++) {
		free(p->home_of[i]);
		p->home_of[i] = NULL;
	}
	free(p->workdir);
	free(p->hostname);
	/* Not all of it: the pages are shared with processes that we made. */
	p->workdir = p->hostname = p->env[0] = NULL;
	p->path_count = p->allow_count = p->env_count = 0;
}

const char *const policy_not_in_root[] = {
	"proc", "sys", "dev", "run", "tmp", NULL,
};

static bool
is_in_root(const char *host)
{
	for (const char *const *name = policy_not_in_root; *name != NULL;
	    name++) {
		size_t len = strlen(*name);

		if (strncmp(host + 1, *name, len) == 0 &&
		    (host[1 + len] == '/' || host[1 + len] == '\0'))
			return false;
	}
	return true;
}

bool
policy_shows(const struct policy *p, const char *host, bool writable)
{
	for (size_t i = 0; i < p->path_count; i++) {
		const struct policy_path *path = &p->paths[i];
		bool all = path->host[1] == '\0' && path->inside[1] == '\0';

		if (path->access == POLICY_MASK ||
		    path->access == POLICY_TMPFS ||
		    (writable && path->access != POLICY_RW))
			continue;
		if (all ? is_in_root(host) : path_is_below(host, path->host))
			return true;
	}
	return false;
}

bool
policy_has_own_network(const struct policy *p)
{
	return p->net != POLICY_NET_HOST && p->netns_fd == -1;
}

static void
format_bool(struct jsonw *w, const char *key, bool value)
{
	jsonw_key(w, key);
	jsonw_bool(w, value);
}

static void
format_path(struct jsonw *w, const struct policy_path *path)
{
	static const char *const words[] = {
		[POLICY_RO] = "ro", [POLICY_RW] = "rw",
		[POLICY_TMPFS] = "tmpfs", [POLICY_OVERLAY] = "overlay",
		[POLICY_MASK] = "mask",
	};

	jsonw_open(w, '{');
	jsonw_key_str(w, "access", words[path->access]);
	if (path->access != POLICY_TMPFS) {
		jsonw_key(w, "host");
		jsonw_bytes(w, bytes_cstr(path->access == POLICY_MASK ?
		    path->inside : path->host));
	}
	if (path->access != POLICY_MASK) {
		jsonw_key(w, "inside");
		jsonw_bytes(w, bytes_cstr(path->inside));
	}
	if (path->size != 0)
		jsonw_key_int(w, "size", path->size);
	jsonw_close(w, '}');
}

static void
format_files(struct jsonw *w, const struct policy *p)
{
	format_bool(w, "default_files", p->default_files);
	format_bool(w, "default_masks", p->default_masks);
	format_bool(w, "protect", p->protect);
	jsonw_key_str(w, "home",
	    p->home == POLICY_HOME_REAL ? "real" : "private");
	jsonw_key_str(w, "proc",
	    p->proc == POLICY_PROC_SYSTEM ? "system" : "pids");
	if (p->workdir != NULL) {
		jsonw_key(w, "workdir");
		jsonw_bytes(w, bytes_cstr(p->workdir));
	}
	jsonw_key(w, "paths");
	jsonw_open(w, '[');
	for (size_t i = 0; i < p->path_count; i++)
		format_path(w, &p->paths[i]);
	jsonw_close(w, ']');
}

static void
format_net(struct jsonw *w, const struct policy *p)
{
	static const char *const words[] = {
		[POLICY_NET_NONE] = "none", [POLICY_NET_ALLOW] = "allow",
		[POLICY_NET_HOST] = "host",
	};

	jsonw_key_str(w, "net", words[p->net]);
	if (p->net != POLICY_NET_ALLOW)
		return;
	jsonw_key(w, "allow");
	jsonw_open(w, '[');
	for (size_t i = 0; i < p->allow_count; i++) {
		char text[ALLOW_TEXT_MAX];

		allow_format(&p->allow[i], text);
		jsonw_str(w, text);
	}
	jsonw_close(w, ']');
}

/* Names only: a value may be a secret. */
static void
format_env(struct jsonw *w, const struct policy *p)
{
	jsonw_key(w, "env");
	jsonw_open(w, '[');
	for (size_t i = 0; i < p->env_count; i++)
		jsonw_bytes(w, bytes_of(p->env[i], strcspn(p->env[i], "=")));
	jsonw_close(w, ']');
	jsonw_key(w, "fd");
	jsonw_open(w, '[');
	for (size_t i = 0; i < p->fd_count; i++)
		jsonw_int(w, p->fds[i]);
	jsonw_close(w, ']');
}

static void
format_limits(struct jsonw *w, const struct policy_limits *l)
{
	const struct {
		const char *name;
		int64_t value;
	} rows[] = {
		{"mem", l->mem}, {"cpu_milli", l->cpu_milli},
		{"pids", l->pids}, {"time_ms", l->time_ms},
		{"fsize", l->fsize}, {"out", l->out}, {"files", l->files},
		{"tmp_size", l->tmpfs},
	};

	jsonw_key(w, "limits");
	jsonw_open(w, '{');
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].value != 0)
			jsonw_key_int(w, rows[i].name, rows[i].value);
	}
	jsonw_close(w, '}');
}

static void
format_require(struct jsonw *w, unsigned require)
{
	static const char *const words[] = {
		"namespaces", "net", "limits", "landlock", "seccomp",
	};

	jsonw_key(w, "require");
	jsonw_open(w, '[');
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if ((require & 1U << i) != 0)
			jsonw_str(w, words[i]);
	}
	jsonw_close(w, ']');
}

int
policy_format(const struct policy *p, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	format_files(&w, p);
	format_net(&w, p);
	format_env(&w, p);
	format_limits(&w, &p->limits);
	format_require(&w, p->require);
	jsonw_close(&w, '}');
	if (jsonw_ok(&w))
		return 0;
	errno = ENOBUFS;
	return -1;
}

/* Parents before what is below them, so that the deeper path wins; masks
 * last. */
static int
compare_paths(const void *a, const void *b)
{
	const struct policy_path *left = a, *right = b;
	bool left_mask = left->access == POLICY_MASK;
	bool right_mask = right->access == POLICY_MASK;

	if (left_mask != right_mask)
		return left_mask ? 1 : -1;
	return path_compare(left->inside, right->inside);
}

static int
compare_allow(const void *a, const void *b)
{
	char left[ALLOW_TEXT_MAX], right[ALLOW_TEXT_MAX];

	allow_format(a, left);
	allow_format(b, right);
	return strcmp(left, right);
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the allow list, and drops what is twice or does not count. */
static void
finish_allow(struct policy *p)
{
	size_t kept = 0;

	if (p->allow_count == 0)
		return;
	qsort(p->allow, p->allow_count, sizeof *p->allow, compare_allow);
	for (size_t i = 0; i < p->allow_count; i++) {
		if (p->net != POLICY_NET_ALLOW || (kept != 0 &&
		    compare_allow(&p->allow[kept - 1], &p->allow[i]) == 0))
			allow_done(&p->allow[i]);
		else
			p->allow[kept++] = p->allow[i];
	}
	p->allow_count = kept;
}

static bool
is_writable(const struct policy_path *path)
{
	return path->access == POLICY_RW || path->access == POLICY_OVERLAY;
}

/* Whether a link that leads from path elsewhere is where the payload, or one
 * before it, can have made it. */
static bool
is_led_by(const struct policy_path *path, const struct policy_path *by)
{
	return path->given != NULL && is_writable(by) &&
	    !path_is_below(path->host, by->host) &&
	    (path_is_below(path->given, by->host) || (by->given != NULL &&
	    path_is_below(path->given, by->given)));
}

/* The payload must not choose what it is given. */
static int
check_links(const struct policy *p, struct error *e)
{
	for (size_t i = 0; i < p->path_count; i++) {
		for (size_t j = 0; j < p->path_count; j++) {
			if (is_led_by(&p->paths[i], &p->paths[j]))
				return error_set(e, "%s: leads to %s by a "
				    "link that the command may change",
				    p->paths[i].given, p->paths[i].host);
		}
	}
	return 0;
}

static int
set_digest(struct policy *p, struct error *e)
{
	struct buf b;
	int r;

	buf_init(&b, DIGEST_TEXT_MAX);
	r = policy_format(p, &b);
	if (r != 0)
		error_errno(e, "policy");
	else
		sha256_hex(buf_bytes(&b), p->digest);
	buf_reset(&b);
	return r;
}

int
policy_finish(struct policy *p, bool digest, struct error *e)
{
	if (check_links(p, e) != 0)
		return -1;
	if (p->path_count != 0)
		qsort(p->paths, p->path_count, sizeof *p->paths,
		    compare_paths);
	finish_allow(p);
	if (p->env_count != 0)
		qsort(p->env, p->env_count, sizeof *p->env, compare_texts);
	return digest ? set_digest(p, e) : 0;
}
