/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <unistd.h>

#include "cmd/sandbox-exec/text.h"
#include "cmd/sandbox-exec/tool.h"
#include "common/clock.h"

enum { CHUNK = 65536 };

/* Lines from first to last, counted from 1; last is INT64_MAX for the end of
 * the file.  present is false for the whole file. */
struct range {
	bool present;
	int64_t from, to;   /* as they were given */
	int64_t first, last;
};

/* Reads view_range: absent, null or an empty list is none. */
static bool
get_range(struct tool_call *c, struct range *ret)
{
	struct jsonr v, item;
	struct jsonr_iter i;
	struct error e;
	int64_t numbers[2];
	size_t n = 0;
	bool good = true;

	*ret = (struct range){.present = false};
	if (jsonr_get(c->input, "view_range", &v, &e) == -1)
		return tool_fail(c, "read: %s", e.text);
	if (v.kind == JSONR_ABSENT || v.kind == JSONR_NULL)
		return false;
	jsonr_iter_init(&i, v);
	while (jsonr_next(&i, NULL, &item)) {
		good = good && n < 2 && jsonr_int(item, INT64_MIN, INT64_MAX,
		    &numbers[n]) == 0;
		n++;
	}
	if (v.kind == JSONR_ARRAY && n == 0)
		return false;
	if (v.kind != JSONR_ARRAY || !good || n != 2)
		return tool_fail(c, "read: view_range must be [start_line, "
		    "end_line]");
	ret->present = true;
	ret->from = numbers[0];
	ret->to = numbers[1];
	ret->first = numbers[0] < 1 ? 1 : numbers[0];
	ret->last = numbers[1] <= 0 ? INT64_MAX : numbers[1];
	return false;
}

static bool
fail_range(struct tool_call *c, const char *given, const struct range *r)
{
	if (r->first == r->last)
		return tool_fail(c, "read: line %lld of %s alone exceeds "
		    "%d-byte limit. The read tool cannot return part of a "
		    "line, so view_range cannot narrow this further.",
		    (long long)r->first, given, TOOL_FILE_MAX);
	return tool_fail(c, "read: view_range [%lld, %lld] of %s exceeds "
	    "%d-byte limit. Narrow the view_range to read a smaller portion.",
	    (long long)r->from, (long long)r->to, given, TOOL_FILE_MAX);
}

/* Takes the part of chunk that is in the range; *line is the number of the
 * line that it begins in.  Returns 1 when the range has ended, 0 for more,
 * -1 if it is too long. */
static int
take_lines(struct bytes chunk, const struct range *r, int64_t *line,
    struct buf *text)
{
	while (chunk.len != 0) {
		const uint8_t *end = memchr(chunk.ptr, '\n', chunk.len);
		size_t len = end == NULL ? chunk.len :
		    (size_t)(end - chunk.ptr) + 1;
		/* The newline after the last line is not part of it. */
		size_t take = end != NULL && *line == r->last ? len - 1 : len;

		if (*line >= r->first &&
		    buf_add(text, bytes_of(chunk.ptr, take)) != 0)
			return -1;
		if (end == NULL)
			return 0;
		if (*line == r->last)
			return 1;
		++*line;
		chunk = bytes_after(chunk, len);
	}
	return 0;
}

/* Reads fd to its end, or to that of the range.  Returns 0, an errno,
 * EMSGSIZE if it is too long, or ETIME. */
static int
read_lines(int fd, const struct range *r, int64_t deadline_ms,
    struct buf *text)
{
	static uint8_t chunk[CHUNK];
	int64_t line = 1;

	while (r->last >= r->first) {
		ssize_t n = read(fd, chunk, sizeof chunk);
		int taken;

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : errno;
		taken = take_lines(bytes_of(chunk, (size_t)n), r, &line, text);
		if (taken == -1)
			return errno == ENOBUFS ? EMSGSIZE : errno;
		if (taken == 1)
			return 0;
		if (clock_ms() > deadline_ms)
			return ETIME;
	}
	return 0;
}

/* A file may have grown since it was looked at: the cap is on what is read. */
static bool
read_open(struct tool_call *c, const char *given, int fd,
    const struct range *range)
{
	const struct range whole = {true, 1, 0, 1, INT64_MAX};
	const struct range *r = range->present ? range : &whole;
	struct buf text;
	struct stat st;
	bool failed = false;
	int code;

	buf_init(&text, TOOL_FILE_MAX);
	code = fstat(fd, &st) != 0 ? errno :
	    !range->present && st.st_size > TOOL_FILE_MAX ? EMSGSIZE :
	    read_lines(fd, r, c->deadline_ms, &text);
	if (code == EMSGSIZE && range->present)
		failed = fail_range(c, given, range);
	else if (code == EMSGSIZE)
		failed = tool_fail(c, "read: %s is %lld bytes, exceeds "
		    "%d-byte limit. Use the view_range parameter to read "
		    "specific line ranges, e.g. view_range: [1, 500].", given,
		    (long long)(fstat(fd, &st) == 0 &&
		    st.st_size > TOOL_FILE_MAX ? st.st_size :
		    TOOL_FILE_MAX + 1), TOOL_FILE_MAX);
	else if (code == ETIME)
		failed = tool_fail(c, "read: timed out after %ds",
		    TOOL_TIME_MS / 1000);
	else if (code != 0)
		failed = tool_fail_file(c, "", given, code);
	else if (text_add(c->out, buf_bytes(&text)) != 0)
		failed = tool_fail_memory(c);
	buf_reset(&text);
	return failed;
}

bool
tool_read(struct tool_call *c)
{
	char given[PATH_MAX];
	struct tool_path p;
	struct range range;
	bool failed;
	int fd;

	/* A path outside is told before a bad range. */
	if (tool_get_path(c, "file_path", true, given) ||
	    tool_find_path(c, given, &p))
		return true;
	tool_path_close(&p);
	if (get_range(c, &range) ||
	    tool_open_file(c, given, false, &p, &fd))
		return true;
	failed = read_open(c, given, fd, &range);
	close(fd);
	tool_path_close(&p);
	return failed;
}
