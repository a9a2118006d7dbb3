/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/sandbox.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hop.h"
#include "common/jsonr.h"
#include "common/jsonw.h"
#include "common/opt.h"
#include "common/proc.h"
#include "common/str.h"

enum {
	STOP_MS = 5000,           /* before SIGKILL */
	OPEN_MAX_BYTES = FRAME_HELLO_MAX,
	WINDOW = 1 << 20,
};

/* Of the child and its hop, which is in use from GREETING to STOPPING. */
enum sandbox_state {
	SANDBOX_DOWN,     /* it has died; the next call starts another */
	SANDBOX_GREETING, /* HELLO has not come */
	SANDBOX_UP,
	SANDBOX_STOPPING, /* for good */
	SANDBOX_STOPPED,
};

enum sandbox_call {
	SANDBOX_IDLE,
	SANDBOX_CALLING,
	SANDBOX_ANSWERED, /* its result event has come, perhaps not its text */
};

struct sandbox {
	struct sandbox_settings settings;
	const struct sandbox_events *events;
	void *user;
	struct buf policy;
	struct hop_loop loop;
	struct hop hop;
	enum sandbox_state state;
	pid_t pid;                /* 0: none */
	ev_child child;
	ev_timer timer;           /* of building, and of stopping */
	struct chan_stream *session;
	/* The call under way. */
	enum sandbox_call call_state;
	struct chan_stream *call;
	char tool[32];
	struct buf input;
	size_t sent;              /* when all of it, its end too */
	struct buf text;
	struct sandbox_result result;
	struct error why;         /* it died of this */
};

static bool
has_hop(const struct sandbox *s)
{
	return s->state != SANDBOX_DOWN && s->state != SANDBOX_STOPPED;
}

static bool
is_stopping(const struct sandbox *s)
{
	return s->state == SANDBOX_STOPPING || s->state == SANDBOX_STOPPED;
}

/* What happens to it; all that changes its state. */
enum step {
	STEP_STARTED,
	STEP_GREETED,
	STEP_STOP,
	STEP_LOST, /* the hop is down */
};

static void
take_step(struct sandbox *s, enum step step)
{
	switch (step) {
	case STEP_STARTED:
		s->state = SANDBOX_GREETING;
		break;
	case STEP_GREETED:
		s->state = SANDBOX_UP;
		break;
	case STEP_STOP:
		s->state = has_hop(s) ? SANDBOX_STOPPING : SANDBOX_STOPPED;
		break;
	case STEP_LOST:
		s->state = is_stopping(s) ? SANDBOX_STOPPED : SANDBOX_DOWN;
		break;
	}
}

static void
end_call(struct sandbox *s)
{
	s->call_state = SANDBOX_IDLE;
	s->call = NULL;
	buf_reset(&s->input);
}

static void
give_result(struct sandbox *s)
{
	struct buf text = s->text;

	buf_init(&s->text, SANDBOX_TEXT_MAX);
	end_call(s);
	s->result.text = buf_bytes(&text);
	s->events->done(s->user, &s->result);
	buf_reset(&text);
}

/* The call has no result of its own: this says why. */
static void
fail_call(struct sandbox *s, const char *why)
{
	if (s->call_state == SANDBOX_IDLE)
		return;
	s->result = (struct sandbox_result){.is_error = true, .exit = -1};
	buf_clear(&s->text);
	buf_format(&s->text, "Error: %s", why);
	give_result(s);
}

/* ---- frames ---- */

static void
fail(struct sandbox *s, const char *why)
{
	struct error e;

	error_set(&e, "%s", why);
	fail_call(s, why);
	s->events->failed(s->user, &e);
}

/* Writes what the credit allows of the input. */
static void
send_input(struct sandbox *s)
{
	struct bytes left = bytes_after(buf_bytes(&s->input), s->sent);

	if (left.len == 0)
		return;
	s->sent += chan_send(&s->hop.chan, s->call, 0, left);
	if (s->sent == buf_len(&s->input))
		chan_end(&s->hop.chan, s->call);
}

static struct chan_stream *
open_stream(struct sandbox *s, struct buf *json)
{
	struct chan_stream *r = chan_open(&s->hop.chan, buf_bytes(json),
	    NULL);

	buf_reset(json);
	return r;
}

static bool
open_session(struct sandbox *s)
{
	struct buf json;

	buf_init(&json, OPEN_MAX_BYTES);
	buf_add_str(&json, "{\"kind\":\"session\",\"policy\":");
	buf_add(&json, buf_bytes(&s->policy));
	buf_add_str(&json, "}");
	s->session = open_stream(s, &json);
	return s->session != NULL;
}

static bool
open_call(struct sandbox *s)
{
	struct buf json;
	struct jsonw w;

	buf_init(&json, OPEN_MAX_BYTES);
	jsonw_init(&w, &json);
	jsonw_open(&w, '{');
	jsonw_key_str(&w, "kind", "tool");
	jsonw_key_int(&w, "session", s->session->id);
	jsonw_key_str(&w, "tool", s->tool);
	jsonw_key(&w, "live");
	jsonw_bool(&w, true);
	jsonw_close(&w, '}');
	s->call = open_stream(s, &json);
	if (s->call == NULL)
		return false;
	send_input(s);
	return true;
}

static void
on_hello(void *user, struct bytes json)
{
	struct sandbox *s = user;

	hop_accept_any(&s->hop, json);
	if (s->hop.chan.phase != CHAN_ACCEPTED || s->state != SANDBOX_GREETING)
		return;
	take_step(s, STEP_GREETED);
	if (!open_session(s) ||
	    (s->call_state != SANDBOX_IDLE && !open_call(s)))
		hop_close(&s->hop, FRAME_INTERNAL, BLAME_CLIENT,
		    "no stream can be opened");
}

static void
on_open(void *user, struct chan_stream *stream, struct bytes json)
{
	struct sandbox *s = user;

	(void)json;
	chan_reset(&s->hop.chan, stream, FRAME_REFUSED, BLAME_CLIENT,
	    "streams are opened by the initiator");
}

static size_t
on_data(void *user, struct chan_stream *stream, uint16_t channel,
    struct bytes in)
{
	struct sandbox *s = user;

	if (stream != s->call)
		return in.len;
	if (channel != 0) {
		s->events->progress(s->user);
		return in.len;
	}
	/* Our own limit: what is above it is dropped. */
	buf_add(&s->text, in);
	return in.len;
}

static void
on_end(void *user, struct chan_stream *stream)
{
	struct sandbox *s = user;

	if (stream != s->call)
		return;
	if (s->sent < buf_len(&s->input))
		chan_end(&s->hop.chan, stream);
	if (s->call_state == SANDBOX_ANSWERED)
		give_result(s);
	else
		fail_call(s, "the sandbox gave no result");
}

static void
take_result(struct sandbox *s, struct jsonr v)
{
	struct sandbox_result r = {.exit = -1};
	struct error e;

	if (jsonr_get_bool(v, "is_error", &r.is_error, &e) == -1 ||
	    jsonr_get_bool(v, "timed_out", &r.timed_out, &e) == -1 ||
	    jsonr_get_bool(v, "truncated", &r.truncated, &e) == -1 ||
	    jsonr_get_int(v, "exit", -1, INT32_MAX, &r.exit, &e) == -1 ||
	    jsonr_get_int(v, "duration_ms", 0, INT64_MAX, &r.duration_ms,
	    &e) == -1)
		r.is_error = true;
	s->result = r;
	s->call_state = SANDBOX_ANSWERED;
}

static void
take_ready(struct sandbox *s, struct jsonr v)
{
	char workdir[4096];
	struct jsonr isolation;
	struct error e;

	if (jsonr_get_str(v, "workdir", workdir, sizeof workdir, &e) == -1)
		workdir[0] = '\0';
	if (jsonr_get(v, "isolation", &isolation, &e) == -1)
		isolation = (struct jsonr){.kind = JSONR_ABSENT};
	ev_timer_stop(s->settings.ev, &s->timer);
	s->events->ready(s->user, workdir, isolation.text);
}

static void
on_event(void *user, struct chan_stream *stream, struct bytes json)
{
	struct sandbox *s = user;
	struct jsonr v, type;
	struct error e;

	if (stream == NULL || jsonr_parse_object(json, &v, &e) != 0 ||
	    jsonr_get(v, "type", &type, &e) != 1)
		return;
	if (stream == s->session && jsonr_eq_str(type, "ready"))
		take_ready(s, v);
	else if (stream == s->call && jsonr_eq_str(type, "result"))
		take_result(s, v);
}

static void
on_writable(void *user, struct chan_stream *stream)
{
	struct sandbox *s = user;

	if (stream == s->call)
		send_input(s);
}

static void
on_closed(void *user, struct chan_stream *stream,
    const struct frame_reason *why)
{
	struct sandbox *s = user;
	char text[FRAME_TEXT_MAX + 1];

	str_from_bytes(text, sizeof text, why == NULL ?
	    bytes_cstr("the stream has ended") : why->text);
	if (text[0] == '\0')
		str_format(text, sizeof text, "%s", frame_code_name(
		    why == NULL ? FRAME_ABORTED : why->code));
	if (stream == s->call) {
		s->call = NULL;
		fail_call(s, text);
	} else if (stream == s->session) {
		s->session = NULL;
		if (!is_stopping(s) && s->hop.state == HOP_RUNNING)
			fail(s, text);
	}
}

static const struct chan_events events = {
	.hello = on_hello, .open = on_open, .data = on_data, .end = on_end,
	.event = on_event, .writable = on_writable, .closed = on_closed,
};

/* ---- the child ---- */

static void
tell_stopped(struct sandbox *s)
{
	ev_timer_stop(s->settings.ev, &s->timer);
	s->events->stopped(s->user);
}

static void
on_down(void *user, const struct frame_reason *why)
{
	struct sandbox *s = user;
	char text[FRAME_TEXT_MAX + 32];

	str_format(text, sizeof text, "the sandbox has died: %.*s",
	    (int)why->text.len, (const char *)why->text.ptr);
	hop_done(&s->hop);
	take_step(s, STEP_LOST);
	s->session = s->call = NULL;
	if (is_stopping(s))
		return;
	if (s->pid != 0)
		kill(s->pid, SIGKILL);
	fail(s, s->why.text[0] != '\0' ? s->why.text : text);
}

static void
on_child(struct ev_loop *ev, ev_child *w, int revents)
{
	struct sandbox *s = w->data;

	(void)revents;
	ev_child_stop(ev, w);
	s->pid = 0;
	error_set(&s->why, "sandbox-exec ended with status %d",
	    proc_exit_status(w->rstatus));
	if (is_stopping(s))
		tell_stopped(s);
	else if (has_hop(s) && s->hop.state == HOP_RUNNING)
		hop_close(&s->hop, FRAME_ABORTED, BLAME_SANDBOX,
		    s->why.text);
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct sandbox *s = w->data;

	(void)ev;
	(void)revents;
	if (is_stopping(s)) {
		if (s->pid != 0)
			kill(s->pid, SIGKILL);
		else
			tell_stopped(s);
	} else {
		error_set(&s->why, "the sandbox was not ready in %d s",
		    SANDBOX_BUILD_MS / 1000);
		hop_close(&s->hop, FRAME_TIMEOUT, BLAME_SANDBOX,
		    s->why.text);
	}
}

static void
set_timer(struct sandbox *s, int64_t ms)
{
	ev_timer_stop(s->settings.ev, &s->timer);
	ev_timer_set(&s->timer, (double)ms / 1000.0, 0);
	ev_timer_start(s->settings.ev, &s->timer);
}

static int
start_hop(struct sandbox *s, int fd, struct error *e)
{
	struct hop_settings hop = {
		.initiator = true, .events = &events, .down = on_down,
		.user = s, .patient = true,
	};
	struct hop_peer self = {
		.name = "sandbox-worker", .version = ADIT_VERSION_STRING};

	hop.limits.window = WINDOW;
	hop.limits.streams = 8;
	if (hop_start_fds(&s->hop, &s->loop, fd, fd, &hop) != 0)
		return error_errno(e, "sandbox-exec");
	take_step(s, STEP_STARTED);
	hop_send_hello(&s->hop, &self);
	return 0;
}

static int
start(struct sandbox *s, struct error *e)
{
	struct proc_command command = {
		.argv = s->settings.argv, .envp = environ,
		.fds = {-1, -1, STDERR_FILENO, -1}, .death_signal = SIGTERM};
	int fd;

	s->why.text[0] = '\0';
	s->pid = proc_spawn_pair(&command, &fd, e);
	if (s->pid == -1) {
		s->pid = 0;
		return -1;
	}
	ev_child_init(&s->child, on_child, s->pid, 0);
	s->child.data = s;
	ev_child_start(s->settings.ev, &s->child);
	if (start_hop(s, fd, e) != 0)
		return -1;
	set_timer(s, SANDBOX_BUILD_MS);
	return 0;
}

struct sandbox *
sandbox_new(const struct sandbox_settings *settings,
    const struct sandbox_events *ev, void *user, struct error *e)
{
	struct sandbox *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		error_set(e, "out of memory");
		return NULL;
	}
	s->settings = *settings;
	s->events = ev;
	s->user = user;
	buf_init(&s->policy, OPEN_MAX_BYTES);
	buf_init(&s->input, SANDBOX_INPUT_MAX);
	buf_init(&s->text, SANDBOX_TEXT_MAX);
	ev_init(&s->timer, on_timer);
	s->timer.data = s;
	hop_loop_init(&s->loop, settings->ev);
	if (buf_add(&s->policy, settings->policy) != 0)
		error_set(e, "the policy: larger than %d bytes",
		    OPEN_MAX_BYTES);
	else if (start(s, e) == 0)
		return s;
	sandbox_free(s);
	return NULL;
}

void
sandbox_stop(struct sandbox *s)
{
	take_step(s, STEP_STOP);
	sandbox_cancel(s);
	if (has_hop(s))
		hop_close(&s->hop, FRAME_DRAINING, BLAME_CLIENT,
		    "the session is over");
	if (s->pid != 0)
		kill(s->pid, SIGTERM);
	set_timer(s, s->pid != 0 ? STOP_MS : 0);
}

/* Of a child that has died, or was killed, the rest. */
static void
reap(struct sandbox *s)
{
	if (s->pid == 0)
		return;
	ev_child_stop(s->settings.ev, &s->child);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void
sandbox_free(struct sandbox *s)
{
	if (s == NULL)
		return;
	reap(s);
	if (has_hop(s))
		hop_done(&s->hop);
	ev_timer_stop(s->settings.ev, &s->timer);
	ev_ref(s->settings.ev); /* hop_loop_init took it */
	ev_prepare_stop(s->settings.ev, &s->loop.flush);
	ev_idle_stop(s->settings.ev, &s->loop.awake);
	buf_reset(&s->policy);
	buf_reset(&s->input);
	buf_reset(&s->text);
	free(s);
}

int
sandbox_call(struct sandbox *s, const char *tool, struct bytes input,
    struct error *e)
{
	if (input.len > SANDBOX_INPUT_MAX)
		return error_set(e, "the input is larger than %d bytes",
		    SANDBOX_INPUT_MAX);
	if (s->state == SANDBOX_DOWN)
		reap(s);
	if (s->state == SANDBOX_DOWN && start(s, e) != 0)
		return -1;
	if (!has_hop(s) || s->hop.state != HOP_RUNNING)
		return error_set(e, "the sandbox is ending");
	str_format(s->tool, sizeof s->tool, "%s", tool);
	buf_init(&s->input, SANDBOX_INPUT_MAX);
	buf_clear(&s->text);
	s->sent = 0;
	if (buf_add(&s->input, input) != 0)
		return error_set(e, "out of memory");
	s->call_state = SANDBOX_CALLING;
	if (s->state == SANDBOX_GREETING)
		return 0;
	if ((s->session == NULL && !open_session(s)) || !open_call(s)) {
		end_call(s);
		return error_set(e, "no stream can be opened");
	}
	return 0;
}

void
sandbox_cancel(struct sandbox *s)
{
	struct chan_stream *call = s->call;

	if (s->call_state == SANDBOX_IDLE)
		return;
	end_call(s);
	if (call != NULL && has_hop(s))
		chan_reset(&s->hop.chan, call, FRAME_CANCELLED, BLAME_CLIENT,
		    "cancelled");
}
