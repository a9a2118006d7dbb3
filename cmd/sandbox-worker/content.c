/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/content.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/sandbox-worker/content_wire.h"
#include "cmd/sandbox-worker/log.h"
#include "common/io.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/proc.h"

enum {
	SETTINGS_MAX = 128 * 1024,
	OUT_MAX = CONTENT_SESSION_MAX + SETTINGS_MAX + 1024,
	IN_MAX = 256 * 1024,       /* mounts are a few kilobytes */
	PATH_CAP = 4096,
	READ_LEN = 16 * 1024,
};

/* main has taken the credentials out of the environment. */
static const char *const nothing_dropped[] = {NULL};

enum content_state {
	CONTENT_STATE_STARTING,
	CONTENT_STATE_READY,
	CONTENT_STATE_FINISHING, /* content_finish was called */
	CONTENT_STATE_OVER,      /* nothing more will be told */
};

struct content {
	struct ev_loop *loop;
	ev_io io;
	ev_timer limit;        /* for finishing */
	enum content_state state;
	pid_t pid;             /* -1 when it has ended */
	int fd;
	struct buf in, out;
	struct content_events events;
	void *user;
	size_t mount_count;
	struct content_mount mounts[CONTENT_MOUNTS_MAX];
	char paths[CONTENT_MOUNTS_MAX][2][PATH_CAP];
};

/* ---- the end ---- */

static void
close_process(struct content *c, int signal_number)
{
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->limit);
	io_close(&c->fd);
	if (c->pid == -1)
		return;
	if (signal_number != 0)
		kill(c->pid, signal_number);
	while (waitpid(c->pid, NULL, 0) == -1 && errno == EINTR)
		;
	c->pid = -1;
}

static void
tell_failure(struct content *c, const char *text)
{
	enum content_state was = c->state;
	struct error e;

	close_process(c, SIGKILL);
	c->state = CONTENT_STATE_OVER;
	error_set(&e, "skills and memory: %s", text);
	if (was == CONTENT_STATE_STARTING) {
		c->events.ready(c->user, NULL, 0, &e);
		return;
	}
	log_line(DIAG_WARNING, "%s", e.text);
	if (was == CONTENT_STATE_FINISHING)
		c->events.finished(c->user);
}

/* ---- what it says ---- */

static int
read_mount(struct content *c, struct jsonr v, struct error *e)
{
	char (*path)[PATH_CAP] = c->paths[c->mount_count];
	struct content_mount *m = &c->mounts[c->mount_count];

	if (jsonr_get_str(v, "host", path[0], PATH_CAP, e) != 1 ||
	    jsonr_get_str(v, "inside", path[1], PATH_CAP, e) != 1)
		return -1;
	*m = (struct content_mount){.host = path[0], .inside = path[1]};
	if (jsonr_get_bool(v, "read_only", &m->read_only, e) < 0)
		return -1;
	c->mount_count++;
	return 0;
}

static int
read_mounts(struct content *c, struct jsonr list, struct error *e)
{
	struct jsonr_iter i;
	struct jsonr v;

	jsonr_iter_init(&i, list);
	while (c->mount_count < CONTENT_MOUNTS_MAX && jsonr_next(&i, NULL, &v))
		if (read_mount(c, v, e) != 0)
			return -1;
	return 0;
}

static void
take_finished(struct content *c)
{
	if (c->state != CONTENT_STATE_FINISHING)
		return;
	close_process(c, 0);
	c->state = CONTENT_STATE_OVER;
	c->events.finished(c->user);
}

/* Reads READY.  Returns 0 and its error, "" if there is none; or -1 with a
 * text. */
static int
read_ready(struct content *c, struct bytes payload,
    char ret_text[static ERROR_TEXT_MAX], struct error *e)
{
	struct jsonr v, list;

	if (jsonr_parse_object(payload, &v, e) != 0 ||
	    jsonr_get_str(v, "error", ret_text, ERROR_TEXT_MAX, e) < 0 ||
	    jsonr_get(v, "mounts", &list, e) < 0)
		return -1;
	return read_mounts(c, list, e);
}

static void
tell_ready(struct content *c, const char *text)
{
	struct error e;

	if (text[0] == '\0') {
		c->state = CONTENT_STATE_READY;
		c->events.ready(c->user, c->mounts, c->mount_count, NULL);
		return;
	}
	close_process(c, 0);
	c->state = CONTENT_STATE_OVER;
	error_set(&e, "%s", text);
	c->events.ready(c->user, NULL, 0, &e);
}

/* Takes the next message.  Returns whether another may follow at once: a
 * handler may have freed c. */
static bool
take_message(struct content *c)
{
	char text[ERROR_TEXT_MAX] = "";
	struct bytes payload;
	enum content_kind kind = CONTENT_FINISHED;
	ssize_t n = content_take(buf_bytes(&c->in), &kind, &payload);
	struct error e = {.text = "its process said what it may not"};

	if (n == 0)
		return false;
	if (n < 0 || (kind != CONTENT_READY && kind != CONTENT_FINISHED) ||
	    (kind == CONTENT_READY && read_ready(c, payload, text, &e) != 0)) {
		tell_failure(c, e.text);
		return false;
	}
	buf_drop(&c->in, (size_t)n);
	if (kind == CONTENT_FINISHED || (text[0] != '\0' &&
	    c->state == CONTENT_STATE_FINISHING)) {
		take_finished(c);
		return false;
	}
	/* It was told to finish before it was ready. */
	if (c->state == CONTENT_STATE_FINISHING)
		return true;
	if (c->state == CONTENT_STATE_STARTING)
		tell_ready(c, text);
	return false;
}

/* ---- its socket ---- */

static void
watch(struct content *c)
{
	int events = EV_READ | (buf_len(&c->out) != 0 ? EV_WRITE : 0);

	ev_io_stop(c->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(c->loop, &c->io);
}

static bool
write_out(struct content *c)
{
	struct bytes out = buf_bytes(&c->out);
	ssize_t n = out.len == 0 ? 0
	    : send(c->fd, out.ptr, out.len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0) {
		explicit_bzero(c->out.mem + c->out.head, (size_t)n);
		buf_drop(&c->out, (size_t)n);
	}
	return true;
}

/* Returns false when nothing can come anymore. */
static bool
read_in(struct content *c)
{
	uint8_t *room = buf_reserve(&c->in, READ_LEN);
	ssize_t n;

	if (room == NULL)
		return false;
	n = read(c->fd, room, READ_LEN);
	if (n > 0)
		buf_commit(&c->in, (size_t)n);
	return n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR));
}

static void
on_socket(struct ev_loop *loop, ev_io *io, int events)
{
	struct content *c = io->data;

	(void)loop;
	if ((events & EV_WRITE) != 0) {
		if (!write_out(c)) {
			tell_failure(c, "its process has ended");
			return;
		}
		if (buf_len(&c->out) == 0)
			watch(c);
	}
	if ((events & EV_READ) == 0)
		return;
	if (!read_in(c)) {
		tell_failure(c, "its process has ended");
		return;
	}
	while (take_message(c))
		;
}

static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell_failure(timer->data, "not taken away in time");
}

/* ---- starting ---- */

static void
format_log(struct jsonw *w, const struct content_settings *s)
{
	jsonw_key(w, "info");
	jsonw_bool(w, diag_shows(DIAG_INFO));
	jsonw_key(w, "log_json");
	jsonw_bool(w, s->log_json);
	if (s->environment_id != NULL)
		jsonw_key_str(w, "environment_id", s->environment_id);
	if (s->work_id != NULL)
		jsonw_key_str(w, "work_id", s->work_id);
	if (s->session_id != NULL)
		jsonw_key_str(w, "session_id", s->session_id);
}

static int
format_settings(struct buf *out, const struct content_settings *s)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_open(&w, '{');
	if (s->api.base != NULL)
		jsonw_key_str(&w, "base", s->api.base);
	jsonw_key(&w, "allow_http");
	jsonw_bool(&w, s->api.allow_http);
	if (s->api.ca != NULL)
		jsonw_key_str(&w, "ca", s->api.ca);
	if (s->api.headers != NULL)
		jsonw_key_str(&w, "headers", s->api.headers);
	if (s->api.environment_key != NULL)
		jsonw_key_str(&w, "environment_key", s->api.environment_key);
	if (s->api.token != NULL)
		jsonw_key_str(&w, "token", s->api.token);
	jsonw_key_str(&w, "workdir", s->workdir);
	jsonw_key_str(&w, "inside", s->inside);
	jsonw_key_str(&w, "state_dir", s->state_dir);
	jsonw_key_int(&w, "sync_ms", s->sync_ms);
	jsonw_key_int(&w, "deletes", s->deletes);
	format_log(&w, s);
	jsonw_close(&w, '}');
	return jsonw_ok(&w) ? 0 : -1;
}

static int
put_orders(struct content *c, const struct content_settings *s,
    struct bytes session)
{
	struct buf settings;
	int r;

	buf_init(&settings, SETTINGS_MAX);
	r = format_settings(&settings, s);
	if (r == 0)
		r = content_put(&c->out, CONTENT_SETTINGS,
		    buf_bytes(&settings));
	if (r == 0)
		r = content_put(&c->out, CONTENT_SESSION, session);
	if (settings.mem != NULL)
		explicit_bzero(settings.mem, settings.size);
	buf_reset(&settings);
	return r;
}

static int
start_process(struct content *c, struct error *e)
{
	char program[] = "/proc/self/exe", command[] = "content";
	char *argv[] = {program, command, NULL};

	c->pid = proc_start_pair(argv, nothing_dropped, &c->fd, e);
	if (c->pid == -1)
		return -1;
	return io_set_nonblock(c->fd, true) == 0 ? 0
	    : error_errno(e, "content: socket");
}

struct content *
content_start(struct ev_loop *loop, const struct content_settings *s,
    struct bytes session, const struct content_events *events, void *user,
    struct error *e)
{
	struct content *c = calloc(1, sizeof *c);

	if (c == NULL) {
		error_errno(e, "content");
		return NULL;
	}
	c->loop = loop;
	c->events = *events;
	c->user = user;
	c->pid = c->fd = -1;
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, OUT_MAX);
	ev_io_init(&c->io, on_socket, -1, 0);
	ev_timer_init(&c->limit, on_limit, CONTENT_FINISH_MS / 1000.0, 0);
	c->io.data = c->limit.data = c;
	if (put_orders(c, s, session) != 0) {
		error_errno(e, "content: session");
		content_free(c);
		return NULL;
	}
	if (start_process(c, e) != 0) {
		content_free(c);
		return NULL;
	}
	watch(c);
	return c;
}

/* ---- orders ---- */

void
content_sync(struct content *c)
{
	/* One that is not yet written will do. */
	if (c->state != CONTENT_STATE_READY || buf_len(&c->out) != 0)
		return;
	if (content_put(&c->out, CONTENT_SYNC, bytes_of(NULL, 0)) == 0)
		watch(c);
}

/* The event that content_finish owes when there is no process anymore. */
static void
on_nothing_left(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct content *c = timer->data;

	(void)loop;
	(void)events;
	c->state = CONTENT_STATE_OVER;
	c->events.finished(c->user);
}

void
content_finish(struct content *c, bool clean)
{
	uint8_t payload = clean ? 1 : 0;

	if (c->state == CONTENT_STATE_FINISHING)
		return;
	c->state = CONTENT_STATE_FINISHING;
	if (c->pid == -1 || content_put(&c->out, CONTENT_FINISH,
	    bytes_of(&payload, 1)) != 0) {
		close_process(c, SIGKILL);
		ev_timer_init(&c->limit, on_nothing_left, 0, 0);
		c->limit.data = c;
	} else {
		watch(c);
	}
	ev_timer_start(c->loop, &c->limit);
}

void
content_free(struct content *c)
{
	if (c == NULL)
		return;
	close_process(c, SIGKILL);
	if (c->out.mem != NULL)
		explicit_bzero(c->out.mem, c->out.size);
	buf_reset(&c->out);
	buf_reset(&c->in);
	free(c);
}
