/* SPDX-License-Identifier: ISC */
#include "cmd/mcp-proxy/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/diag.h"
#include "common/io.h"
#include "common/proc.h"
#include "common/str.h"

enum {
	ERR_READ_LEN = 4096,
	/* What may wait for it beyond one message of the largest size. */
	TX_SLACK = 1 << 20,
	LINE_SLACK = PROXY_READ_LEN,
};

/* ---- the log ---- */

/* Whether one more line may be shown in this second. */
static bool
may_log(struct child *c)
{
	int64_t second = clock_ms() / 1000;

	if (second != c->log_second) {
		if (c->log_count > CHILD_LOG_LINES)
			diag_warning("%s: %d lines left out", c->tag,
			    c->log_count - CHILD_LOG_LINES);
		c->log_second = second;
		c->log_count = 0;
	}
	return c->log_count++ < CHILD_LOG_LINES;
}

void
child_log(struct child *c, const char *what, struct bytes line)
{
	char quoted[CHILD_LOG_LINE_MAX];

	if (may_log(c))
		diag_warning("%s: %s: %s", c->tag, what,
		    diag_quote(quoted, sizeof quoted, line));
}

static void
log_err_line(struct child *c, struct bytes line)
{
	char quoted[CHILD_LOG_LINE_MAX];

	if (line.len != 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len != 0 && may_log(c))
		diag_notice("%s: %s", c->tag,
		    diag_quote(quoted, sizeof quoted, line));
}

/* Takes bytes of standard error; what is too long of a line is dropped. */
static void
take_err(struct child *c, struct bytes in)
{
	while (in.len != 0) {
		const uint8_t *end = memchr(in.ptr, '\n', in.len);
		size_t n = end == NULL ? in.len : (size_t)(end - in.ptr);
		size_t room = CHILD_LOG_LINE_MAX - buf_len(&c->err);

		if (!c->err_cut)
			buf_add(&c->err, bytes_of(in.ptr, n < room ? n : room));
		if (end == NULL && buf_len(&c->err) < CHILD_LOG_LINE_MAX)
			return;
		if (!c->err_cut)
			log_err_line(c, buf_bytes(&c->err));
		buf_clear(&c->err);
		c->err_cut = end == NULL;
		in = bytes_after(in, end == NULL ? n : n + 1);
	}
}

/* Returns whether there may be more. */
static bool
read_err(struct child *c)
{
	uint8_t in[ERR_READ_LEN];
	ssize_t n = c->err_fd == -1 ? 0 : read(c->err_fd, in, sizeof in);

	if (n > 0) {
		take_err(c, bytes_of(in, (size_t)n));
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		ev_io_stop(c->proxy->ev, &c->err_io);
		io_close(&c->err_fd);
	}
	return false;
}

static void
on_err(struct ev_loop *ev, ev_io *io, int revents)
{
	(void)ev;
	(void)revents;
	read_err(io->data);
}

/* ---- its output ---- */

static void
set_timer(struct child *c, int ms)
{
	ev_timer_stop(c->proxy->ev, &c->timer);
	ev_timer_set(&c->timer, ms / 1000.0, 0);
	ev_timer_start(c->proxy->ev, &c->timer);
}

/* Gives a line to the owner.  Returns whether more can follow. */
static bool
take_line(struct child *c, struct bytes line)
{
	if (line.len > (size_t)c->route->stdio->message_max) {
		child_kill(c, "a message above message_size");
		return false;
	}
	if (line.len != 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len != 0)
		c->events->message(c, line);
	return c->state != CHILD_KILLED;
}

/* Takes what is a whole line of in, of which the first skip bytes have no end
 * in them.  Returns how much was used. */
static size_t
take_lines(struct child *c, struct bytes in, size_t skip)
{
	size_t used = 0;

	while (!c->paused) {
		const uint8_t *from = in.ptr + used + skip, *end;
		size_t left = in.len - used - skip;

		end = left == 0 ? NULL : memchr(from, '\n', left);
		if (end == NULL)
			break;
		skip = 0;
		left = (size_t)(end - in.ptr) - used;
		used += left + 1;
		if (!take_line(c, bytes_of(end - left, left)))
			return in.len;
	}
	return used;
}

static void
take_out(struct child *c, struct bytes in)
{
	bool kept = buf_len(&c->rx) != 0;
	size_t used;

	if (kept) {
		if (buf_add(&c->rx, in) != 0) {
			child_kill(c, "a message above message_size");
			return;
		}
		in = buf_bytes(&c->rx);
	}
	used = take_lines(c, in, kept ? c->scanned : 0);
	if (kept)
		buf_drop(&c->rx, used);
	else if (used < in.len &&
	    buf_add(&c->rx, bytes_after(in, used)) != 0)
		child_kill(c, "out of memory");
	c->scanned = c->paused ? 0 : buf_len(&c->rx);
	if (buf_len(&c->rx) == 0)
		buf_reset(&c->rx);
	else if (c->scanned > (size_t)c->route->stdio->message_max)
		child_kill(c, "a message above message_size");
}

/* Takes lines that were kept while it was paused. */
static void
take_kept(struct child *c)
{
	if (buf_len(&c->rx) != 0 && c->scanned == 0)
		take_out(c, bytes_of(NULL, 0));
}

static void
end_out(struct child *c)
{
	ev_io_stop(c->proxy->ev, &c->out_io);
	io_close(&c->out_fd);
	if (c->state != CHILD_RUNNING)
		return;
	/* It has probably ended; else it is of no use any more. */
	set_timer(c, CHILD_SILENT_MS);
}

/* Returns whether there may be more. */
static bool
read_out(struct child *c)
{
	struct proxy *p = c->proxy;
	ssize_t n;

	if (c->out_fd == -1)
		return false;
	n = read(c->out_fd, p->in, sizeof p->in);
	if (n > 0) {
		take_out(c, bytes_of(p->in, (size_t)n));
		return (size_t)n == sizeof p->in;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		end_out(c);
	return false;
}

static void
on_out(struct ev_loop *ev, ev_io *io, int revents)
{
	struct child *c = io->data;

	(void)ev;
	(void)revents;
	take_kept(c);
	for (int i = 0; i < PROXY_READS_PER_TURN && !c->paused &&
	    c->state != CHILD_KILLED; i++) {
		if (!read_out(c))
			return;
	}
}

void
child_pause(struct child *c)
{
	c->paused = true;
	ev_io_stop(c->proxy->ev, &c->out_io);
}

void
child_resume(struct child *c)
{
	if (!c->paused || c->out_fd == -1)
		return;
	c->paused = false;
	ev_io_start(c->proxy->ev, &c->out_io);
	/* Lines that were read before are taken from the loop. */
	if (buf_len(&c->rx) != 0)
		ev_feed_event(c->proxy->ev, &c->out_io, EV_READ);
}

/* ---- its input ---- */

static void
drop_input(struct child *c)
{
	ev_io_stop(c->proxy->ev, &c->in_io);
	io_close(&c->in_fd);
	buf_reset(&c->tx);
}

static void
flush(struct child *c)
{
	while (buf_len(&c->tx) != 0) {
		struct bytes out = buf_bytes(&c->tx);
		ssize_t n = write(c->in_fd, out.ptr, out.len);

		if (n > 0) {
			buf_drop(&c->tx, (size_t)n);
			continue;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			ev_io_start(c->proxy->ev, &c->in_io);
		else
			drop_input(c); /* its end says more */
		return;
	}
	ev_io_stop(c->proxy->ev, &c->in_io);
	if (c->tx.size > PROXY_READ_LEN)
		buf_reset(&c->tx);
}

static void
on_in(struct ev_loop *ev, ev_io *io, int revents)
{
	(void)ev;
	(void)revents;
	flush(io->data);
}

int
child_send(struct child *c, struct bytes text, struct message_edit *edits,
    size_t count)
{
	bool waits = buf_len(&c->tx) != 0;

	if (c->in_fd == -1 || message_write(&c->tx, text, edits, count) != 0)
		return -1;
	if (buf_add_str(&c->tx, "\n") != 0) {
		/* Half a line would spoil the next. */
		drop_input(c);
		return -1;
	}
	if (!waits)
		flush(c);
	return 0;
}

/* ---- its end ---- */

static void
set_how(struct child *c, const char *how)
{
	if (how != NULL && c->how[0] == '\0')
		str_format(c->how, sizeof c->how, "%s", how);
}

void
child_stop(struct child *c, const char *how)
{
	if (c->state != CHILD_RUNNING)
		return;
	set_how(c, how);
	c->blamed = how != NULL;
	c->state = CHILD_ENDING;
	drop_input(c);
	child_resume(c);
	set_timer(c, CHILD_GRACE_MS);
}

void
child_kill(struct child *c, const char *how)
{
	if (c->state == CHILD_KILLED || c->state == CHILD_NONE)
		return;
	set_how(c, how);
	if (c->state == CHILD_RUNNING)
		c->blamed = how != NULL;
	c->state = CHILD_KILLED;
	drop_input(c);
	ev_timer_stop(c->proxy->ev, &c->timer);
	ev_io_stop(c->proxy->ev, &c->out_io);
	kill(-c->pid, SIGKILL);
}

static void
on_timer(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct child *c = t->data;

	(void)ev;
	(void)revents;
	switch (c->state) {
	case CHILD_RUNNING:
		child_kill(c, "closed its standard output");
		break;
	case CHILD_ENDING:
		c->state = CHILD_TERMED;
		kill(-c->pid, SIGTERM);
		set_timer(c, CHILD_GRACE_MS);
		break;
	case CHILD_TERMED:
		child_kill(c, NULL);
		break;
	case CHILD_KILLED:
	case CHILD_NONE:
		break;
	}
}

/* Closes everything; the process is collected. */
static void
release(struct child *c)
{
	struct ev_loop *ev = c->proxy->ev;

	drop_input(c);
	ev_timer_stop(ev, &c->timer);
	ev_io_stop(ev, &c->out_io);
	ev_io_stop(ev, &c->err_io);
	ev_io_stop(ev, &c->exit_io);
	io_close(&c->out_fd);
	io_close(&c->err_fd);
	io_close(&c->pid_fd);
	buf_reset(&c->rx);
	buf_reset(&c->err);
	c->state = CHILD_NONE;
}

static void
collect(struct child *c)
{
	int status = 0;

	/* While it is not collected its group has no other owner. */
	kill(-c->pid, SIGKILL);
	if (waitpid(c->pid, &status, 0) != c->pid || c->how[0] != '\0')
		return;
	if (WIFSIGNALED(status))
		str_format(c->how, sizeof c->how, "signal %d",
		    WTERMSIG(status));
	else
		str_format(c->how, sizeof c->how, "exit %d",
		    WEXITSTATUS(status));
}

static void
on_exit_ready(struct ev_loop *ev, ev_io *io, int revents)
{
	struct child *c = io->data;

	(void)ev;
	(void)revents;
	if (c->state != CHILD_KILLED) {
		child_resume(c);
		take_kept(c);
		for (int i = 0; i < CHILD_END_READS && read_out(c); i++)
			;
	}
	for (int i = 0; i < CHILD_END_READS && read_err(c); i++)
		;
	if (buf_len(&c->err) != 0)
		log_err_line(c, buf_bytes(&c->err));
	if (c->state == CHILD_RUNNING)
		c->blamed = true;
	collect(c);
	release(c);
	c->events->ended(c);
}

/* ---- its birth ---- */

/* What a command gets of our environment: nothing that is a secret. */
static bool
is_inherited(const char *variable)
{
	static const char *const names[] = {
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ",
		"LANG", "LC_ALL", "LC_CTYPE",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i]);

		if (str_starts(variable, names[i]) && variable[len] == '=')
			return true;
	}
	return false;
}

static bool
is_given(char *const *given, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (; given != NULL && *given != NULL; given++) {
		if (strncmp(*given, variable, len) == 0)
			return true;
	}
	return false;
}

/* Returns the environment of the command, whose words are not its own; or
 * NULL. */
static char **
environment_new(const struct config_stdio *s)
{
	size_t count = 0, given = 0;
	char **all;

	while (environ[count] != NULL)
		count++;
	while (s->envp != NULL && s->envp[given] != NULL)
		given++;
	all = calloc(count + given + 1, sizeof *all);
	if (all == NULL)
		return NULL;
	for (size_t i = 0; i < given; i++)
		all[i] = s->envp[i];
	for (size_t i = 0; i < count; i++) {
		if (is_inherited(environ[i]) && !is_given(s->envp, environ[i]))
			all[given++] = environ[i];
	}
	return all;
}

/* Three pipes: ours are the ends that do not block. */
static int
open_pipes(int ours[3], int theirs[3])
{
	for (int i = 0; i < 3; i++)
		ours[i] = theirs[i] = -1;
	for (int i = 0; i < 3; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) != 0)
			return -1;
		ours[i] = ends[i == 0 ? 1 : 0];
		theirs[i] = ends[i == 0 ? 0 : 1];
		io_set_nonblock(ours[i], true);
	}
	return 0;
}

static int
launch(struct child *c, struct error *e)
{
	const struct config_stdio *s = c->route->stdio;
	char **envp = environment_new(s);
	int ours[3] = {-1, -1, -1}, theirs[3] = {-1, -1, -1}, r = -1;
	struct proc_command command = {
		.argv = (const char *const *)s->argv, .envp = envp,
		.dir = s->dir, .fds = {-1, -1, -1, -1},
		.death_signal = SIGKILL};

	if (envp == NULL || open_pipes(ours, theirs) != 0) {
		error_errno(e, "%s", s->argv[0]);
		goto out;
	}
	memcpy(command.fds, theirs, sizeof theirs);
	c->pid = proc_spawn(&command, e);
	if (c->pid == -1)
		goto out;
	c->pid_fd = proc_open(c->pid);
	if (c->pid_fd == -1) {
		error_errno(e, "%s: pidfd_open", s->argv[0]);
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		goto out;
	}
	c->in_fd = ours[0];
	c->out_fd = ours[1];
	c->err_fd = ours[2];
	ours[0] = ours[1] = ours[2] = -1;
	r = 0;
out:
	for (int i = 0; i < 3; i++) {
		io_close(&ours[i]);
		io_close(&theirs[i]);
	}
	free(envp);
	return r;
}

static void
watch(struct child *c)
{
	struct ev_loop *ev = c->proxy->ev;

	ev_io_init(&c->exit_io, on_exit_ready, c->pid_fd, EV_READ);
	ev_io_init(&c->in_io, on_in, c->in_fd, EV_WRITE);
	ev_io_init(&c->out_io, on_out, c->out_fd, EV_READ);
	ev_io_init(&c->err_io, on_err, c->err_fd, EV_READ);
	ev_timer_init(&c->timer, on_timer, 0, 0);
	/* Its last words come before its end. */
	ev_set_priority(&c->exit_io, EV_MINPRI);
	c->exit_io.data = c->in_io.data = c->out_io.data = c->err_io.data =
	    c->timer.data = c;
	ev_io_start(ev, &c->exit_io);
	ev_io_start(ev, &c->out_io);
	ev_io_start(ev, &c->err_io);
}

int
child_start(struct child *c, struct proxy *p,
    const struct config_route *route, const struct child_events *events,
    struct error *e)
{
	size_t message_max = (size_t)route->stdio->message_max;

	c->proxy = p;
	c->route = route;
	c->events = events;
	c->pid_fd = c->in_fd = c->out_fd = c->err_fd = -1;
	if (launch(c, e) != 0)
		return -1;
	buf_init(&c->tx, message_max + TX_SLACK);
	buf_init(&c->rx, message_max + LINE_SLACK);
	buf_init(&c->err, CHILD_LOG_LINE_MAX);
	str_format(c->tag, sizeof c->tag, "%s[%ld]", route->origin,
	    (long)c->pid);
	c->state = CHILD_RUNNING;
	watch(c);
	diag_info("%s: started", c->tag);
	return 0;
}
