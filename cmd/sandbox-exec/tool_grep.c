/* SPDX-License-Identifier: ISC */
/* Searches by itself, or has rg search where that can be trusted: see
 * tool_rg.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-exec/regex.h"
#include "cmd/sandbox-exec/text.h"
#include "cmd/sandbox-exec/tool.h"
#include "cmd/sandbox-exec/tool_rg.h"
#include "common/clock.h"
#include "common/str.h"
#include "common/utf8.h"

enum {
	DEPTH_MAX = 40,        /* directories below the one that is searched */
	ENTRIES_MAX = 50000,
	LINE_MAX_UNITS = 2000, /* longer lines are passed over */
	UNIT_BYTES = 3,        /* at most, of UTF-8 */
	BLOCK = 128 << 10,     /* read at once */
	CLOCK_BYTES = 1 << 20, /* of matching between two looks at the clock */
};

enum stop {
	STOP_NONE,
	STOP_OUTPUT,
	STOP_ENTRIES,
	STOP_TIME,
	STOP_MEMORY,
};

struct grep {
	struct tool_call *call;
	struct regex *regex;
	struct bytes literal;  /* in every line that matches; may be empty */
	char path[PATH_MAX];   /* of the file or directory */
	char shown[3 * PATH_MAX]; /* of the file, as UTF-8; "" not made yet */
	size_t entries, work;
	enum stop stop;
	int64_t line;          /* number of the line at counted */
	const uint8_t *counted;
	uint8_t block[BLOCK];
};

static bool
is_over(struct grep *g, size_t work)
{
	g->work += work;
	if (g->work >= CLOCK_BYTES) {
		g->work = 0;
		if (clock_ms() > g->call->deadline_ms)
			g->stop = STOP_TIME;
	}
	return g->stop != STOP_NONE;
}

static size_t
count_newlines(const uint8_t *from, const uint8_t *to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += *from == '\n';
	return n;
}

static void
show_path(struct grep *g)
{
	struct buf b;
	struct bytes text;

	buf_init(&b, sizeof g->shown - 1);
	if (text_add_line(&b, bytes_cstr(g->path)) != 0)
		g->stop = STOP_MEMORY;
	text = buf_bytes(&b);
	if (text.len != 0)
		memcpy(g->shown, text.ptr, text.len);
	g->shown[text.len] = '\0';
	buf_reset(&b);
}

/* Appends path:number:text, unless that is too much. */
static void
add_line(struct grep *g, struct bytes text)
{
	struct buf *out = g->call->out;
	size_t before = buf_len(out);

	g->line += (int64_t)count_newlines(g->counted, text.ptr);
	g->counted = text.ptr;
	if (g->shown[0] == '\0')
		show_path(g);
	if (buf_format(out, "%s%s:%lld:", before == 0 ? "" : "\n", g->shown,
	    (long long)g->line) != 0 || text_add(out, text) != 0)
		g->stop = STOP_MEMORY;
	if (buf_len(out) <= TOOL_GREP_OUTPUT_MAX)
		return;
	g->stop = STOP_OUTPUT;
	out->tail -= buf_len(out) - before;
}

/* A line without its end. */
static void
look_at_line(struct grep *g, struct bytes line)
{
	if (line.len != 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len > LINE_MAX_UNITS &&
	    (line.len > LINE_MAX_UNITS * UNIT_BYTES ||
	    utf8_units(line) > LINE_MAX_UNITS))
		return;
	if (regex_match(g->regex, line))
		add_line(g, line);
}

/* Whole lines, and what may follow the last newline of a file. */
static void
look_at_lines(struct grep *g, struct bytes text)
{
	g->counted = text.ptr;
	while (text.len != 0) {
		const uint8_t *start = text.ptr, *end, *hit;

		if (g->literal.len != 0) {
			hit = memmem(text.ptr, text.len, g->literal.ptr,
			    g->literal.len);
			if (is_over(g, (hit == NULL ? text.len :
			    (size_t)(hit - text.ptr)) / 16) || hit == NULL)
				break;
			start = memrchr(text.ptr, '\n',
			    (size_t)(hit - text.ptr));
			start = start == NULL ? text.ptr : start + 1;
		}
		text = bytes_after(text, (size_t)(start - text.ptr));
		end = memchr(text.ptr, '\n', text.len);
		look_at_line(g, bytes_of(text.ptr, end == NULL ? text.len :
		    (size_t)(end - text.ptr)));
		if (end == NULL || is_over(g, (size_t)(end - text.ptr) + 1))
			break;
		text = bytes_after(text, (size_t)(end - text.ptr) + 1);
	}
}

/* Whole lines of a block; of the first one only its end when *skip is set. */
static void
look_at_block(struct grep *g, struct bytes text, bool *skip, bool last)
{
	const uint8_t *end = text.ptr + text.len;

	if (*skip) {
		const uint8_t *first = text.len == 0 ? NULL :
		    memchr(text.ptr, '\n', text.len);

		if (first == NULL)
			return;
		*skip = false;
		g->line++;
		text = bytes_after(text, (size_t)(first - text.ptr) + 1);
	}
	look_at_lines(g, text);
	if (!last) /* the numbers of the lines to come */
		g->line += (int64_t)count_newlines(g->counted, end);
}

/* Reads a file block by block; of a line that is too long for one only the
 * newline matters.  A read that is short has met the end. */
static void
read_blocks(struct grep *g, int fd)
{
	size_t kept = 0;
	bool skip = false, last = false; /* skip: to the next newline */

	while (!last) {
		size_t room = BLOCK - kept, whole;
		ssize_t n = read(fd, g->block + kept, room);
		const uint8_t *end;

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || memchr(g->block + kept, '\0', (size_t)n) != NULL)
			return;
		last = (size_t)n < room;
		end = memrchr(g->block + kept, '\n', (size_t)n);
		kept += (size_t)n;
		whole = last ? kept : end == NULL ? 0 :
		    (size_t)(end - g->block) + 1;
		look_at_block(g, bytes_of(g->block, whole), &skip, last);
		if (is_over(g, (size_t)n / 16))
			return;
		kept -= whole;
		memmove(g->block, g->block + whole, kept);
		if (kept > BLOCK / 2 || skip) {
			skip = true;
			kept = 0;
		}
	}
}

/* Owns fd, a regular file. */
static void
search_file(struct grep *g, int fd)
{
	g->line = 1;
	g->shown[0] = '\0';
	read_blocks(g, fd);
	close(fd);
}

/* Files are opened without a look at them before: what was a file when the
 * directory was read and is none any more does not block. */
static void
open_file(struct grep *g, int dir_fd, const char *name)
{
	struct stat st;
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);

	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size != 0)
		search_file(g, fd);
	else
		close(fd);
}

/* What a directory holds: names one after the other, and where they are. */
struct entry {
	uint32_t at;        /* in names */
	unsigned char type; /* DT_DIR or DT_REG */
};

struct entries {
	struct buf names, list;
};

static int
compare_entries(const void *a, const void *b, void *names)
{
	const struct entry *x = a, *y = b;

	return strcmp((const char *)names + x->at,
	    (const char *)names + y->at);
}

static unsigned char
find_type(int fd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type;
	if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG :
	    DT_UNKNOWN;
}

static void
add_entry(struct grep *g, struct entries *l, const char *name,
    unsigned char type)
{
	struct entry e = {(uint32_t)buf_len(&l->names), type};

	if (buf_add(&l->list, bytes_of(&e, sizeof e)) != 0 ||
	    buf_add(&l->names, bytes_of(name, strlen(name) + 1)) != 0)
		g->stop = STOP_MEMORY;
}

static size_t
count_entries(const struct entries *l)
{
	return buf_len(&l->list) / sizeof(struct entry);
}

/* The files and directories in d, by name, so that one search gives what the
 * last one gave. */
static void
read_entries(struct grep *g, DIR *d, struct entries *l)
{
	const struct dirent *e;

	while (g->stop == STOP_NONE && (e = readdir(d)) != NULL) {
		unsigned char type;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
		    str_eq(e->d_name, ".git") ||
		    str_eq(e->d_name, "node_modules"))
			continue;
		if (++g->entries > ENTRIES_MAX) {
			g->stop = STOP_ENTRIES;
			break;
		}
		type = find_type(dirfd(d), e);
		if (type == DT_DIR || type == DT_REG)
			add_entry(g, l, e->d_name, type);
	}
	if (count_entries(l) != 0)
		qsort_r(l->list.mem + l->list.head, count_entries(l),
		    sizeof(struct entry), compare_entries,
		    l->names.mem + l->names.head);
}

static void walk(struct grep *g, int fd, unsigned depth);

/* depth UINT_MAX: not into directories. */
static void
search_entry(struct grep *g, int dir_fd, const char *name,
    unsigned char type, unsigned depth)
{
	size_t len = strlen(g->path);
	int below;

	if (str_format(g->path + len, sizeof g->path - len, "%s%s",
	    g->path[len - 1] == '/' ? "" : "/", name) != 0)
		return;
	if (type == DT_REG) {
		open_file(g, dir_fd, name);
	} else if (depth != UINT_MAX) {
		below = openat(dir_fd, name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC);
		if (below != -1)
			walk(g, below, depth + 1);
	}
}

/* Owns fd.  When there are too many entries those that were read are still
 * searched, but nothing below. */
static void
walk(struct grep *g, int fd, unsigned depth)
{
	DIR *d = depth > DEPTH_MAX ? NULL : fdopendir(fd);
	struct entries l;
	size_t len = strlen(g->path);
	bool cut;

	if (d == NULL) {
		close(fd);
		return;
	}
	buf_init(&l.names, (size_t)ENTRIES_MAX * (NAME_MAX + 1));
	buf_init(&l.list, ENTRIES_MAX * sizeof(struct entry));
	read_entries(g, d, &l);
	cut = g->stop == STOP_ENTRIES;
	if (cut)
		g->stop = STOP_NONE;
	for (size_t i = 0; i < count_entries(&l) && !is_over(g, 4096); i++) {
		struct entry e;

		memcpy(&e, buf_bytes(&l.list).ptr + i * sizeof e, sizeof e);
		search_entry(g, dirfd(d), (const char *)
		    buf_bytes(&l.names).ptr + e.at, e.type, cut ? UINT_MAX :
		    depth);
		g->path[len] = '\0';
	}
	if (cut && g->stop == STOP_NONE)
		g->stop = STOP_ENTRIES;
	buf_reset(&l.names);
	buf_reset(&l.list);
	closedir(d);
}

static bool
finish(struct grep *g)
{
	struct tool_call *c = g->call;
	const char *separator = buf_len(c->out) == 0 ? "" : "\n";
	int r = 0;

	switch (g->stop) {
	case STOP_OUTPUT:
		r = buf_format(c->out, "%s[output truncated at %d bytes]",
		    separator, TOOL_GREP_OUTPUT_MAX);
		break;
	case STOP_TIME:
		if (buf_len(c->out) == 0)
			return tool_fail(c, "grep: timed out after %ds",
			    TOOL_TIME_MS / 1000);
		r = buf_format(c->out, "\n[the search was cut short after "
		    "%d ms]", TOOL_TIME_MS);
		break;
	case STOP_ENTRIES:
		r = buf_format(c->out, "%s[the search was cut short after %d "
		    "names]", buf_len(c->out) == 0 ? "no matches\n" : "\n",
		    ENTRIES_MAX);
		break;
	case STOP_MEMORY:
		return tool_fail(c, "grep: out of memory");
	case STOP_NONE:
		if (buf_len(c->out) == 0)
			r = buf_add_str(c->out, "no matches");
		break;
	}
	return r != 0 && tool_fail_memory(c);
}

/* Our own search of what p is. */
static bool
search(struct tool_call *c, struct regex *regex, const struct tool_path *p)
{
	static struct grep g;
	int fd = -1;

	g = (struct grep){.call = c, .regex = regex,
		.literal = regex_literal(regex)};
	str_format(g.path, sizeof g.path, "%s", p->path);
	if (p->fd != -1 && S_ISDIR(p->st.st_mode)) {
		fd = openat(p->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd != -1)
			walk(&g, fd, 0);
	} else if (p->fd != -1 && S_ISREG(p->st.st_mode)) {
		fd = tool_path_open(p, O_RDONLY);
		if (fd != -1)
			search_file(&g, fd);
	}
	return finish(&g);
}

static bool
search_alone(struct tool_call *c, struct bytes pattern,
    const struct tool_path *p)
{
	struct regex *regex;
	struct error e;
	bool failed;

	regex = regex_new(pattern, &e);
	if (regex == NULL)
		return tool_fail(c, "grep: invalid regex: %s", e.text);
	failed = search(c, regex, p);
	regex_free(regex);
	return failed;
}

bool
tool_grep(struct tool_call *c)
{
	char given[PATH_MAX];
	struct buf pattern;
	struct tool_path p = {.dir_fd = -1, .fd = -1};
	struct tool_rg rg;
	bool failed;

	buf_init(&pattern, TOOL_INPUT_MAX);
	failed = tool_get(c, "pattern", true, &pattern) ||
	    tool_get_path(c, "path", false, given) ||
	    tool_find_path(c, given, &p);
	if (failed) {
		buf_reset(&pattern);
		return true;
	}
	if (tool_rg_open(&rg, c->roots) == 0) {
		failed = tool_rg_run(&rg, c, buf_bytes(&pattern), &p);
		tool_rg_close(&rg);
	} else {
		failed = search_alone(c, buf_bytes(&pattern), &p);
	}
	tool_path_close(&p);
	buf_reset(&pattern);
	return failed;
}
