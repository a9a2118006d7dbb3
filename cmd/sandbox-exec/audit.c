/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-exec/path.h"
#include "common/clock.h"
#include "common/diag.h"
#include "common/io.h"

enum { LINE_MAX_BYTES = 16384 };

static int
refuse_reachable(const char *path, const struct policy *p, struct error *e)
{
	char real[PATH_MAX];

	if (realpath(path, real) == NULL)
		return error_errno(e, "%s", path);
	for (size_t i = 0; i < p->path_count; i++) {
		if (p->paths[i].access == POLICY_RW &&
		    path_is_below(real, p->paths[i].host))
			return error_set(e, "%s: the audit file is in a "
			    "directory that the command can write", path);
	}
	return 0;
}

int
audit_open(struct audit *a, const char *path, const struct policy *p,
    struct error *e)
{
	mode_t old;

	a->fd = -1;
	a->torn = a->failed = false;
	if (path == NULL)
		return 0;
	old = umask(077); /* a later run must be able to open it */
	a->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOCTTY, 0600);
	umask(old);
	if (a->fd == -1)
		return error_errno(e, "%s", path);
	if (refuse_reachable(path, p, e) != 0) {
		io_close(&a->fd);
		return -1;
	}
	a->torn = io_is_torn(a->fd);
	random_hex(a->id, sizeof a->id - 1);
	buf_init(&a->line, LINE_MAX_BYTES);
	return 0;
}

void
audit_begin(struct audit *a, const char *event)
{
	char now[CLOCK_STAMP_CAP];

	if (a->fd == -1)
		return;
	buf_clear(&a->line);
	jsonw_init(&a->w, &a->line);
	jsonw_open(&a->w, '{');
	jsonw_key_str(&a->w, "time", clock_stamp(now));
	jsonw_key_str(&a->w, "run", a->id);
	jsonw_key_str(&a->w, "event", event);
}

int
audit_end(struct audit *a)
{
	if (a->fd == -1)
		return 0;
	jsonw_close(&a->w, '}');
	if (!jsonw_ok(&a->w) || buf_add_str(&a->line, "\n") != 0)
		return -1;
	if (io_append_line(a->fd, &a->torn, buf_bytes(&a->line)) == 0)
		return 0;
	if (!a->failed)
		diag_warning("audit: %s: lines are missing", strerror(errno));
	a->failed = true;
	return -1;
}

void
audit_close(struct audit *a)
{
	if (a->fd == -1)
		return;
	io_close(&a->fd);
	buf_reset(&a->line);
}
