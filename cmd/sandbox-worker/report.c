/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/report.h"

#include <unistd.h>

#include "common/clock.h"
#include "common/io.h"

void
report_init(struct report *r, int fd, const char *work_id,
    const char *session_id)
{
	*r = (struct report){
		.fd = fd, .work_id = work_id, .session_id = session_id};
	buf_init(&r->line, REPORT_LINE_MAX);
	if (fd != -1)
		io_set_nonblock(fd, true);
}

void
report_done(struct report *r)
{
	buf_reset(&r->line);
	r->fd = -1;
}

void
report_begin(struct report *r, const char *event)
{
	char stamp[CLOCK_STAMP_CAP];

	buf_clear(&r->line);
	jsonw_init(&r->w, &r->line);
	jsonw_open(&r->w, '{');
	jsonw_key_str(&r->w, "time", clock_stamp(stamp));
	jsonw_key_str(&r->w, "event", event);
	jsonw_key_given(&r->w, "work_id", r->work_id);
	jsonw_key_given(&r->w, "session_id", r->session_id);
}

/* One write each, so that lines stay whole; what does not fit is lost. */
static void
write_line(struct report *r)
{
	struct bytes line;
	ssize_t n;

	if (buf_add_str(&r->line, "\n") != 0)
		return;
	line = buf_bytes(&r->line);
	n = write(r->fd, line.ptr, line.len);
	(void)n;
}

void
report_end(struct report *r)
{
	jsonw_close(&r->w, '}');
	if (r->fd != -1 && jsonw_ok(&r->w))
		write_line(r);
}

void
report_line(struct report *r, struct bytes line)
{
	if (r->fd == -1)
		return;
	buf_clear(&r->line);
	if (buf_add(&r->line, line) == 0)
		write_line(r);
}

void
report_event(struct report *r, const char *event)
{
	if (r->fd == -1)
		return;
	report_begin(r, event);
	report_end(r);
}
