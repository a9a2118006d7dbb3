/* SPDX-License-Identifier: ISC */
#include "cmd/frame-dump/tap.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/frame-dump/dump.h"
#include "cmd/frame-dump/read.h"

#include "common/clock.h"
#include "common/io.h"
#include "common/proc.h"

enum {
	TAP_PIPE_SIZE = 1 << 20, /* fewer wake-ups; a wish */
	TAP_SIGNALS = 4,
	TAP_DIRECTIONS = 2,
	TAP_MARK_LEN = FRAME_HEADER_LEN + FRAME_MARK_LEN,
};

static const int passed_signals[TAP_SIGNALS] = {
	SIGTERM, SIGHUP, SIGUSR1, SIGUSR2,
};

static const char *const origins[TAP_DIRECTIONS] = {
	"standard input", "command",
};

struct tap;

/* One direction: bytes from a descriptor to another, and the frames that
 * were cut out of them. */
struct pump {
	struct tap *tap;
	uint8_t direction;    /* index of this pump, and of its MARKs */
	int from, to;
	ev_io reader, writer; /* one of them is active until done */
	bool done;
	size_t head, tail;    /* of the bytes in chunk not yet written */
	struct reader frames;
	struct buf partial;   /* a frame that has not come whole yet */
	bool blind;           /* these bytes are not frames */
	uint8_t chunk[TAP_CHUNK];
};

struct tap {
	struct ev_loop *ev;
	struct pump pumps[TAP_DIRECTIONS];
	struct buf queue;     /* records for the pipe */
	int pipe_fd;          /* -1: nobody reads them any more */
	ev_io pipe_writer;
	bool full;            /* no room: drop until half is free again */
	uint32_t dropped;     /* since the last MARK */
	pid_t command;
	ev_child waiter;
	bool exited;
	int status;
	ev_signal signals[TAP_SIGNALS];
};

/* Records. */

static void
stop_recording(struct tap *t)
{
	ev_io_stop(t->ev, &t->pipe_writer);
	io_close(&t->pipe_fd);
	buf_reset(&t->queue);
	for (int i = 0; i < TAP_DIRECTIONS; i++) {
		t->pumps[i].blind = true;
		buf_reset(&t->pumps[i].partial);
	}
}

static void
write_queue(struct tap *t)
{
	struct bytes in = buf_bytes(&t->queue);
	ssize_t n;

	if (t->pipe_fd == -1 || in.len == 0)
		return;
	n = write(t->pipe_fd, in.ptr, in.len);
	if (n > 0)
		buf_drop(&t->queue, (size_t)n);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		return stop_recording(t);
	if (buf_len(&t->queue) <= TAP_QUEUE_MAX / 2)
		t->full = false;
	if (buf_len(&t->queue) == 0)
		ev_io_stop(t->ev, &t->pipe_writer);
	else
		ev_io_start(t->ev, &t->pipe_writer);
}

static void
on_pipe_writable(struct ev_loop *ev, ev_io *w, int events)
{
	(void)ev, (void)events;
	write_queue(w->data);
}

static void
put_mark(uint8_t *at, uint8_t direction, uint32_t dropped)
{
	static const struct frame mark = {.type = FRAME_MARK};
	struct frame_mark m = {
		.time_ns = (uint64_t)clock_wall_ns(),
		.dropped = dropped,
		.direction = direction,
	};

	frame_put_header(at, &mark, FRAME_MARK_LEN);
	frame_put_mark(at + FRAME_HEADER_LEN, &m);
}

/* Where a record of so many bytes goes after its MARK, or NULL. */
static uint8_t *
reserve_record(struct tap *t, uint8_t direction, size_t len, uint32_t dropped)
{
	uint8_t *at = t->full ? NULL
	    : buf_reserve(&t->queue, TAP_MARK_LEN + len);

	if (at == NULL) {
		t->full = true;
		return NULL;
	}
	put_mark(at, direction, dropped);
	buf_commit(&t->queue, TAP_MARK_LEN + len);
	return at + TAP_MARK_LEN;
}

/* Queues a copy of f; the token in an AUTH stays here. */
static void
add_record(struct pump *p, const struct frame *f)
{
	struct tap *t = p->tap;
	size_t len = f->payload.len;
	uint8_t *at = reserve_record(t, p->direction, FRAME_HEADER_LEN + len,
	    t->dropped);

	if (at == NULL) {
		if (t->dropped < DUMP_NOTE - 1)
			t->dropped++;
		return;
	}
	t->dropped = 0;
	frame_put_header(at, f, (uint32_t)len);
	at += FRAME_HEADER_LEN;
	if (print_is_secret(f))
		memset(at, '*', len);
	else if (len != 0)
		memcpy(at, f->payload.ptr, len);
}

/* Stops looking for frames in p, for its bytes are none (or have ended inside
 * one: why is NULL), and lets the printer say so: this process must not wait
 * for standard error. */
static void
stop_looking(struct pump *p, const char *why)
{
	static const struct frame note = {.type = FRAME_EVENT};
	struct error text;
	size_t len;
	uint8_t *at;

	p->blind = true;
	buf_reset(&p->partial);
	if (why == NULL)
		error_set(&text, "%s: ended inside a frame",
		    origins[p->direction]);
	else
		error_set(&text, "%s: %s: passed on unseen from there",
		    origins[p->direction], why);
	len = strlen(text.text);
	at = reserve_record(p->tap, p->direction, FRAME_HEADER_LEN + len,
	    DUMP_NOTE);
	if (at == NULL)
		return;
	frame_put_header(at, &note, (uint32_t)len);
	memcpy(at + FRAME_HEADER_LEN, text.text, len);
}

/* Cuts the frames out of bytes that p has passed on. */
static void
look_at(struct pump *p, struct bytes in)
{
	struct record r;
	struct error e;
	size_t used;
	int n;

	if (p->blind)
		return;
	if (buf_add(&p->partial, in) != 0)
		return stop_looking(p, "no memory");
	do {
		n = reader_next(&p->frames, buf_bytes(&p->partial), &used, &r,
		    &e);
		if (n == 1 && p->frames.state == READER_HOP)
			add_record(p, &r.frame);
		buf_drop(&p->partial, used);
	} while (n == 1);
	if (n < 0)
		stop_looking(p, e.text);
	else if (p->frames.state == READER_CAPTURE)
		stop_looking(p, "a capture, not a hop");
	write_queue(p->tap);
}

/* Bytes. */

/* The command has ended, and so has what it sent. */
static void
check_end(struct tap *t)
{
	if (t->exited && t->pumps[1].done)
		ev_break(t->ev, EVBREAK_ALL);
}

/* Tells the far end of fd; how is that of shutdown(2). */
static void
end_side(int fd, int how)
{
	if (shutdown(fd, how) != 0 && errno == ENOTSOCK)
		close(fd);
}

/* Nothing more comes from p->from (broken false), or nothing more can go to
 * p->to. */
static void
pump_end(struct pump *p, bool broken)
{
	if (p->done)
		return;
	p->done = true;
	ev_io_stop(p->tap->ev, &p->reader);
	ev_io_stop(p->tap->ev, &p->writer);
	if (broken)
		end_side(p->from, SHUT_RD);
	else
		end_side(p->to, SHUT_WR);
	if (!p->blind && buf_len(&p->partial) != 0) {
		stop_looking(p, NULL);
		write_queue(p->tap);
	}
	check_end(p->tap);
}

static void
pump_write(struct pump *p)
{
	ssize_t n = write(p->to, p->chunk + p->head, p->tail - p->head);

	if (n == -1 && errno != EAGAIN && errno != EINTR)
		return pump_end(p, true);
	if (n > 0)
		p->head += (size_t)n;
	if (p->head == p->tail) {
		ev_io_stop(p->tap->ev, &p->writer);
		ev_io_start(p->tap->ev, &p->reader);
	} else {
		ev_io_stop(p->tap->ev, &p->reader);
		ev_io_start(p->tap->ev, &p->writer);
	}
}

static void
on_writable(struct ev_loop *ev, ev_io *w, int events)
{
	(void)ev, (void)events;
	pump_write(w->data);
}

static void
on_readable(struct ev_loop *ev, ev_io *w, int events)
{
	struct pump *p = w->data;
	ssize_t n = read(p->from, p->chunk, sizeof p->chunk);

	(void)ev, (void)events;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		return pump_end(p, false);
	p->head = 0;
	p->tail = (size_t)n;
	pump_write(p);
	look_at(p, bytes_of(p->chunk, (size_t)n));
}

static void
pump_start(struct tap *t, int direction, int from, int to)
{
	struct pump *p = &t->pumps[direction];

	p->tap = t;
	p->direction = (uint8_t)direction;
	p->from = from;
	p->to = to;
	buf_init(&p->partial, READ_RECORD_MAX + TAP_CHUNK);
	io_set_nonblock(from, true);
	io_set_nonblock(to, true);
	ev_io_init(&p->reader, on_readable, from, EV_READ);
	ev_io_init(&p->writer, on_writable, to, EV_WRITE);
	p->reader.data = p->writer.data = p;
	ev_io_start(t->ev, &p->reader);
}

/* The command. */

static void
on_exit(struct ev_loop *ev, ev_child *w, int events)
{
	struct tap *t = w->data;

	(void)events;
	ev_child_stop(ev, w);
	t->exited = true;
	t->status = proc_exit_status(w->rstatus);
	check_end(t);
}

static void
on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
	struct tap *t = w->data;

	(void)ev, (void)events;
	if (!t->exited)
		kill(t->command, w->signum);
}

static int
start_command(struct tap *t, char *const argv[], struct error *e)
{
	static const char *const keep_environment[] = {NULL};
	int fd;

	t->command = proc_start_pair(argv, keep_environment, &fd, e);
	if (t->command == -1)
		return -1;
	pump_start(t, 0, STDIN_FILENO, fd);
	pump_start(t, 1, fd, STDOUT_FILENO);
	return 0;
}

/* SIGINT and SIGQUIT are not passed on: a terminal sends them to the command
 * as well. */
static void
watch(struct tap *t)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	for (int i = 0; i < TAP_SIGNALS; i++) {
		ev_signal_init(&t->signals[i], on_signal, passed_signals[i]);
		t->signals[i].data = t;
		ev_signal_start(t->ev, &t->signals[i]);
	}
	ev_child_init(&t->waiter, on_exit, t->command, 0);
	t->waiter.data = t;
	ev_child_start(t->ev, &t->waiter);
}

/* The end. */

/* Waits for events on fd until the deadline, whatever signals come.  Returns
 * whether they came. */
static bool
wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	do {
		left = deadline_ms - clock_ms();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n == -1 && errno == EINTR);
	return n == 1;
}

/* Frames that were dropped last are told by a MARK alone. */
static void
add_last_mark(struct tap *t)
{
	uint8_t mark[TAP_MARK_LEN];

	if (t->dropped == 0 || t->pipe_fd == -1)
		return;
	put_mark(mark, 0, t->dropped);
	buf_add(&t->queue, bytes_of(mark, sizeof mark));
}

/* Gives the printer a while to take and show what it has not yet.  It is
 * killed when it does not: this process may not outlive the hop by more. */
static void
linger(struct tap *t, int printer_fd)
{
	int64_t deadline_ms = clock_ms() + TAP_LINGER_MS;

	while (t->pipe_fd != -1 && buf_len(&t->queue) != 0 &&
	    wait_for(t->pipe_fd, POLLOUT, deadline_ms))
		write_queue(t);
	add_last_mark(t);
	write_queue(t);
	io_close(&t->pipe_fd);
	if (printer_fd != -1 && !wait_for(printer_fd, POLLIN, deadline_ms))
		pidfd_send_signal(printer_fd, SIGKILL, NULL, 0);
}

int
tap_run(char *const argv[], int pipe_fd, pid_t printer, int *ret_status,
    struct error *e)
{
	static struct tap tap;
	uint8_t preamble[FRAME_PREAMBLE_LEN];
	int in_flags = fcntl(STDIN_FILENO, F_GETFL);
	int out_flags = fcntl(STDOUT_FILENO, F_GETFL);
	int printer_fd = pidfd_open(printer, 0);
	int r;

	tap.ev = ev_default_loop(EVFLAG_AUTO);
	tap.pipe_fd = pipe_fd;
	io_set_nonblock(pipe_fd, true);
	fcntl(pipe_fd, F_SETPIPE_SZ, TAP_PIPE_SIZE);
	ev_io_init(&tap.pipe_writer, on_pipe_writable, pipe_fd, EV_WRITE);
	tap.pipe_writer.data = &tap;
	buf_init(&tap.queue, TAP_QUEUE_MAX);
	frame_put_preamble(preamble, FRAME_KIND_CAPTURE);
	buf_add(&tap.queue, bytes_of(preamble, sizeof preamble));
	r = start_command(&tap, argv, e);
	if (r == 0) {
		watch(&tap);
		ev_run(tap.ev, 0);
		*ret_status = tap.status;
	}
	linger(&tap, printer_fd);
	io_close(&printer_fd);
	stop_recording(&tap);
	/* They may be shared with whoever started us. */
	if (in_flags != -1)
		fcntl(STDIN_FILENO, F_SETFL, in_flags);
	if (out_flags != -1)
		fcntl(STDOUT_FILENO, F_SETFL, out_flags);
	return r;
}
