/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/toolclient.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/sandbox-exec/toolwire.h"
#include "common/exit.h"
#include "common/io.h"

enum { READ_LEN = 64 << 10, END_MS = 5000 };

static void
close_socket(struct toolclient *t)
{
	if (t->fd == -1)
		return;
	ev_io_stop(t->loop, &t->reader);
	ev_io_stop(t->loop, &t->writer);
	io_close(&t->fd);
}

static void
clear(struct toolclient *t)
{
	close_socket(t);
	ev_timer_stop(t->loop, &t->deadline);
	buf_reset(&t->in);
	buf_reset(&t->out);
	t->state = TOOLCLIENT_NONE;
}

static void
tell(struct toolclient *t, bool is_error, struct bytes text,
    const char *failed)
{
	if (t->told)
		return;
	t->told = true;
	t->events->ended(t->user, is_error, text, failed);
}

static void
start_ending(struct toolclient *t)
{
	t->state = TOOLCLIENT_ENDING;
	close_socket(t);
	box_kill(&t->command);
	ev_timer_stop(t->loop, &t->deadline);
	ev_timer_set(&t->deadline, END_MS / 1000.0, 0.0);
	ev_timer_start(t->loop, &t->deadline);
}

/* It says what makes no sense, or nothing in time. */
static void
give_up(struct toolclient *t, const char *why)
{
	start_ending(t);
	tell(t, true, bytes_of(NULL, 0), why);
}

static void
take_answer(struct toolclient *t)
{
	struct toolwire_answer a;
	struct bytes in = buf_bytes(&t->in);
	ssize_t n = toolwire_get_answer(in, &a);

	if (n == 0)
		return;
	if (n < 0 || (size_t)n != in.len || t->state != TOOLCLIENT_CALLING) {
		give_up(t, "the tools' process said what makes no sense");
		return;
	}
	t->state = TOOLCLIENT_IDLE;
	ev_timer_stop(t->loop, &t->deadline);
	tell(t, a.is_error, a.text, NULL);
	buf_reset(&t->in);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct toolclient *t = w->data;
	uint8_t *at = buf_reserve(&t->in, READ_LEN);
	ssize_t n = at == NULL ? 0 : read(t->fd, at, READ_LEN);

	(void)loop;
	(void)revents;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_socket(t);
		box_kill(&t->command);
		if (t->state == TOOLCLIENT_IDLE)
			t->state = TOOLCLIENT_ENDING;
		return;
	}
	buf_commit(&t->in, (size_t)n);
	take_answer(t);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct toolclient *t = w->data;
	struct bytes out = buf_bytes(&t->out);
	ssize_t n = send(t->fd, out.ptr, out.len, MSG_NOSIGNAL);

	(void)revents;
	if (n > 0)
		buf_drop(&t->out, (size_t)n);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		buf_reset(&t->out); /* its end follows */
	if (buf_len(&t->out) == 0) {
		buf_reset(&t->out);
		ev_io_stop(loop, w);
	}
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct toolclient *t = w->data;

	(void)loop;
	(void)revents;
	if (t->state == TOOLCLIENT_ENDING)
		box_stop(t->box);
	else
		give_up(t, "the tool took too long and was ended");
}

static struct toolclient *
client_of(struct box_command *c)
{
	return (struct toolclient *)(void *)((char *)c -
	    offsetof(struct toolclient, command));
}

static void
on_started(struct box_command *c)
{
	(void)c;
}

static void
on_ended(struct box_command *c, const struct box_end *end)
{
	struct toolclient *t = client_of(c);
	bool calling = t->state == TOOLCLIENT_CALLING;

	clear(t);
	if (calling)
		tell(t, true, bytes_of(NULL, 0), end->ran ?
		    "the tools' process was ended" : end->error.text);
	else
		t->events->gone(t->user);
}

static const struct box_command_events command_events = {
	.started = on_started, .ended = on_ended,
};

static int
start(struct toolclient *t, struct box *box, struct error *e)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct box_spawn how = {.fds = {-1, null, null}, .extra_fd = -1};
	int pair[2] = {-1, -1};
	int r = -1;

	if (null == -1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair) != 0 || io_set_nonblock(pair[0], true) != 0) {
		error_errno(e, "the tools' process");
	} else {
		how.fds[0] = pair[1];
		r = box_spawn(box, &t->command, &how, e);
	}
	io_close(&null);
	io_close(&pair[1]);
	if (r != 0) {
		io_close(&pair[0]);
		return -1;
	}
	t->box = box;
	t->fd = pair[0];
	ev_io_init(&t->reader, on_readable, t->fd, EV_READ);
	ev_io_init(&t->writer, on_writable, t->fd, EV_WRITE);
	t->reader.data = t->writer.data = t;
	ev_io_start(t->loop, &t->reader);
	return 0;
}

void
toolclient_init(struct toolclient *t, struct ev_loop *loop,
    const struct toolclient_events *events, void *user)
{
	memset(t, 0, sizeof *t);
	t->loop = loop;
	t->events = events;
	t->user = user;
	t->fd = -1;
	t->told = true;
	t->command.events = &command_events;
	buf_init(&t->in, TOOLWIRE_ANSWER_MAX + READ_LEN);
	buf_init(&t->out, TOOLWIRE_REQUEST_MAX);
	ev_timer_init(&t->deadline, on_deadline, 0.0, 0.0);
	t->deadline.data = t;
}

void
toolclient_done(struct toolclient *t)
{
	box_forget(&t->command);
	clear(t);
}

bool
toolclient_is_free(const struct toolclient *t)
{
	return t->state == TOOLCLIENT_NONE || t->state == TOOLCLIENT_IDLE;
}

int
toolclient_call(struct toolclient *t, struct box *box, const char *tool,
    struct bytes input, struct error *e)
{
	e->code = EXIT_SANDBOX;
	if (t->state == TOOLCLIENT_NONE && start(t, box, e) != 0)
		return -1;
	t->state = TOOLCLIENT_IDLE;
	if (toolwire_add_request(&t->out, tool, input) != 0) {
		buf_reset(&t->out);
		return error_errno(e, "%s", tool);
	}
	t->state = TOOLCLIENT_CALLING;
	t->told = false;
	ev_io_start(t->loop, &t->writer);
	ev_timer_set(&t->deadline, TOOLCLIENT_MS / 1000.0, 0.0);
	ev_timer_start(t->loop, &t->deadline);
	return 0;
}

bool
toolclient_stop(struct toolclient *t)
{
	if (t->command.box == NULL) {
		clear(t);
		return false;
	}
	t->told = true;
	start_ending(t);
	return true;
}
