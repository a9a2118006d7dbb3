/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/jsonw.h"
#include "common/str.h"

enum { TEXT_MAX = 1024, LINE_MAX_BYTES = 8192 };

static struct {
	bool json;
	const char *environment_id, *work_id, *session_id;
} state;

void
log_init(bool json)
{
	state.json = json;
}

void
log_set_item(const char *environment_id, const char *work_id,
    const char *session_id)
{
	state.environment_id = environment_id;
	state.work_id = work_id;
	state.session_id = session_id;
}

static void
write_json(enum diag_level level, const char *tool, const char *id,
    const char *text)
{
	static const char *const names[] = {
		"error", "warning", "notice", "info", "debug"};
	char stamp[CLOCK_STAMP_CAP];
	struct buf line;
	struct jsonw w;

	buf_init(&line, LINE_MAX_BYTES);
	jsonw_init(&w, &line);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "time", clock_stamp(stamp));
	jsonw_key_str(&w, "level", names[level]);
	jsonw_key_str(&w, "component", "sandbox-worker");
	jsonw_key_given(&w, "msg", text);
	jsonw_key_given(&w, "environment_id", state.environment_id);
	jsonw_key_given(&w, "work_id", state.work_id);
	jsonw_key_given(&w, "session_id", state.session_id);
	jsonw_key_given(&w, "tool", tool);
	jsonw_key_given(&w, "tool_use_id", id);
	jsonw_close(&w, '}');
	buf_add_str(&line, "\n");
	if (jsonw_ok(&w))
		io_write_all(STDERR_FILENO, buf_bytes(&line));
	buf_reset(&line);
}

static void
write_text(enum diag_level level, const char *text)
{
	switch (level) {
	case DIAG_ERROR:
		diag_error("%s", text);
		break;
	case DIAG_WARNING:
		diag_warning("%s", text);
		break;
	case DIAG_NOTICE:
		diag_notice("%s", text);
		break;
	case DIAG_INFO:
		diag_info("%s", text);
		break;
	case DIAG_DEBUG:
		diag_debug("%s", text);
		break;
	}
}

static __attribute__((format(printf, 4, 0))) void
say(enum diag_level level, const char *tool, const char *id,
    const char *format, va_list ap)
{
	const struct {
		const char *key, *value;
	} about[] = {
		{"tool", tool}, {"tool_use", id},
		{"work", state.work_id}, {"session", state.session_id},
	};
	char text[TEXT_MAX];
	size_t n;

	if (!diag_shows(level))
		return;
	vsnprintf(text, sizeof text, format, ap);
	if (state.json) {
		write_json(level, tool, id, text);
		return;
	}
	for (size_t i = 0; i < sizeof about / sizeof about[0]; i++) {
		n = strlen(text);
		if (about[i].value != NULL && about[i].value[0] != '\0')
			str_format(text + n, sizeof text - n, " %s=%s",
			    about[i].key, about[i].value);
	}
	write_text(level, text);
}

void
log_line(enum diag_level level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(level, NULL, NULL, format, ap);
	va_end(ap);
}

void
log_tool(enum diag_level level, const char *tool, const char *id,
    const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(level, tool, id, format, ap);
	va_end(ap);
}
