/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/exit.h"
#include "common/io.h"

static void
close_watched(struct exec *x, ev_io *w, int *fd)
{
	if (*fd == -1)
		return;
	ev_io_stop(x->loop, w);
	io_close(fd);
}

static void
check_ended(struct exec *x)
{
	if (!x->ran || x->out_fds[0] != -1 || x->out_fds[1] != -1)
		return;
	ev_timer_stop(x->loop, &x->deadline);
	x->events->ended(x->user, &x->end, x->timed_out);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct exec *x = w->data;
	int stream = w == &x->out[0] ? 0 : 1;
	size_t cap;
	uint8_t *at = x->events->reserve(x->user, &cap);
	ssize_t n;

	(void)revents;
	if (at == NULL) {
		ev_io_stop(loop, w);
		return;
	}
	n = read(x->out_fds[stream], at, cap);
	x->events->commit(x->user, stream, n > 0 ? (size_t)n : 0);
	if (n > 0 || (n == -1 && (errno == EINTR ||
	    (errno == EAGAIN && !x->ran))))
		return;
	/* When all that the command started is dead nobody has to write any
	 * more. */
	close_watched(x, w, &x->out_fds[stream]);
	check_ended(x);
}

void
exec_resume_output(struct exec *x)
{
	for (int i = 0; i < EXEC_STREAMS; i++) {
		if (x->out_fds[i] != -1)
			ev_io_start(x->loop, &x->out[i]);
		/* Nothing may come that would wake it. */
		if (x->out_fds[i] != -1 && x->ran)
			ev_feed_event(x->loop, &x->out[i], EV_READ);
	}
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct exec *x = w->data;

	(void)revents;
	ev_io_stop(loop, w);
	x->events->writable(x->user);
}

size_t
exec_write(struct exec *x, struct bytes in)
{
	ssize_t n;

	if (x->in_fd == -1)
		return in.len; /* nobody reads it */
	n = write(x->in_fd, in.ptr, in.len);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		close_watched(x, &x->in, &x->in_fd);
		return in.len;
	}
	if (n < (ssize_t)in.len)
		ev_io_start(x->loop, &x->in);
	return n > 0 ? (size_t)n : 0;
}

void
exec_end_input(struct exec *x)
{
	close_watched(x, &x->in, &x->in_fd);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct exec *x = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (x->timed_out) {
		box_stop(x->box);
		return;
	}
	x->timed_out = true;
	box_kill(&x->command);
	ev_timer_set(w, EXEC_END_MS / 1000.0, 0.0);
	ev_timer_start(loop, w);
}

static struct exec *
exec_of(struct box_command *c)
{
	return (struct exec *)(void *)((char *)c -
	    offsetof(struct exec, command));
}

static void
on_started(struct box_command *c)
{
	struct exec *x = exec_of(c);

	if (x->time_ms == 0)
		return;
	ev_timer_set(&x->deadline, (double)x->time_ms / 1000.0, 0.0);
	ev_timer_start(x->loop, &x->deadline);
}

static void
on_ended(struct box_command *c, const struct box_end *end)
{
	struct exec *x = exec_of(c);
	bool open = false;

	x->ran = true;
	x->end = *end;
	ev_timer_stop(x->loop, &x->deadline);
	close_watched(x, &x->in, &x->in_fd);
	for (int i = 0; i < EXEC_STREAMS; i++) {
		if (x->out_fds[i] == -1)
			continue;
		open = true;
		ev_feed_event(x->loop, &x->out[i], EV_READ);
	}
	if (!open)
		check_ended(x);
}

static const struct box_command_events command_events = {
	.started = on_started, .ended = on_ended,
};

void
exec_init(struct exec *x, struct ev_loop *loop,
    const struct exec_events *events, void *user)
{
	memset(x, 0, sizeof *x);
	x->loop = loop;
	x->events = events;
	x->user = user;
	x->in_fd = x->out_fds[0] = x->out_fds[1] = -1;
	x->command.events = &command_events;
	ev_init(&x->in, on_writable);
	ev_init(&x->out[0], on_readable);
	ev_init(&x->out[1], on_readable);
	ev_timer_init(&x->deadline, on_deadline, 0.0, 0.0);
	x->in.data = x->out[0].data = x->out[1].data = x->deadline.data = x;
}

void
exec_done(struct exec *x)
{
	box_forget(&x->command);
	close_watched(x, &x->in, &x->in_fd);
	for (int i = 0; i < EXEC_STREAMS; i++)
		close_watched(x, &x->out[i], &x->out_fds[i]);
	ev_timer_stop(x->loop, &x->deadline);
}

static int
open_pipes(struct exec *x, bool has_stdin, int inside[static 3])
{
	int pair[2];

	if (!has_stdin) {
		inside[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} else {
		if (box_pipe(x->box, true, pair) != 0)
			return -1;
		inside[0] = pair[0];
		x->in_fd = pair[1];
		ev_io_set(&x->in, x->in_fd, EV_WRITE);
	}
	for (int i = 0; i < EXEC_STREAMS; i++) {
		if (box_pipe(x->box, false, pair) != 0)
			return -1;
		x->out_fds[i] = pair[0];
		inside[i + 1] = pair[1];
		ev_io_set(&x->out[i], pair[0], EV_READ);
	}
	return inside[0] == -1 ? -1 : 0;
}

int
exec_start(struct exec *x, struct box *box, char *const *argv,
    bool has_stdin, int64_t time_ms, struct error *e)
{
	struct box_spawn how = {.argv = argv, .fds = {-1, -1, -1},
		.extra_fd = -1};
	int r = -1;

	e->code = EXIT_SANDBOX;
	x->box = box;
	x->time_ms = time_ms;
	if (open_pipes(x, has_stdin, how.fds) != 0)
		error_errno(e, "pipe");
	else
		r = box_spawn(box, &x->command, &how, e);
	for (int i = 0; i < 3; i++)
		io_close(&how.fds[i]);
	if (r != 0) {
		exec_done(x);
		return -1;
	}
	exec_resume_output(x);
	return 0;
}
