/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "cmd/sandbox-exec/tool.h"

static bool
write_text(struct tool_call *c, const char *given, struct bytes text)
{
	struct tool_path p;
	int r = EAGAIN;

	for (int i = 0; r == EAGAIN && i < TOOL_PATH_TRIES; i++) {
		bool refused;

		if (tool_find_path(c, given, &p))
			return true;
		refused = tool_is_read_only(c, given, &p);
		r = refused ? 0 : tool_replace(&p, text);
		tool_path_close(&p);
		if (refused)
			return true;
	}
	if (r != 0)
		return tool_fail_file(c, "", given, r);
	return buf_format(c->out, "wrote %zu bytes to %s", text.len,
	    given) != 0 && tool_fail_memory(c);
}

bool
tool_write(struct tool_call *c)
{
	char given[PATH_MAX];
	struct buf text;
	bool failed;

	buf_init(&text, TOOL_INPUT_MAX);
	failed = tool_get_path(c, "file_path", true, given) ||
	    tool_get(c, "content", false, &text) ||
	    write_text(c, given, buf_bytes(&text));
	buf_reset(&text);
	return failed;
}
