/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/bashcall.h"

#include "cmd/sandbox-exec/session.h"
#include "common/jsonr.h"
#include "common/num.h"
#include "common/str.h"

enum {
	TIMEOUT_MAX_MS = 24 * 3600 * 1000,
	NUMBER_MAX = 32, /* characters of a number that is not whole */
};

/* A member, or none if it is given twice. */
static struct jsonr
member(struct jsonr object, const char *key)
{
	struct error ignored;
	struct jsonr v;

	if (jsonr_get(object, key, &v, &ignored) != 1)
		return (struct jsonr){JSONR_ABSENT, {NULL, 0}};
	return v;
}

/* A time that makes sense, or 0; fractions are cut off. */
static int64_t
milliseconds(struct jsonr v)
{
	char text[NUMBER_MAX];
	int64_t ms;

	if (v.kind != JSONR_NUMBER)
		return 0;
	if (jsonr_int(v, 1, INT64_MAX, &ms) != 0) {
		if (str_from_bytes(text, sizeof text, v.text) != 0)
			return 0;
		text[strcspn(text, ".")] = '\0';
		if (num_parse(text, 1, INT64_MAX, &ms) != 0)
			return 0;
	}
	return ms < TIMEOUT_MAX_MS ? ms : TIMEOUT_MAX_MS;
}

int
bashcall_parse(struct bytes input, struct bashcall *ret, struct error *e)
{
	struct jsonr object, command;

	if (jsonr_parse_object(input, &object, e) != 0)
		return error_prefix(e, "bash: the input");
	command = member(object, "command");
	ret->restart = jsonr_is_true(member(object, "restart"));
	ret->has_command = command.kind == JSONR_STRING &&
	    command.text.len > 2;
	ret->timeout_ms = milliseconds(member(object, "timeout_ms"));
	if (!ret->restart && !ret->has_command)
		return error_set(e, "bash: command is required");
	buf_init(&ret->command, SESSION_INPUT_MAX);
	if (!ret->has_command)
		return 0;
	if (jsonr_add_str(command, &ret->command) != 0)
		error_errno(e, "bash: command");
	else if (memchr(buf_bytes(&ret->command).ptr, 0,
	    buf_len(&ret->command)) != NULL)
		error_set(e, "bash: command has a NUL in it");
	else
		return 0;
	bashcall_done(ret);
	return -1;
}

void
bashcall_done(struct bashcall *c)
{
	buf_reset(&c->command);
}

static void
add_output(struct buf *out, const struct shell_result *r)
{
	if (r->truncated)
		buf_add_str(out, "[output truncated]\n");
	buf_add(out, r->text);
}

static bool
add_result(const struct shell_result *r, int64_t ms, struct buf *out)
{
	switch (r->how) {
	case SHELL_DONE:
		if (r->text.len != 0)
			add_output(out, r);
		else if (r->status != 0)
			buf_format(out, "exit %d", r->status);
		else
			buf_add_str(out, "(no output)");
		return r->status != 0;
	case SHELL_TIMED_OUT:
		buf_format(out, "bash: bash command timed out after %lldms",
		    (long long)ms);
		break;
	case SHELL_DIED:
		buf_add_str(out, "bash: bash session terminated");
		break;
	case SHELL_FAILED:
		buf_add_str(out, "bash: ");
		buf_add(out, r->text);
		return true;
	}
	if (r->text.len != 0) {
		buf_add_str(out, "\n");
		add_output(out, r);
	}
	return true;
}

bool
bashcall_format(const struct shell_result *r, int64_t ms, bool was_short,
    struct buf *out)
{
	bool is_error = add_result(r, ms, out);

	if (was_short)
		buf_add_str(out, "\n[memory limit: a process was killed]");
	return is_error;
}
