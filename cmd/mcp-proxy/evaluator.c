/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/evaluator.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/mcp-proxy/questions.h"
#include "cmd/mcp-proxy/stamp.h"
#include "common/diag.h"
#include "common/io.h"
#include "common/proc.h"
#include "common/str.h"

enum {
	READ_LEN = 64 << 10,
	RX_MAX = JUDGE_LENGTH_LEN + JUDGE_ANSWER_MAX + READ_LEN,
};

/* See stamp.h. */
static const double look_s = 0.5;

static const char too_slow[] = "it did not compile in time";

/* A process that runs a program, or tries to. */
struct judge {
	struct evaluator *owner;
	struct judge *next_dead;
	pid_t pid;
	int pid_fd, fd;
	ev_io reader, writer;
	ev_timer limit;
	bool ready;                /* its program compiles */
	struct buf program;        /* that it runs, as a message */
	size_t program_sent;
	struct questions flight;       /* asked, the first is being answered */
	struct evaluator_question *writing; /* of flight, not all sent */
	size_t written;
	int64_t began_ms, began_cpu_ms; /* the first question */
	struct buf rx;
};

struct evaluator {
	struct ev_loop *ev;
	const char *file;
	struct stamp_watch watch;
	ev_timer look, retry;
	struct buf program;     /* the one in use, as a message */
	struct judge *current;  /* NULL: it failed */
	struct judge *fresh;    /* with a program that may take over, or NULL */
	struct judge *dead;     /* killed, not collected */
	struct questions waiting;
	size_t waiting_len;     /* bytes */
	struct backoff backoff;
	bool starting;          /* its first program did not compile yet */
	struct error refusal;   /* why that does not */
	const struct evaluator_events *events;
	void *user;
};

static void ask_next(struct evaluator *v);
static void start_again(struct evaluator *v);

/* ---- the process ---- */

static int64_t
cpu_ms(const struct judge *j)
{
	clockid_t id;
	struct timespec t;

	if (clock_getcpuclockid(j->pid, &id) != 0 ||
	    clock_gettime(id, &t) != 0)
		return 0;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
judge_bury(struct judge *j)
{
	struct judge **at = &j->owner->dead;

	while (*at != j)
		at = &(*at)->next_dead;
	*at = j->next_dead;
	ev_io_stop(j->owner->ev, &j->reader);
	io_close(&j->pid_fd);
	free(j);
}

static void
on_dead(struct ev_loop *ev, ev_io *io, int revents)
{
	struct judge *j = io->data;

	(void)ev;
	(void)revents;
	waitpid(j->pid, NULL, WNOHANG);
	judge_bury(j);
}

/* Ends it.  Its questions are the caller's.  To give back what memory it has
 * takes its kernel a while, for which nobody waits. */
static void
judge_free(struct judge *j)
{
	struct evaluator *v;

	if (j == NULL)
		return;
	v = j->owner;
	ev_io_stop(v->ev, &j->reader);
	ev_io_stop(v->ev, &j->writer);
	ev_timer_stop(v->ev, &j->limit);
	io_close(&j->fd);
	buf_reset(&j->program);
	buf_reset(&j->rx);
	j->next_dead = v->dead;
	v->dead = j;
	/* By its descriptor: who sweeps up strays may have collected it. */
	syscall(SYS_pidfd_send_signal, j->pid_fd, SIGKILL, NULL, 0);
	ev_io_init(&j->reader, on_dead, j->pid_fd, EV_READ);
	j->reader.data = j;
	ev_io_start(v->ev, &j->reader);
}

static void
set_limit(struct judge *j, int64_t ms)
{
	struct ev_loop *ev = j->owner->ev;

	ev_timer_stop(ev, &j->limit);
	ev_now_update(ev);
	ev_timer_set(&j->limit, (double)ms / 1000, 0);
	ev_timer_start(ev, &j->limit);
}

/* Gives the first question the time that it may take. */
static void
start_clock(struct judge *j)
{
	if (j->flight.first == NULL) {
		ev_timer_stop(j->owner->ev, &j->limit);
		return;
	}
	j->began_ms = clock_ms();
	j->began_cpu_ms = cpu_ms(j);
	set_limit(j, EVALUATOR_QUESTION_MS);
}

/* A new program is of no use. */
static void
fresh_failed(struct evaluator *v, const char *text)
{
	judge_free(v->fresh);
	v->fresh = NULL;
	diag_warning("%s: %s; keeping the program in use", v->file, text);
}

/* The process is gone, or has to go.  Whose question it had is told why, the
 * others ask again. */
static void
judge_failed(struct judge *j, enum evaluator_fault fault, const char *text)
{
	struct evaluator *v = j->owner;
	struct evaluator_question *first = questions_take(&j->flight);

	if (j == v->fresh) {
		fresh_failed(v, text);
		return;
	}
	for (const struct evaluator_question *q = j->flight.first; q != NULL;
	    q = q->next)
		v->waiting_len += buf_len(&q->text);
	questions_put_back(&v->waiting, &j->flight);
	judge_free(j);
	v->current = NULL;
	if (v->starting) {
		error_set(&v->refusal, "%s", text);
		v->events->settled(v->user);
		return;
	}
	start_again(v);
	if (first != NULL)
		question_fail(first, fault, text);
	else
		diag_warning("%s: %s", v->file, text);
}

/* Lets the new program take over once the old one has no question. */
static void
swap_if_idle(struct evaluator *v)
{
	struct judge *old = v->current;

	if (v->fresh == NULL || !v->fresh->ready ||
	    (old != NULL && old->flight.count != 0))
		return;
	v->current = v->fresh;
	v->fresh = NULL;
	judge_free(old);
	ev_timer_stop(v->ev, &v->retry);
	buf_clear(&v->program);
	buf_add(&v->program, buf_bytes(&v->current->program));
	diag_notice("program loaded: %s", v->file);
	v->events->loaded(v->user, v->file);
	ask_next(v);
}

/* ---- writing ---- */

/* Writes from two runs of bytes, of which *done are written.  Returns 1 when
 * all are, 0 when more is to be written later, or never. */
static int
write_some(int fd, struct bytes head, struct bytes text, size_t *done)
{
	while (*done < head.len + text.len) {
		struct bytes rest = *done < head.len ? bytes_after(head, *done)
		    : bytes_after(text, *done - head.len);
		ssize_t n = write(fd, rest.ptr, rest.len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return 0;
		*done += (size_t)n;
	}
	return 1;
}

/* Writes what it takes.  That it has ended is noticed by reading. */
static void
judge_write(struct judge *j)
{
	struct ev_loop *ev = j->owner->ev;
	int r = write_some(j->fd, buf_bytes(&j->program), bytes_of(NULL, 0),
	    &j->program_sent);

	while (r == 1 && j->writing != NULL) {
		struct evaluator_question *q = j->writing;

		r = write_some(j->fd, bytes_of(q->head, sizeof q->head),
		    buf_bytes(&q->text), &j->written);
		if (r == 1) {
			j->writing = q->next;
			j->written = 0;
		}
	}
	if (r == 0)
		ev_io_start(ev, &j->writer);
	else
		ev_io_stop(ev, &j->writer);
}

static void
on_writable(struct ev_loop *ev, ev_io *io, int revents)
{
	(void)ev;
	(void)revents;
	judge_write(io->data);
}

/* Asks as much as the process may have at once. */
static void
ask_next(struct evaluator *v)
{
	struct judge *j = v->current;
	bool idle = j != NULL && j->flight.first == NULL;

	if (j == NULL || !j->ready)
		return;
	while (v->fresh == NULL || !v->fresh->ready) {
		struct evaluator_question *q =
		    j->flight.count < EVALUATOR_FLIGHT_MAX
		    ? questions_take(&v->waiting) : NULL;

		if (q == NULL)
			break;
		v->waiting_len -= buf_len(&q->text);
		questions_add(&j->flight, q);
		if (j->writing == NULL) {
			j->writing = q;
			j->written = 0;
		}
	}
	if (j->flight.first == NULL)
		return;
	if (idle)
		start_clock(j);
	judge_write(j);
}

/* ---- reading ---- */

static void
take_ready(struct judge *j)
{
	struct evaluator *v = j->owner;

	j->ready = true;
	ev_timer_stop(v->ev, &j->limit);
	if (v->starting) {
		v->starting = false;
		ev_timer_start(v->ev, &v->look);
		v->events->settled(v->user);
	}
	swap_if_idle(v);
}

static void
take_answer(struct judge *j, enum judge_word word, struct bytes text)
{
	struct evaluator *v = j->owner;
	struct evaluator_question *q = questions_take(&j->flight);
	struct error e = {.code = EVALUATOR_PROGRAM};

	start_clock(j);
	backoff_reset(&v->backoff);
	if (word == JUDGE_FAULT)
		error_set(&e, "%.*s", (int)text.len, (const char *)text.ptr);
	question_end(q, text, word == JUDGE_FAULT ? &e : NULL);
}

/* It says that it can not work. */
static void
take_refusal(struct judge *j, struct bytes text)
{
	char line[ERROR_TEXT_MAX];

	str_format(line, sizeof line, "%.*s", (int)text.len,
	    (const char *)text.ptr);
	judge_failed(j, EVALUATOR_ENDED, line);
}

/* Takes what has come of its words.  Returns 1 for more, 0 when j is gone, -1
 * for what no judge says. */
static int
take_words(struct judge *j)
{
	enum judge_word word;
	struct bytes text;
	ssize_t n;

	while ((n = judge_take(buf_bytes(&j->rx), &word, &text)) > 0) {
		if (j->ready ? word == JUDGE_READY || j->flight.first == NULL ||
		    j->flight.first == j->writing : word == JUDGE_VALUE)
			return -1;
		if (word == JUDGE_READY) {
			take_ready(j);
		} else if (j->ready) {
			take_answer(j, word, text);
		} else {
			take_refusal(j, text);
			return 0;
		}
		buf_drop(&j->rx, (size_t)n);
	}
	return n < 0 ? -1 : 1;
}

/* Reads once.  Returns false when j is gone. */
static bool
judge_read(struct judge *j)
{
	uint8_t *at = buf_reserve(&j->rx, READ_LEN);
	ssize_t n = at == NULL ? 0 : read(j->fd, at, READ_LEN);
	int r;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		judge_failed(j, EVALUATOR_ENDED, "its process ended");
		return false;
	}
	buf_commit(&j->rx, (size_t)n);
	r = take_words(j);
	if (r < 0)
		judge_failed(j, EVALUATOR_ENDED, "its process made no sense");
	return r > 0;
}

static void
on_readable(struct ev_loop *ev, ev_io *io, int revents)
{
	struct judge *j = io->data;
	struct evaluator *v = j->owner;

	(void)ev;
	(void)revents;
	if (!judge_read(j))
		return;
	swap_if_idle(v);
	ask_next(v);
}

/* A machine that stood still is no fault of the program: what counts is its
 * time on the processor, and the answer may be there. */
static void
on_limit(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct judge *j = t->data;
	struct evaluator *v = j->owner;
	const struct evaluator_question *first = j->flight.first;
	bool was_ready = j->ready;
	int64_t left_ms = EVALUATOR_QUESTION_MS -
	    (cpu_ms(j) - j->began_cpu_ms);
	int64_t wall_ms = clock_ms() - j->began_ms;

	(void)ev;
	(void)revents;
	if (!judge_read(j))
		return;
	if (j->ready != was_ready || j->flight.first != first) {
		swap_if_idle(v);
		ask_next(v);
	} else if (!was_ready) {
		judge_failed(j, EVALUATOR_LATE, too_slow);
	} else if (left_ms > 0 && wall_ms < EVALUATOR_WALL_MS) {
		set_limit(j, left_ms);
	} else {
		judge_failed(j, EVALUATOR_LATE, "it took too long");
	}
}

/* ---- starting ---- */

static struct judge *
judge_new(struct evaluator *v, struct bytes program, struct error *e)
{
	static const char *const argv[] = {"mcp-proxy", "judge", NULL};
	static char *const no_environment[] = {NULL};
	struct proc_command command = {.path = "/proc/self/exe",
		.argv = argv, .envp = no_environment,
		.fds = {-1, -1, -1, -1}, .death_signal = SIGKILL};
	struct judge *j = calloc(1, sizeof *j);

	if (j == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	j->owner = v;
	buf_init(&j->rx, RX_MAX);
	buf_init(&j->program, JUDGE_LENGTH_LEN + JUDGE_PROGRAM_MAX);
	j->pid_fd = -1;
	if (buf_add(&j->program, program) != 0) {
		error_set(e, "out of memory");
		free(j);
		return NULL;
	}
	j->pid = proc_spawn_pair(&command, &j->fd, e);
	if (j->pid == -1) {
		buf_reset(&j->program);
		free(j);
		return NULL;
	}
	j->pid_fd = proc_open(j->pid);
	if (j->pid_fd == -1) {
		error_errno(e, "pidfd_open");
		io_close(&j->fd); /* which ends it */
		waitpid(j->pid, NULL, 0);
		buf_reset(&j->program);
		free(j);
		return NULL;
	}
	io_set_nonblock(j->fd, true);
	ev_io_init(&j->reader, on_readable, j->fd, EV_READ);
	ev_io_init(&j->writer, on_writable, j->fd, EV_WRITE);
	ev_timer_init(&j->limit, on_limit, 0, 0);
	j->reader.data = j->writer.data = j->limit.data = j;
	ev_io_start(v->ev, &j->reader);
	j->began_ms = clock_ms();
	set_limit(j, EVALUATOR_START_MS);
	judge_write(j);
	return j;
}

static void
on_retry(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct evaluator *v = t->data;
	struct error e;

	(void)ev;
	(void)revents;
	v->current = judge_new(v, buf_bytes(&v->program), &e);
	if (v->current != NULL)
		return;
	diag_warning("%s: %s", v->file, e.text);
	start_again(v);
}

/* At once, unless it failed before without an answer in between. */
static void
start_again(struct evaluator *v)
{
	bool again = v->backoff.ceiling_ms != 0;
	int64_t ms = backoff_next(&v->backoff);

	ev_timer_stop(v->ev, &v->retry);
	ev_now_update(v->ev);
	ev_timer_set(&v->retry, again ? (double)ms / 1000 : 0, 0);
	ev_timer_start(v->ev, &v->retry);
}

/* Reads the file as a message for a judge. */
static int
read_program(struct evaluator *v, struct buf *program, struct error *e)
{
	struct buf text;
	uint8_t head[JUDGE_LENGTH_LEN];
	int r;

	buf_init(&text, JUDGE_PROGRAM_MAX);
	r = io_read_file(v->file, &text, e);
	be32_put(head, (uint32_t)buf_len(&text));
	if (r == 0 && (buf_add(program, bytes_of(head, sizeof head)) != 0 ||
	    buf_add(program, buf_bytes(&text)) != 0))
		r = error_errno(e, "%s", v->file);
	buf_reset(&text);
	return r;
}

/* ---- the file ---- */

static void
reload(struct evaluator *v)
{
	struct buf program;
	struct error e;

	judge_free(v->fresh);
	v->fresh = NULL;
	buf_init(&program, JUDGE_LENGTH_LEN + JUDGE_PROGRAM_MAX);
	if (io_check_again(v->file, &e) == 0 &&
	    read_program(v, &program, &e) == 0) {
		v->fresh = judge_new(v, buf_bytes(&program), &e);
		if (v->fresh == NULL)
			error_prefix(&e, "%s", v->file);
	}
	if (v->fresh == NULL)
		diag_warning("%s; keeping the program in use", e.text);
	buf_reset(&program);
}

/* Fails those whose turn did not come. */
static void
drop_late(struct evaluator *v)
{
	int64_t now_ms = clock_ms();

	while (v->waiting.first != NULL && v->waiting.first->due_ms <= now_ms) {
		struct evaluator_question *q = questions_take(&v->waiting);

		v->waiting_len -= buf_len(&q->text);
		question_fail(q, EVALUATOR_BUSY, "too many questions wait");
	}
}

static void
on_look(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct evaluator *v = t->data;

	(void)ev;
	(void)revents;
	if (stamp_watch_look(&v->watch, v->file))
		reload(v);
	drop_late(v);
}

/* ---- its life ---- */

int
evaluator_state(const struct evaluator *v, struct error *e)
{
	if (!v->starting)
		return 1;
	return v->current != NULL ? 0
	    : error_set(e, "%s: %s", v->file, v->refusal.text);
}

int
evaluator_wait(struct evaluator *v, struct error *e)
{
	int64_t end_ms = clock_ms() + EVALUATOR_START_MS;
	int r;

	while ((r = evaluator_state(v, e)) == 0) {
		struct pollfd p = {v->current->fd, POLLIN, 0};
		int64_t left_ms = end_ms - clock_ms();

		judge_write(v->current);
		if (left_ms <= 0)
			judge_failed(v->current, EVALUATOR_LATE, too_slow);
		else if (poll(&p, 1, (int)left_ms) == 1)
			judge_read(v->current);
	}
	return r == 1 ? 0 : -1;
}

struct evaluator *
evaluator_new(struct ev_loop *ev, const char *file,
    const struct evaluator_events *events, void *user, struct error *e)
{
	struct evaluator *v = calloc(1, sizeof *v);

	if (v == NULL) {
		error_set(e, "%s: out of memory", file);
		return NULL;
	}
	v->ev = ev;
	v->file = file;
	v->events = events;
	v->user = user;
	v->backoff = (struct backoff){.min_ms = EVALUATOR_BACKOFF_MIN_MS,
	    .max_ms = EVALUATOR_BACKOFF_MAX_MS};
	ev_timer_init(&v->look, on_look, look_s, look_s);
	ev_timer_init(&v->retry, on_retry, 0, 0);
	v->look.data = v->retry.data = v;
	buf_init(&v->program, JUDGE_LENGTH_LEN + JUDGE_PROGRAM_MAX);
	stamp_watch_init(&v->watch, file);
	v->starting = true;
	if (read_program(v, &v->program, e) != 0)
		goto failed;
	v->current = judge_new(v, buf_bytes(&v->program), e);
	if (v->current == NULL) {
		error_prefix(e, "%s", file);
		goto failed;
	}
	return v;
failed:
	evaluator_free(v);
	return NULL;
}

static void
free_all(struct questions *q)
{
	struct evaluator_question *one;

	while ((one = questions_take(q)) != NULL)
		question_fail(one, EVALUATOR_ENDED, "shutting down");
}

void
evaluator_free(struct evaluator *v)
{

	if (v == NULL)
		return;
	ev_timer_stop(v->ev, &v->look);
	ev_timer_stop(v->ev, &v->retry);
	if (v->current != NULL)
		free_all(&v->current->flight);
	free_all(&v->waiting);
	judge_free(v->current);
	judge_free(v->fresh);
	while (v->dead != NULL) {
		waitpid(v->dead->pid, NULL, 0);
		judge_bury(v->dead);
	}
	buf_reset(&v->program);
	free(v);
}

bool
evaluator_has(const struct evaluator *v, pid_t pid)
{
	return (v->current != NULL && v->current->pid == pid) ||
	    (v->fresh != NULL && v->fresh->pid == pid);
}

/* ---- questions ---- */

int
evaluator_ask(struct evaluator *v, struct buf *text, evaluator_done *done,
    void *user, struct error *e)
{
	struct evaluator_question *q = NULL;

	e->code = EVALUATOR_BUSY;
	if (v->waiting_len + buf_len(text) > EVALUATOR_WAITING_MAX)
		error_set(e, "too many questions wait");
	else if ((q = calloc(1, sizeof *q)) == NULL)
		error_set(e, "out of memory");
	if (q == NULL) {
		buf_reset(text);
		return -1;
	}
	q->done = done;
	q->user = user;
	q->due_ms = clock_ms() + EVALUATOR_WAIT_MS;
	q->text = *text;
	buf_init(text, text->max);
	be32_put(q->head, (uint32_t)buf_len(&q->text));
	v->waiting_len += buf_len(&q->text);
	questions_add(&v->waiting, q);
	ask_next(v);
	return 0;
}
