/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/shell.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/sandbox-exec/init.h"
#include "cmd/sandbox-exec/session.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/num.h"
#include "common/str.h"

enum {
	QUOTE_FACTOR = 4, /* ' becomes '\'' */
	WRAPPING_MAX = 512,
	IN_MAX = QUOTE_FACTOR * SESSION_INPUT_MAX + WRAPPING_MAX,
	STATUS_FD = 200,  /* where commands do not look for free ones */
	STATUS_READ = 4096,
	END_MS = 5000,    /* a kill takes longer: the sandbox has to go */
};

#define REST_S 0.05 /* per SHELL_CHUNK while idle */

int
shell_quote(struct buf *out, struct bytes command, const char *nonce,
    int status_to, bool fallback)
{
	/* A space, for a command that begins as an option does; a backslash,
	 * for aliases. */
	if (buf_add_str(out, fallback ? "\\command eval ' " :
	    "\\eval ' ") != 0)
		return -1;
	for (;;) {
		const uint8_t *quote = command.len == 0 ? NULL :
		    memchr(command.ptr, '\'', command.len);
		size_t n = quote == NULL ? command.len :
		    (size_t)(quote - command.ptr);

		if (buf_add(out, bytes_of(command.ptr, n)) != 0)
			return -1;
		if (quote == NULL)
			break;
		if (buf_add_str(out, "'\\''") != 0)
			return -1;
		command = bytes_after(command, n + 1);
	}
	if (buf_format(out, "' </dev/null 2>&1 %d>&-\n", status_to) != 0)
		return -1;
	/* Of what could tell the status every name can be a function of the
	 * user's or be turned off; but not a keyword, whose error shows the
	 * text that it could not read.  The empty line is for a command whose
	 * end was missing, after which a keyword would be none. */
	return fallback ?
	    buf_format(out, "\\command printf '%s %%d\\n' \"$?\" >&%d\n",
	    nonce, status_to) :
	    buf_format(out, "\n((@ %s $?)) 2>&%d || ((1))\n", nonce, status_to);
}

/* Whether l ends with nonce, a space, digits, and anything else. */
static bool
is_status(const struct shell_tail *l, const char *nonce, int *ret)
{
	const char *last = l->at + l->len - 1;
	const char *digits = last;
	char number[SHELL_DIGITS_MAX + 1];
	int64_t status;

	while (digits > l->at && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (digits - l->at < SHELL_NONCE_LEN + 1 || digits[-1] != ' ' ||
	    memcmp(digits - 1 - SHELL_NONCE_LEN, nonce,
	    SHELL_NONCE_LEN) != 0 || str_from_bytes(number, sizeof number,
	    bytes_of(digits, (size_t)(last - digits))) != 0 ||
	    num_parse(number, 0, 255, &status) != 0)
		return false;
	*ret = (int)status;
	return true;
}

bool
shell_take_status(struct shell_tail *l, struct bytes in, const char *nonce,
    int *ret_status)
{
	bool found = false;

	for (size_t i = 0; i < in.len; i++) {
		if (l->len == sizeof l->at)
			memmove(l->at, l->at + 1, --l->len);
		l->at[l->len++] = (char)in.ptr[i];
		if (in.ptr[i] < '0' || in.ptr[i] > '9')
			found = is_status(l, nonce, ret_status) || found;
	}
	return found;
}

static void
close_watched(struct shell *s, ev_io *w, int *fd)
{
	if (*fd == -1)
		return;
	ev_io_stop(s->loop, w);
	io_close(fd);
}

/* The shell is no more. */
static void
clear(struct shell *s)
{
	close_watched(s, &s->writer, &s->in_fd);
	close_watched(s, &s->reader, &s->out_fd);
	close_watched(s, &s->status, &s->status_fd);
	ev_timer_stop(s->loop, &s->deadline);
	ev_timer_stop(s->loop, &s->rest);
	buf_reset(&s->first);
	buf_reset(&s->in);
	buf_reset(&s->held);
	tailtext_done(&s->text);
	tailtext_clear(&s->text);
	s->state = SHELL_NONE;
}

static bool
is_alive(const struct shell *s)
{
	return s->command.box != NULL;
}

/* All of the output has come. */
static void
deliver(struct shell *s)
{
	struct shell_result r = s->result;

	if (r.how != SHELL_FAILED) {
		r.text = tailtext_finish(&s->text);
		r.truncated = s->text.truncated;
	}
	ev_timer_stop(s->loop, &s->deadline);
	s->state = is_alive(s) ? SHELL_IDLE : SHELL_NONE;
	s->events->ended(s->user, &r);
	/* A session that waits holds no memory for output. */
	if (s->state == SHELL_IDLE) {
		tailtext_done(&s->text);
		tailtext_clear(&s->text);
	} else if (s->state == SHELL_NONE) {
		clear(s);
	}
}

static void
check_drained(struct shell *s)
{
	if (s->state == SHELL_DRAINING && s->left == 0 &&
	    buf_len(&s->held) == 0)
		deliver(s);
}

/* Counts what is in the pipe: what comes later is not this command's. */
static void
drain(struct shell *s, enum shell_how how)
{
	int n = 0;

	s->result.how = how;
	s->state = SHELL_DRAINING;
	if (s->out_fd != -1 && ioctl(s->out_fd, FIONREAD, &n) == 0 && n > 0)
		s->left = (size_t)n;
	else
		s->left = 0;
	ev_timer_stop(s->loop, &s->deadline);
	if (s->left != 0 && buf_len(&s->held) == 0) {
		ev_timer_stop(s->loop, &s->rest);
		ev_io_start(s->loop, &s->reader);
	}
	check_drained(s);
}

static void
offer(struct shell *s, struct bytes in)
{
	size_t taken = s->events->output(s->user, in);

	if (taken == in.len)
		return;
	if (buf_add(&s->held, bytes_after(in, taken)) != 0)
		s->text.truncated = true;
	ev_io_stop(s->loop, &s->reader);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	static uint8_t chunk[SHELL_CHUNK];
	struct shell *s = w->data;
	size_t want = sizeof chunk;
	ssize_t n;

	(void)revents;
	if (s->state == SHELL_DRAINING && s->left < want)
		want = s->left;
	n = read(s->out_fd, chunk, want);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_watched(s, &s->reader, &s->out_fd);
		s->left = 0;
		check_drained(s);
		return;
	}
	tailtext_add(&s->text, bytes_of(chunk, (size_t)n));
	if (s->state == SHELL_RUNNING || s->state == SHELL_DRAINING) {
		offer(s, bytes_of(chunk, (size_t)n));
	} else {
		ev_io_stop(loop, &s->reader);
		ev_timer_again(loop, &s->rest);
	}
	if (s->state == SHELL_DRAINING) {
		s->left -= (size_t)n;
		check_drained(s);
	}
}

static void
on_rest(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct shell *s = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (s->out_fd != -1 && buf_len(&s->held) == 0)
		ev_io_start(loop, &s->reader);
	check_drained(s);
}

void
shell_resume(struct shell *s)
{
	struct bytes held = buf_bytes(&s->held);
	size_t taken;

	if (held.len == 0 || (s->state != SHELL_RUNNING &&
	    s->state != SHELL_DRAINING))
		return;
	taken = s->events->output(s->user, held);
	buf_drop(&s->held, taken);
	if (taken != held.len)
		return;
	if (s->out_fd != -1)
		ev_io_start(s->loop, &s->reader);
	/* Not from inside this function. */
	if (s->state == SHELL_DRAINING && s->left == 0)
		ev_feed_event(s->loop, &s->rest, EV_TIMER);
}

static void
on_status(struct ev_loop *loop, ev_io *w, int revents)
{
	struct shell *s = w->data;
	uint8_t at[STATUS_READ];
	ssize_t n = read(s->status_fd, at, sizeof at);

	(void)loop;
	(void)revents;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_watched(s, &s->status, &s->status_fd);
		return;
	}
	if (shell_take_status(&s->tail, bytes_of(at, (size_t)n), s->nonce,
	    &s->result.status) && s->state == SHELL_RUNNING)
		drain(s, SHELL_DONE);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct shell *s = w->data;
	struct bytes in = buf_bytes(&s->in);
	ssize_t n = write(s->in_fd, in.ptr, in.len);

	(void)loop;
	(void)revents;
	if (n > 0)
		buf_drop(&s->in, (size_t)n);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		buf_reset(&s->in); /* the shell's end follows */
	if (buf_len(&s->in) == 0) {
		buf_reset(&s->in);
		ev_io_stop(s->loop, &s->writer);
	}
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct shell *s = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (s->state == SHELL_ENDING) {
		box_stop(s->box);
		return;
	}
	s->result.how = SHELL_TIMED_OUT;
	s->state = SHELL_ENDING;
	box_kill(&s->command);
	ev_timer_set(w, END_MS / 1000.0, 0.0);
	ev_timer_start(loop, w);
}

static struct shell *
shell_of(struct box_command *c)
{
	return (struct shell *)(void *)((char *)c -
	    offsetof(struct shell, command));
}

static int
send_command(struct shell *s, struct bytes command)
{
	if (shell_quote(&s->in, command, s->nonce, s->status_to,
	    s->fallback) != 0) {
		buf_clear(&s->in);
		return -1;
	}
	ev_io_start(s->loop, &s->writer);
	return 0;
}

/* What a shell says while it starts is output; what it says later, between
 * commands, is not. */
static void
on_started(struct box_command *c)
{
	struct shell *s = shell_of(c);

	if (s->state != SHELL_RUNNING)
		return;
	if (buf_add_str(&s->in, "exec 2>/dev/null\n") != 0 ||
	    send_command(s, buf_bytes(&s->first)) != 0)
		box_kill(c);
	buf_reset(&s->first);
}

static int start_shell(struct shell *s, bool fallback, struct error *e);

/* There is no shell: the other one is tried, with what is to be run. */
static void
take_refusal(struct shell *s, const struct error *why)
{
	bool retry = !s->fallback && (why->code == EXIT_NOT_FOUND);

	s->error = *why;
	if (retry && start_shell(s, true, &s->error) == 0)
		return;
	if (s->fallback && why->code == EXIT_NOT_FOUND)
		error_set(&s->error, "neither /bin/bash nor /bin/sh is in "
		    "the sandbox");
	s->result.text = bytes_cstr(s->error.text);
	drain(s, SHELL_FAILED);
}

static void
on_ended(struct box_command *c, const struct box_end *end)
{
	struct shell *s = shell_of(c);
	bool told = s->state == SHELL_RUNNING || (s->state == SHELL_ENDING &&
	    s->result.how == SHELL_TIMED_OUT);

	if (told && !end->ran && end->error.code != 0 &&
	    s->result.how != SHELL_TIMED_OUT) {
		take_refusal(s, &end->error);
	} else if (told) {
		drain(s, s->result.how == SHELL_TIMED_OUT ? SHELL_TIMED_OUT :
		    SHELL_DIED);
	} else if (s->state != SHELL_DRAINING) {
		clear(s);
		s->events->gone(s->user);
	}
}

static const struct box_command_events command_events = {
	.started = on_started, .ended = on_ended,
};

static void
watch(struct shell *s)
{
	ev_io_init(&s->writer, on_writable, s->in_fd, EV_WRITE);
	ev_io_init(&s->reader, on_readable, s->out_fd, EV_READ);
	ev_io_init(&s->status, on_status, s->status_fd, EV_READ);
	s->writer.data = s->reader.data = s->status.data = s;
	ev_io_start(s->loop, &s->reader);
	ev_io_start(s->loop, &s->status);
}

static int
spawn(struct shell *s, int in, int out, int status, struct error *e)
{
	static char bash[] = "/bin/bash", noprofile[] = "--noprofile",
	    norc[] = "--norc", sh[] = "/bin/sh", ps1[] = "PS1=",
	    ps2[] = "PS2=", term[] = "TERM=dumb";
	char *const bash_argv[] = {bash, noprofile, norc, NULL};
	char *const sh_argv[] = {sh, NULL};
	char *const env[] = {ps1, ps2, term, NULL};
	struct box_spawn how = {
		.argv = s->fallback ? sh_argv : bash_argv, .env = env,
		.fds = {in, out, out}, .extra_fd = status,
		.extra_to = s->status_to,
	};

	return box_spawn(s->box, &s->command, &how, e);
}

static int
start_shell(struct shell *s, bool fallback, struct error *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, status[2] = {-1, -1};
	int r = -1;

	close_watched(s, &s->writer, &s->in_fd);
	close_watched(s, &s->reader, &s->out_fd);
	close_watched(s, &s->status, &s->status_fd);
	s->fallback = fallback;
	/* dash knows one digit. */
	if (fallback)
		s->status_to = INIT_EXTRA_FD_MIN;
	if (box_pipe(s->box, true, in) != 0 ||
	    box_pipe(s->box, false, out) != 0 ||
	    box_pipe(s->box, false, status) != 0)
		error_errno(e, "pipe");
	else
		r = spawn(s, in[0], out[1], status[1], e);
	io_close(&in[0]);
	io_close(&out[1]);
	io_close(&status[1]);
	s->in_fd = in[1];
	s->out_fd = out[0];
	s->status_fd = status[0];
	if (r == 0)
		watch(s);
	return r;
}

void
shell_init(struct shell *s, struct ev_loop *loop,
    const struct shell_events *events, void *user)
{
	memset(s, 0, sizeof *s);
	s->loop = loop;
	s->events = events;
	s->user = user;
	s->in_fd = s->out_fd = s->status_fd = -1;
	s->command.events = &command_events;
	buf_init(&s->first, SESSION_INPUT_MAX);
	buf_init(&s->in, IN_MAX);
	buf_init(&s->held, SHELL_CHUNK);
	tailtext_init(&s->text);
	ev_timer_init(&s->deadline, on_deadline, 0.0, 0.0);
	ev_timer_init(&s->rest, on_rest, 0.0, REST_S);
	s->deadline.data = s->rest.data = s;
}

void
shell_done(struct shell *s)
{
	box_forget(&s->command);
	ev_clear_pending(s->loop, &s->rest);
	clear(s);
}

bool
shell_is_free(const struct shell *s)
{
	return s->state == SHELL_NONE || s->state == SHELL_IDLE;
}

int
shell_run(struct shell *s, struct box *box, int64_t files,
    struct bytes command, int64_t ms, struct error *e)
{
	e->code = EXIT_SANDBOX;
	random_hex(s->nonce, SHELL_NONCE_LEN);
	if (s->state == SHELL_IDLE) {
		if (send_command(s, command) != 0)
			return error_errno(e, "command");
	} else {
		s->box = box;
		s->status_to = files != 0 && files <= STATUS_FD ?
		    INIT_EXTRA_FD_MIN : STATUS_FD;
		if (buf_add(&s->first, command) != 0)
			return error_errno(e, "command");
		if (start_shell(s, false, e) != 0) {
			clear(s);
			return -1;
		}
	}
	s->result = (struct shell_result){.how = SHELL_DONE};
	s->state = SHELL_RUNNING;
	ev_timer_stop(s->loop, &s->rest);
	/* The command can have closed the shell's own output (exec >file). */
	if (s->out_fd != -1)
		ev_io_start(s->loop, &s->reader);
	ev_timer_set(&s->deadline, (double)ms / 1000.0, 0.0);
	ev_timer_start(s->loop, &s->deadline);
	return 0;
}

bool
shell_stop(struct shell *s)
{
	if (!is_alive(s)) {
		clear(s);
		return false;
	}
	s->result.how = SHELL_DONE;
	s->state = SHELL_ENDING;
	box_kill(&s->command);
	ev_timer_stop(s->loop, &s->deadline);
	ev_timer_set(&s->deadline, END_MS / 1000.0, 0.0);
	ev_timer_start(s->loop, &s->deadline);
	return true;
}
