/* SPDX-License-Identifier: ISC */
/* Walks only where the pattern may still match, directory by directory from
 * descriptors.  A link to a directory that the pattern names is followed if it
 * leads into the directory that is searched. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-exec/glob.h"
#include "cmd/sandbox-exec/path.h"
#include "cmd/sandbox-exec/text.h"
#include "cmd/sandbox-exec/tool.h"
#include "common/clock.h"
#include "common/str.h"

enum {
	RESULTS_MAX = 200,
	MATCHES_MAX = 50000,  /* of any kind; then the walk ends */
	VISITS_MAX = 2000000, /* names that are looked at */
	DEPTH_MAX = 100,      /* directories in each other */
};

struct found {
	char *path;
	struct timespec modified;
};

struct search {
	struct tool_call *call;
	struct glob *glob;
	const char *base;      /* canonical */
	char path[PATH_MAX];   /* of the directory that is read */
	struct found found[RESULTS_MAX]; /* newest first */
	size_t found_count, matches, visits;
	unsigned depth;
	bool out_of_time, out_of_memory;
};

static void walk(struct search *s, int fd, const struct glob_set *set);

/* Newer comes first, of the same time the path that sorts first. */
static bool
is_before(const struct timespec *t, const char *path, const struct found *f)
{
	if (t->tv_sec != f->modified.tv_sec)
		return t->tv_sec > f->modified.tv_sec;
	if (t->tv_nsec != f->modified.tv_nsec)
		return t->tv_nsec > f->modified.tv_nsec;
	return strcmp(path, f->path) < 0;
}

static bool
is_over(struct search *s)
{
	if (clock_ms() > s->call->deadline_ms)
		s->out_of_time = true;
	return s->out_of_time || s->out_of_memory ||
	    s->matches > MATCHES_MAX || s->visits > VISITS_MAX;
}

/* Two alternatives may lead to one file. */
static void
add_found(struct search *s, const struct timespec *modified)
{
	size_t i = s->found_count;
	char *path;

	while (i > 0 && is_before(modified, s->path, &s->found[i - 1]))
		i--;
	if (i == RESULTS_MAX ||
	    (i > 0 && str_eq(s->found[i - 1].path, s->path)))
		return;
	path = strdup(s->path);
	if (path == NULL) {
		s->out_of_memory = true;
		return;
	}
	if (s->found_count == RESULTS_MAX)
		free(s->found[--s->found_count].path);
	memmove(s->found + i + 1, s->found + i,
	    (s->found_count - i) * sizeof *s->found);
	s->found[i] = (struct found){path, *modified};
	s->found_count++;
}

/* Goes below the directory name in fd, to which s->path leads. */
static void
enter(struct search *s, int fd, const char *name,
    const struct glob_set *set)
{
	int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);

	if (below != -1)
		walk(s, below, set);
}

/* The same for a link, which must stay below the base. */
static void
follow(struct search *s, const struct glob_set *set)
{
	struct tool_path p;

	if (tool_path_find(s->call->roots, s->path, &p) != 0)
		return;
	if (p.root != NULL && p.fd != -1 && S_ISDIR(p.st.st_mode) &&
	    path_is_below(p.path, s->base))
		enter(s, p.fd, ".", set);
	tool_path_close(&p);
}

static void
look_at(struct search *s, int fd, const struct dirent *entry,
    const struct glob_set *set)
{
	const char *name = entry->d_name;
	struct glob_set below, link;
	size_t len = strlen(s->path);
	bool matched = glob_step(s->glob, set, name, &below, &link);
	struct stat st;

	s->matches += matched;
	if (!matched && (entry->d_type == DT_REG || glob_is_empty(&below)))
		return;
	if (str_format(s->path + len, sizeof s->path - len, "%s%s",
	    s->path[len - 1] == '/' ? "" : "/", name) == 0 &&
	    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (matched && S_ISREG(st.st_mode))
			add_found(s, &st.st_mtim);
		if (S_ISDIR(st.st_mode) && !glob_is_empty(&below))
			enter(s, fd, name, &below);
		else if (S_ISLNK(st.st_mode) && !glob_is_empty(&link))
			follow(s, &link);
	}
	s->path[len] = '\0';
}

/* Owns fd from now on. */
static void
walk(struct search *s, int fd, const struct glob_set *set)
{
	DIR *d = s->depth == DEPTH_MAX ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (d == NULL) {
		close(fd);
		return;
	}
	s->depth++;
	while (!is_over(s) && (entry = readdir(d)) != NULL) {
		const char *name = entry->d_name;

		s->visits++;
		if (!str_eq(name, ".") && !str_eq(name, ".."))
			look_at(s, fd, entry, set);
	}
	s->depth--;
	closedir(d);
}

/* Whether a part of the pattern is "..", also with braces around. */
static bool
can_ascend(struct bytes pattern)
{
	size_t start = 0;

	for (size_t i = 0; i <= pattern.len; i++) {
		if (i != pattern.len && strchr("\\/{},", pattern.ptr[i]) ==
		    NULL)
			continue;
		if (i - start == 2 && memcmp(pattern.ptr + start, "..", 2) == 0)
			return true;
		start = i + 1;
	}
	return false;
}

static bool
finish(struct search *s)
{
	struct tool_call *c = s->call;
	bool fits = true;

	if (s->out_of_memory)
		return tool_fail(c, "glob: out of memory");
	if (s->found_count == 0 && s->out_of_time)
		return tool_fail(c, "glob: timed out after %ds",
		    TOOL_TIME_MS / 1000);
	if (s->found_count == 0)
		fits = buf_add_str(c->out, "no matches") == 0;
	for (size_t i = 0; fits && i < s->found_count; i++)
		fits = (i == 0 || buf_add_str(c->out, "\n") == 0) &&
		    text_add_line(c->out, bytes_cstr(s->found[i].path)) == 0;
	if (s->out_of_time)
		fits = fits && buf_format(c->out, "\n[the search was cut "
		    "short after %d ms]", TOOL_TIME_MS) == 0;
	else if (s->visits > VISITS_MAX)
		fits = fits && buf_format(c->out, "\n[the search was cut "
		    "short after %d names]", VISITS_MAX) == 0;
	return !fits && tool_fail_memory(c);
}

static bool
search(struct tool_call *c, struct glob *glob, const struct tool_path *base)
{
	static struct search s;
	struct glob_set set;
	bool failed;
	int fd = -1;

	s = (struct search){.call = c, .glob = glob, .base = base->path};
	str_format(s.path, sizeof s.path, "%s", base->path);
	if (base->fd != -1 && S_ISDIR(base->st.st_mode))
		fd = openat(base->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	glob_start(glob, &set);
	if (fd != -1)
		walk(&s, fd, &set);
	failed = finish(&s);
	for (size_t i = 0; i < s.found_count; i++)
		free(s.found[i].path);
	return failed;
}

static bool
check(struct tool_call *c, struct bytes pattern)
{
	if (pattern.ptr[0] == '/')
		return tool_fail(c, "glob: absolute pattern not permitted; "
		    "pass a relative pattern (and optionally path)");
	return can_ascend(pattern) &&
	    tool_fail(c, "glob: \"..\" is not permitted in the pattern");
}

bool
tool_glob(struct tool_call *c)
{
	char given[PATH_MAX];
	struct buf pattern;
	struct glob *glob = NULL;
	struct tool_path base = {.dir_fd = -1, .fd = -1};
	struct error e;
	bool failed;

	buf_init(&pattern, TOOL_INPUT_MAX);
	failed = tool_get(c, "pattern", true, &pattern) ||
	    check(c, buf_bytes(&pattern)) ||
	    tool_get_path(c, "path", false, given) ||
	    tool_find_path(c, given, &base);
	if (!failed) {
		glob = glob_new(buf_bytes(&pattern), &e);
		failed = glob == NULL ? tool_fail(c, "glob: %s", e.text) :
		    search(c, glob, &base);
	}
	glob_free(glob);
	tool_path_close(&base);
	buf_reset(&pattern);
	return failed;
}
