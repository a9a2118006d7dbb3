/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/local.h"

#include <signal.h>
#include <sys/wait.h>

#include "cmd/tunnel-up/relay.h"
#include "common/diag.h"
#include "common/exit.h"
#include "common/opt.h"
#include "common/proc.h"
#include "common/sock.h"

enum {
	CHILD_RETRY_MIN_MS = 200,
	CHILD_RETRY_MAX_MS = 10000,
	SOCKET_RETRY_MIN_MS = 50, /* connect(2) costs little */
	SOCKET_RETRY_MAX_MS = 1000,
	GRACE_MS = 5000, /* of a child, after its end of file and SIGTERM */
	HURRY_MS = 1000,
	SOCKET_BUFFER_LEN = 512 << 10, /* frames in bulk */
	CONNECTION_EXTRA = 128 << 20, /* for windows to grow */
};

static void begin(struct local *l);

static const char *
local_name(const struct local *l)
{
	return l->settings.path != NULL ? l->settings.path
	    : l->settings.command[0];
}

static void
set_timer(struct local *l, int64_t ms)
{
	ev_timer_stop(l->settings.loop->ev, &l->timer);
	ev_timer_set(&l->timer, (double)ms / 1000, 0);
	ev_timer_start(l->settings.loop->ev, &l->timer);
}

/* ---- the end of one life ---- */

/* A child that can never work says so before it greets: a wrong option or
 * configuration file, exec(2) failing in a wrapper. */
static bool
is_final(const struct local *l)
{
	int status = proc_exit_status(l->wait_status);

	return l->settings.command != NULL && !l->greeted &&
	    WIFEXITED(l->wait_status) && (status == EXIT_USAGE ||
	    status == EXIT_NOT_EXECUTABLE || status == EXIT_NOT_FOUND);
}

static void
describe_child(struct local *l)
{
	if (WIFSIGNALED(l->wait_status))
		error_set(&l->why, "killed by signal %d",
		    WTERMSIG(l->wait_status));
	else
		error_set(&l->why, "ended with status %d",
		    WEXITSTATUS(l->wait_status));
}

static void
try_later(struct local *l)
{
	struct retry_plan plan = retry_failed(&l->retry, l->why.text,
	    clock_ms());

	l->state = LOCAL_WAITING;
	retry_log(&plan, local_name(l), l->why.text);
	set_timer(l, plan.delay_ms);
}

/* Both the hop and the child are gone. */
static void
ended(struct local *l)
{
	ev_timer_stop(l->settings.loop->ev, &l->timer);
	if (l->retired) {
		l->state = LOCAL_STOPPED;
	} else if (is_final(l)) {
		l->exit_status = proc_exit_status(l->wait_status);
		diag_error("%s: %s before its first frame, "
		    "not started again", local_name(l), l->why.text);
		l->state = LOCAL_STOPPED;
	} else {
		try_later(l);
	}
	l->settings.changed(l->settings.user);
}

static void
on_hop_down(void *user, const struct frame_reason *why)
{
	struct local *l = user;
	char text[FRAME_TEXT_MAX + 1];

	str_from_bytes(text, sizeof text, why->text);
	if (l->settings.command == NULL || l->pid != 0)
		error_set(&l->why, "%s: %s", frame_code_name(why->code),
		    text);
	hop_done(&l->hop);
	l->connected = false;
	l->state = LOCAL_ENDING;
	if (l->pid == 0) {
		ended(l);
		return;
	}
	if (l->step == LOCAL_PATIENT)
		set_timer(l, l->stopping ? GRACE_MS : HURRY_MS);
	l->settings.changed(l->settings.user);
}

static void
on_child(struct ev_loop *ev, ev_child *w, int revents)
{
	struct local *l = w->data;

	(void)revents;
	ev_child_stop(ev, w);
	l->pid = 0;
	l->wait_status = w->rstatus;
	describe_child(l);
	l->state = LOCAL_ENDING;
	/* Its last frames may still be in the socket, up to the end of file;
	 * a process that it left behind may hold the socket open. */
	if (l->connected)
		set_timer(l, HURRY_MS);
	else
		ended(l);
}

static void
escalate(struct local *l)
{
	kill(l->pid, l->step == LOCAL_PATIENT ? SIGTERM : SIGKILL);
	if (l->step == LOCAL_PATIENT)
		set_timer(l, GRACE_MS);
	l->step = l->step == LOCAL_PATIENT ? LOCAL_TERMINATED : LOCAL_KILLED;
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct local *l = w->data;

	(void)ev;
	(void)revents;
	if (l->state == LOCAL_WAITING)
		begin(l);
	else if (l->pid != 0)
		escalate(l);
	else if (l->connected)
		hop_close(&l->hop, FRAME_ABORTED, BLAME_PROXY,
		    "the proxy's process ended");
}

static void
pass_hangup(struct local *l)
{
	if (l->hangup && l->pid != 0)
		kill(l->pid, SIGHUP);
	l->hangup = false;
}

/* ---- frames of the local hop ---- */

static void
on_hello(void *user, struct bytes json)
{
	struct local *l = user;

	hop_accept_any(&l->hop, json);
	if (l->hop.chan.phase != CHAN_ACCEPTED || l->state != LOCAL_STARTING)
		return;
	l->state = LOCAL_UP;
	l->greeted = true;
	l->hop.settings.patient = false;
	retry_worked(&l->retry, clock_ms());
	pass_hangup(l);
	diag_notice("local up: name=%s", local_name(l));
	l->settings.changed(l->settings.user);
}

static void
on_goaway(void *user, const struct frame_reason *why, uint32_t last)
{
	struct local *l = user;
	char text[FRAME_TEXT_MAX + 1];

	(void)last;
	if (why->code == FRAME_DRAINING)
		return;
	str_from_bytes(text, sizeof text, why->text);
	hop_close(&l->hop, (enum frame_code)why->code,
	    (enum frame_blame)why->blame, text);
}

static void
on_open(void *user, struct chan_stream *s, struct bytes json)
{
	struct local *l = user;

	(void)json;
	chan_reset(&l->hop.chan, s, FRAME_REFUSED, BLAME_CONNECTOR,
	    "streams are opened by the edge");
}

static void
on_closed(void *user, struct chan_stream *s, const struct frame_reason *why)
{
	const struct local *l = user;
	struct frame_reason lost = {
		.code = FRAME_ABORTED, .blame = BLAME_PROXY,
		.text = bytes_cstr("the proxy went away"),
	};

	relay_closed(s, l->hop.state == HOP_RUNNING ? why : &lost);
}

static const struct chan_events events = {
	.hello = on_hello, .goaway = on_goaway,
	.open = on_open, .data = relay_data, .end = relay_end,
	.event = relay_event, .writable = relay_writable,
	.closed = on_closed,
};

/* ---- the beginning ---- */

static int
start_hop(struct local *l, int fd, struct error *e)
{
	struct hop_settings hop = {
		.initiator = true, .ping_ms = l->settings.ping_ms,
		.events = &events, .down = on_hop_down, .user = l,
		/* How long a child takes to start is its own affair. */
		.patient = l->settings.command != NULL,
	};
	struct hop_peer self = {
		.name = "tunnel-up", .version = ADIT_VERSION_STRING};
	uint64_t window = 2ULL * l->settings.streams * CHAN_WINDOW_DEFAULT +
	    CONNECTION_EXTRA;

	hop.limits.streams = l->settings.streams;
	hop.limits.connection_window = window > UINT32_MAX ? UINT32_MAX
	    : (uint32_t)window;
	if (hop_start_fds(&l->hop, l->settings.loop, fd, fd, &hop) != 0)
		return error_errno(e, "%s", local_name(l));
	l->connected = true;
	hop_send_hello(&l->hop, &self);
	return 0;
}

static int
start_child(struct local *l, struct error *e)
{
	int fd;

	l->pid = proc_start_pair(l->settings.command, l->settings.drop_env,
	    &fd, e);
	if (l->pid == -1) {
		l->pid = 0;
		return -1;
	}
	ev_child_set(&l->child, l->pid, 0);
	ev_child_start(l->settings.loop->ev, &l->child);
	if (start_hop(l, fd, e) != 0)
		l->state = LOCAL_ENDING; /* the child sees its end of file */
	return 0;
}

static int
start_once(struct local *l, struct error *e)
{
	int fd, len = SOCKET_BUFFER_LEN;

	l->step = LOCAL_PATIENT;
	l->greeted = l->hangup = false;
	l->wait_status = 0;
	l->state = LOCAL_STARTING;
	if (l->settings.command != NULL)
		return start_child(l, e);
	fd = sock_connect_unix(l->settings.path, e);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof len);
	return start_hop(l, fd, e);
}

/* Drops the name that try_later puts in front of the reason. */
static void
keep_reason(struct local *l, const struct error *e)
{
	size_t n = strlen(local_name(l));
	bool named = strncmp(e->text, local_name(l), n) == 0 &&
	    e->text[n] == ':';

	error_set(&l->why, "%s", named ? e->text + n + 2 : e->text);
}

static void
begin(struct local *l)
{
	struct error e;

	if (start_once(l, &e) == 0)
		return;
	keep_reason(l, &e);
	ended(l);
}

int
local_start(struct local *l, const struct local_settings *settings,
    struct error *e)
{
	bool child = settings->command != NULL;

	memset(l, 0, sizeof *l);
	l->settings = *settings;
	retry_init(&l->retry,
	    child ? CHILD_RETRY_MIN_MS : SOCKET_RETRY_MIN_MS,
	    child ? CHILD_RETRY_MAX_MS : SOCKET_RETRY_MAX_MS);
	ev_init(&l->timer, on_timer);
	ev_init(&l->child, on_child);
	l->timer.data = l->child.data = l;
	if (start_once(l, e) == 0)
		return 0;
	if (child) {
		l->state = LOCAL_STOPPED;
		return -1;
	}
	keep_reason(l, e);
	try_later(l);
	return 0;
}

struct chan *
local_chan(struct local *l)
{
	return l->state == LOCAL_UP ? &l->hop.chan : NULL;
}

void
local_hangup(struct local *l)
{
	if (l->state == LOCAL_WAITING) {
		retry_forget(&l->retry);
		ev_timer_stop(l->settings.loop->ev, &l->timer);
		begin(l);
		return;
	}
	l->hangup = true;
	if (l->state == LOCAL_UP)
		pass_hangup(l);
}

void
local_retire(struct local *l)
{
	l->retired = true;
	if (l->state == LOCAL_WAITING)
		ended(l);
}

void
local_stop(struct local *l)
{
	l->stopping = true;
	local_retire(l);
	if (l->connected)
		hop_close(&l->hop, FRAME_DRAINING, BLAME_CONNECTOR, "");
}

void
local_hurry(struct local *l)
{
	local_stop(l);
	if (l->pid == 0 || l->step != LOCAL_PATIENT)
		return;
	escalate(l);
	set_timer(l, HURRY_MS);
}

void
local_done(struct local *l)
{
	ev_timer_stop(l->settings.loop->ev, &l->timer);
	ev_child_stop(l->settings.loop->ev, &l->child);
	if (l->connected)
		hop_done(&l->hop);
	l->connected = false;
	if (l->pid != 0) {
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
	}
}
