/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/toolset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "cmd/sandbox-exec/tool.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"

#define OBJECT "{\"type\":\"object\",\"properties\":{"
#define STRING(name, text) \
	"\"" name "\":{\"type\":\"string\",\"description\":\"" text "\"}"
#define END "},\"additionalProperties\":false}"
#define REQUIRED(names) \
	"},\"required\":[" names "],\"additionalProperties\":false}"
#define FILE_PATH(text) STRING("file_path", text ", absolute or relative to " \
	"the working directory")

static const struct tool tools[] = {
	{
		.name = "bash", .title = "Run a command",
		.description = "Runs a command in a bash shell that stays: "
		"its directory, variables, functions and background jobs are "
		"there for the next call. Returns what the command printed, "
		"standard output and standard error together, of long output "
		"the end. Standard input is empty.",
		.schema = OBJECT
		STRING("command", "The command to run") ","
		"\"restart\":{\"type\":\"boolean\",\"description\":"
		"\"End the shell and everything in it first\"},"
		"\"timeout_ms\":{\"type\":\"integer\",\"minimum\":1,"
		"\"description\":\"Milliseconds until the command is killed, "
		"120000 if not given\"}" END,
		.destructive = true, .open_world = true,
	},
	{
		.name = "read", .title = "Read a file",
		.description = "Returns the text of a file of at most 262144 "
		"bytes, without line numbers, or a range of lines of a file "
		"of any size.",
		.schema = OBJECT FILE_PATH("The file") ","
		"\"view_range\":{\"type\":\"array\",\"items\":"
		"{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":2,"
		"\"description\":\"First and last line, counted from 1; a "
		"last line of -1 is the end of the file\"}"
		REQUIRED("\"file_path\""),
		.read_only = true, .idempotent = true,
	},
	{
		.name = "write", .title = "Write a file",
		.description = "Creates a file with this text, or replaces "
		"the whole file, and makes the directories above it.",
		.schema = OBJECT FILE_PATH("The file") ","
		STRING("content", "The text")
		REQUIRED("\"file_path\",\"content\""),
		.destructive = true, .idempotent = true,
	},
	{
		.name = "edit", .title = "Replace text in a file",
		.description = "Replaces a text that occurs exactly once in a "
		"file, or with replace_all every occurrence. Both texts are "
		"taken as they are, not as patterns.",
		.schema = OBJECT FILE_PATH("The file") ","
		STRING("old_string", "The text that is there") ","
		STRING("new_string", "The text to put there") ","
		"\"replace_all\":{\"type\":\"boolean\",\"description\":"
		"\"Replace every occurrence\"}"
		REQUIRED("\"file_path\",\"old_string\",\"new_string\""),
		.destructive = true,
	},
	{
		.name = "glob", .title = "Find files by name",
		.description = "Lists the files below a directory whose path "
		"matches a pattern such as src/**/*.{c,h}, newest first, at "
		"most 200. Names that begin with a dot match only a pattern "
		"that has the dot.",
		.schema = OBJECT
		STRING("pattern", "The pattern, relative to path") ","
		STRING("path", "The directory, the working directory if not "
		"given")
		REQUIRED("\"pattern\""),
		.read_only = true, .idempotent = true,
	},
	{
		.name = "grep", .title = "Search in files",
		.description = "Lists the lines of files that match a regular "
		"expression, as path:line:text.",
		.schema = OBJECT
		STRING("pattern", "The regular expression") ","
		STRING("path", "The file or directory to search, the working "
		"directory if not given")
		REQUIRED("\"pattern\""),
		.read_only = true, .idempotent = true,
	},
};

const struct tool *
tool_table(size_t *ret_count)
{
	*ret_count = sizeof tools / sizeof *tools;
	return tools;
}

const struct tool *
tool_find(const char *name)
{
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
		if (str_eq(tools[i].name, name))
			return &tools[i];
	}
	return NULL;
}

void
tool_roots_init(struct tool_roots *r)
{
	*r = (struct tool_roots){.count = 0};
}

int
tool_roots_add(struct tool_roots *r, const char *path, bool read_only,
    struct error *e)
{
	struct tool_root *root = &r->at[r->count];
	struct stat st;

	if (r->count == TOOL_ROOTS_MAX)
		return error_set(e, "%s: too many directories", path);
	root->path = realpath(path, NULL);
	if (root->path == NULL)
		return error_errno(e, "%s", path);
	root->fd = open(root->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (root->fd == -1 || fstat(root->fd, &st) != 0) {
		error_errno(e, "%s", path);
		io_close(&root->fd);
		free(root->path);
		return -1;
	}
	root->read_only = read_only;
	root->directory = S_ISDIR(st.st_mode);
	r->count++;
	return 0;
}

void
tool_roots_done(struct tool_roots *r)
{
	for (size_t i = 0; i < r->count; i++) {
		io_close(&r->at[i].fd);
		free(r->at[i].path);
	}
	r->count = 0;
}

bool
tool_fail(struct tool_call *c, const char *format, ...)
{
	va_list ap;

	buf_clear(c->out);
	va_start(ap, format);
	if (buf_vformat(c->out, format, ap) != 0)
		buf_add_str(c->out, "the text of the error is too long");
	va_end(ap);
	return true;
}

bool
tool_fail_memory(struct tool_call *c)
{
	return tool_fail(c, errno == ENOBUFS ? "%s: the result is too long" :
	    "%s: out of memory", c->tool);
}

bool
tool_get(struct tool_call *c, const char *key, bool needed, struct buf *ret)
{
	struct jsonr v;
	struct error e;

	if (jsonr_get(c->input, key, &v, &e) == -1)
		return tool_fail(c, "%s: %s", c->tool, e.text);
	if (v.kind == JSONR_STRING && jsonr_add_str(v, ret) != 0)
		return tool_fail_memory(c);
	if (v.kind != JSONR_STRING && v.kind != JSONR_NULL &&
	    v.kind != JSONR_ABSENT)
		return tool_fail(c, "%s: %s must be a string", c->tool, key);
	return needed && buf_len(ret) == 0 &&
	    tool_fail(c, "%s: %s is required", c->tool, key);
}

bool
tool_run(const struct tool_roots *roots, const char *name,
    struct bytes input, struct buf *out)
{
	static const struct {
		const char *name;
		bool (*run)(struct tool_call *c);
	} runs[] = {
		{"read", tool_read}, {"write", tool_write},
		{"edit", tool_edit}, {"glob", tool_glob}, {"grep", tool_grep},
	};
	struct tool_call c = {
		.roots = roots, .out = out,
		.deadline_ms = clock_ms() + TOOL_TIME_MS,
	};
	struct error e;

	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		if (!str_eq(runs[i].name, name))
			continue;
		c.tool = runs[i].name;
		if (input.len > TOOL_INPUT_MAX)
			return tool_fail(&c, "%s: the input is above %d bytes",
			    name, TOOL_INPUT_MAX);
		if (jsonr_parse_object(input, &c.input, &e) != 0)
			return tool_fail(&c, "%s: the input: %s", name,
			    e.text);
		return runs[i].run(&c);
	}
	return tool_fail(&c, "no such tool: %.100s", name);
}
