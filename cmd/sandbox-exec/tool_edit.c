/* SPDX-License-Identifier: ISC */
/* Bytes are replaced, not characters: what is no UTF-8 elsewhere in the file
 * stays as it is. */
#include <errno.h>
#include <unistd.h>

#include "cmd/sandbox-exec/tool.h"
#include "common/io.h"

enum { EDITED_MAX = 16 << 20 }; /* bytes of a file after replace_all */

struct edit {
	char given[PATH_MAX];
	struct buf old, new, file, edited;
	bool all;
	size_t count;
};

static bool
get_input(struct tool_call *c, struct edit *e)
{
	struct jsonr v;
	struct error error;

	if (tool_get_path(c, "file_path", true, e->given) ||
	    tool_get(c, "old_string", true, &e->old))
		return true;
	if (jsonr_get(c->input, "replace_all", &v, &error) == -1)
		return tool_fail(c, "edit: %s", error.text);
	e->all = jsonr_is_true(v);
	if (jsonr_get(c->input, "new_string", &v, &error) == 0 ||
	    v.kind == JSONR_NULL)
		return tool_fail(c, "edit: new_string is required");
	return tool_get(c, "new_string", false, &e->new);
}

static void
count(struct edit *e)
{
	struct bytes old = buf_bytes(&e->old), left = buf_bytes(&e->file);
	const uint8_t *at;

	e->count = 0;
	while ((at = memmem(left.ptr, left.len, old.ptr, old.len)) != NULL) {
		left = bytes_after(left, (size_t)(at - left.ptr) + old.len);
		e->count++;
	}
}

/* Puts what file becomes into edited. */
static int
replace(struct edit *e)
{
	struct bytes old = buf_bytes(&e->old), left = buf_bytes(&e->file);
	const uint8_t *at;

	buf_reset(&e->edited);
	while ((at = memmem(left.ptr, left.len, old.ptr, old.len)) != NULL) {
		size_t before = (size_t)(at - left.ptr);

		if (buf_add(&e->edited, bytes_of(left.ptr, before)) != 0 ||
		    buf_add(&e->edited, buf_bytes(&e->new)) != 0)
			return -1;
		left = bytes_after(left, before + old.len);
	}
	return buf_add(&e->edited, left);
}

static bool
fail_too_large(struct tool_call *c, const struct edit *e, int64_t size)
{
	return tool_fail(c, "edit: %s is %lld bytes, exceeds %d-byte limit. "
	    "The edit tool loads the whole file and cannot modify a file this "
	    "large.", e->given, (long long)size, TOOL_FILE_MAX);
}

static bool
load(struct tool_call *c, struct edit *e, int fd)
{
	struct stat st;
	struct error error;

	if (fstat(fd, &st) != 0)
		return tool_fail_file(c, "", e->given, errno);
	if (st.st_size > TOOL_FILE_MAX)
		return fail_too_large(c, e, st.st_size);
	buf_reset(&e->file);
	errno = 0;
	if (io_read_fd(fd, e->given, &e->file, &error) == 0)
		return false;
	/* It has grown meanwhile, or cannot be read. */
	if (buf_len(&e->file) == TOOL_FILE_MAX)
		return fail_too_large(c, e, TOOL_FILE_MAX + 1);
	return tool_fail_file(c, "", e->given, errno);
}

static bool
change(struct tool_call *c, struct edit *e)
{
	count(e);
	if (e->count == 0)
		return tool_fail(c, "edit: old_string not found in %s",
		    e->given);
	if (e->count > 1 && !e->all)
		return tool_fail(c, "edit: old_string appears %zu times in %s "
		    "(must be unique)", e->count, e->given);
	if (replace(e) == 0)
		return false;
	return errno != ENOBUFS ? tool_fail_memory(c) :
	    tool_fail(c, "edit: %s would exceed %d bytes", e->given,
	    EDITED_MAX);
}

/* Once, from the lookup on.  *again says that the file was exchanged. */
static bool
edit_once(struct tool_call *c, struct edit *e, bool *again)
{
	struct tool_path p;
	bool failed;
	int fd, r;

	*again = false;
	if (tool_open_file(c, e->given, true, &p, &fd))
		return true;
	failed = load(c, e, fd) || change(c, e);
	r = failed ? 0 : tool_replace(&p, buf_bytes(&e->edited));
	*again = r == EAGAIN;
	if (r != 0)
		failed = tool_fail_file(c, "write: ", e->given, r);
	close(fd);
	tool_path_close(&p);
	return failed;
}

bool
tool_edit(struct tool_call *c)
{
	static struct edit e;
	bool failed, again = true;

	buf_init(&e.old, TOOL_INPUT_MAX);
	buf_init(&e.new, TOOL_INPUT_MAX);
	buf_init(&e.file, TOOL_FILE_MAX);
	buf_init(&e.edited, EDITED_MAX);
	failed = get_input(c, &e);
	for (int i = 0; !failed && again && i < TOOL_PATH_TRIES; i++)
		failed = edit_once(c, &e, &again) && !again;
	failed = failed || again;
	if (!failed)
		buf_clear(c->out);
	if (!failed && buf_format(c->out, "edited %s (%zu replacement(s))",
	    e.given, e.count) != 0)
		failed = tool_fail_memory(c);
	buf_reset(&e.old);
	buf_reset(&e.new);
	buf_reset(&e.file);
	buf_reset(&e.edited);
	return failed;
}
