/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/sha256.h"
#include "common/str.h"

enum { LINE_MAX_BYTES = 6 * AUDIT_INPUT_MAX + 8192 };

int
audit_open(struct audit *a, const char *path, const char *dir,
    const char *other, struct error *e)
{
	char real[PATH_MAX];

	a->fd = -1;
	a->torn = false;
	if (path == NULL)
		return 0;
	/* A FIFO that nobody reads must not hold up the heartbeats. */
	a->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOCTTY | O_NONBLOCK, 0600);
	if (a->fd == -1 || io_set_nonblock(a->fd, false) != 0 ||
	    realpath(path, real) == NULL) {
		error_errno(e, "%s", path);
	} else if (str_is_within(real, dir) || (other[0] != '\0' &&
	    str_is_within(real, other))) {
		error_set(e, "%s: the audit file is in a directory that the "
		    "session can write", path);
	} else {
		a->torn = io_is_torn(a->fd);
		return 0;
	}
	io_close(&a->fd);
	return -1;
}

void
audit_close(struct audit *a)
{
	io_close(&a->fd);
}

static void
write_call(struct jsonw *w, const struct audit_call *c)
{
	char hex[SHA256_HEX_CAP];

	sha256_hex(c->input, hex);
	jsonw_key(w, "tool");
	jsonw_bytes(w, bytes_cstr(c->tool));
	jsonw_key(w, "tool_use_id");
	jsonw_bytes(w, bytes_cstr(c->id));
	jsonw_key_str(w, "input_sha256", hex);
	jsonw_key_str(w, "verdict", c->verdict);
	jsonw_key(w, "is_error");
	jsonw_bool(w, c->is_error);
	jsonw_key(w, "timed_out");
	jsonw_bool(w, c->timed_out);
	jsonw_key(w, "exit");
	if (c->exit == -1)
		jsonw_null(w);
	else
		jsonw_int(w, c->exit);
	jsonw_key_int(w, "duration_ms", c->duration_ms);
	jsonw_key_int(w, "bytes", (int64_t)c->bytes);
}

static void
write_ids(struct jsonw *w, const struct audit *a)
{
	jsonw_key_str(w, "environment_id", a->environment_id);
	jsonw_key_str(w, "work_id", a->work_id);
	jsonw_key_str(w, "session_id", a->session_id);
}

int
audit_write(struct audit *a, const struct audit_call *c)
{
	char stamp[CLOCK_STAMP_CAP];
	struct buf line;
	struct jsonw w;
	int r = -1;

	if (a->fd == -1)
		return 0;
	buf_init(&line, LINE_MAX_BYTES);
	jsonw_init(&w, &line);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "time", clock_stamp(stamp));
	jsonw_key_str(&w, "event", "tool");
	write_ids(&w, a);
	write_call(&w, c);
	if (a->input) {
		jsonw_key(&w, "input");
		jsonw_bytes(&w, bytes_of(c->input.ptr, c->input.len <
		    AUDIT_INPUT_MAX ? c->input.len : AUDIT_INPUT_MAX));
	}
	jsonw_close(&w, '}');
	errno = ENOBUFS;
	if (jsonw_ok(&w) && buf_add_str(&line, "\n") == 0)
		r = io_append_line(a->fd, &a->torn, buf_bytes(&line));
	buf_reset(&line);
	return r;
}

/* Whether a sandbox's line is about something that it decided, or what came of
 * it. */
static bool
is_decision(struct jsonr v)
{
	static const char *const decisions[] = {
		"net", "net-end", "net-skipped", "protected", "kill"};
	static const char *const ours[] = {
		"environment_id", "work_id", "session_id"};
	struct jsonr event, member;
	struct jsonr_iter hits;
	struct error e;

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		if (jsonr_get(v, ours[i], &member, &e) != 0)
			return false;
	}
	if (jsonr_get(v, "event", &event, &e) != 1)
		return false;
	for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
		if (jsonr_eq_str(event, decisions[i]))
			return true;
	}
	if (!jsonr_eq_str(event, "end") ||
	    jsonr_get(v, "limits_hit", &member, &e) != 1)
		return false;
	jsonr_iter_init(&hits, member);
	return jsonr_next(&hits, NULL, &member);
}

int
audit_copy(struct audit *a, struct bytes line)
{
	struct error ignored;
	struct buf out;
	struct jsonr v;
	struct jsonw w;
	int r = -1;

	if (a->fd == -1 || jsonr_parse_object(line, &v, &ignored) != 0 ||
	    !is_decision(v))
		return 0;
	buf_init(&out, LINE_MAX_BYTES);
	jsonw_init(&w, &out);
	jsonw_open(&w, '{');
	write_ids(&w, a);
	errno = ENOBUFS;
	if (jsonw_ok(&w) && buf_add_str(&out, ",") == 0 &&
	    buf_add(&out, bytes_after(v.text, 1)) == 0 &&
	    buf_add_str(&out, "\n") == 0)
		r = io_append_line(a->fd, &a->torn, buf_bytes(&out));
	buf_reset(&out);
	return r;
}
