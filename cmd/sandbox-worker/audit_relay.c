/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/audit_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/leftover.h"
#include "cmd/sandbox-worker/log.h"
#include "common/buf.h"
#include "common/io.h"
#include "common/str.h"

enum { READ_LEN = 16 * 1024 };

struct audit_relay {
	struct ev_loop *ev;
	ev_io io;
	struct audit *audit;
	int fd, dir_fd;
	struct buf in;
	bool skipping; /* the rest of a line that is too long */
	char dir[PATH_MAX], path[PATH_MAX];
};

static void
take_line(struct audit_relay *r, struct bytes line)
{
	if (r->skipping)
		r->skipping = false;
	else if (audit_copy(r->audit, line) != 0)
		log_line(DIAG_ERROR, "the audit file could not be written");
}

static void
take_lines(struct audit_relay *r)
{
	struct bytes in = buf_bytes(&r->in);
	const uint8_t *end;

	while (in.len != 0 && (end = memchr(in.ptr, '\n', in.len)) != NULL) {
		size_t n = (size_t)(end - in.ptr);

		take_line(r, bytes_of(in.ptr, n));
		buf_drop(&r->in, n + 1);
		in = buf_bytes(&r->in);
	}
	if (in.len > AUDIT_RELAY_LINE_MAX) {
		r->skipping = true;
		buf_clear(&r->in);
	}
}

/* Returns whether there may be more. */
static bool
read_some(struct audit_relay *r)
{
	uint8_t *room = buf_reserve(&r->in, READ_LEN);
	ssize_t n = room == NULL ? -1 : read(r->fd, room, READ_LEN);

	if (n <= 0)
		return n == -1 && errno == EINTR;
	buf_commit(&r->in, (size_t)n);
	take_lines(r);
	return true;
}

static void
fifo_readable(struct ev_loop *ev, ev_io *io, int revents)
{
	(void)ev;
	(void)revents;
	read_some(io->data);
}

/* Its own end to write keeps it from ending while there is no sandbox. */
static int
open_fifo(struct audit_relay *r, const char *state, struct error *e)
{
	if (realpath(state, r->dir) == NULL || str_format(r->dir +
	    strlen(r->dir), sizeof r->dir - strlen(r->dir),
	    "/sandbox-audit.XXXXXX") != 0 || mkdtemp(r->dir) == NULL) {
		r->dir[0] = '\0';
		return error_errno(e, "%s", state);
	}
	r->dir_fd = leftover_hold(r->dir);
	if (r->dir_fd == -1)
		return error_errno(e, "%s", r->dir);
	if (str_format(r->path, sizeof r->path, "%s/lines", r->dir) != 0 ||
	    mkfifo(r->path, 0600) != 0)
		return error_errno(e, "%s", r->dir);
	r->fd = open(r->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	return r->fd == -1 ? error_errno(e, "%s", r->path) : 0;
}

struct audit_relay *
audit_relay_new(struct ev_loop *ev, const char *state, struct audit *audit,
    struct error *e)
{
	struct audit_relay *r = calloc(1, sizeof *r);

	if (r == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	r->ev = ev;
	r->audit = audit;
	r->fd = r->dir_fd = -1;
	buf_init(&r->in, AUDIT_RELAY_LINE_MAX + READ_LEN);
	ev_init(&r->io, fifo_readable);
	r->io.data = r;
	if (open_fifo(r, state, e) != 0) {
		audit_relay_free(r);
		return NULL;
	}
	ev_io_set(&r->io, r->fd, EV_READ);
	ev_io_start(ev, &r->io);
	return r;
}

const char *
audit_relay_path(const struct audit_relay *r)
{
	return r->path;
}

void
audit_relay_free(struct audit_relay *r)
{
	if (r == NULL)
		return;
	while (r->fd != -1 && read_some(r))
		;
	ev_io_stop(r->ev, &r->io);
	io_close(&r->fd);
	io_close(&r->dir_fd);
	if (r->path[0] != '\0')
		unlink(r->path);
	if (r->dir[0] != '\0')
		rmdir(r->dir);
	buf_reset(&r->in);
	free(r);
}
