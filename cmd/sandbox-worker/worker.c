/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/sandbox-worker/claim.h"
#include "cmd/sandbox-worker/dispatch.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/secret.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/proc.h"
#include "common/str.h"

enum {
	SCRIPT_GRACE_MS = 30000, /* the vendor's */
	ITEM_GRACE_MS = 60000,   /* the sum of what item.h allows, and more */
	ARGS_MAX = 2 * OPT_LIST_MAX + 64,
	NUMBER_LEN = 32,
	VARIABLES_MAX = 1024,
	STOP_ANSWER_MAX = 1 << 20,
};

static void
release_slot(struct worker *w)
{
	struct dispatch *d = w->dispatch;

	ev_timer_stop(d->ev, &w->grace);
	if (w->report_fd != -1)
		ev_io_stop(d->ev, &w->reader);
	io_close(&w->report_fd);
	buf_reset(&w->line);
	w->used = false;
	d->count--;
	d->metrics.sessions = d->count;
	dispatch_advance(d);
}

/* ---- what a session's process says ---- */

static void
take_lines(struct worker *w)
{
	struct bytes in = buf_bytes(&w->line);
	const uint8_t *end;

	while (in.len != 0 && (end = memchr(in.ptr, '\n', in.len)) != NULL) {
		size_t n = (size_t)(end - in.ptr);

		metrics_take(&w->dispatch->metrics, bytes_of(in.ptr, n));
		report_line(&w->dispatch->report, bytes_of(in.ptr, n));
		buf_drop(&w->line, n + 1);
		in = buf_bytes(&w->line);
	}
	if (buf_len(&w->line) == DISPATCH_LINE_MAX)
		buf_clear(&w->line);
}

/* Returns whether there may be more. */
static bool
read_report(struct worker *w)
{
	size_t room = DISPATCH_LINE_MAX - buf_len(&w->line);
	uint8_t *at = buf_reserve(&w->line, room);
	ssize_t n = at == NULL ? -1 : read(w->report_fd, at, room);

	if (n <= 0)
		return n == -1 && errno == EINTR;
	buf_commit(&w->line, (size_t)n);
	take_lines(w);
	return true;
}

static void
report_readable(struct ev_loop *ev, ev_io *io, int revents)
{
	struct worker *w = io->data;

	(void)revents;
	if (!read_report(w) && errno != EAGAIN)
		ev_io_stop(ev, io);
}

/* ---- the end of one ---- */

static void
stop_done(void *user, struct api_response *r, const struct error *e)
{
	struct worker *w = user;
	struct error why;

	w->stop = NULL;
	if (e != NULL) {
		log_line(DIAG_WARNING, "%s: stopping it: %s", w->work.id,
		    e->text);
	} else if (!api_is_success(r->status) && r->status != 409) {
		api_describe(r, &why);
		log_line(DIAG_WARNING, "%s: stopping it: %s", w->work.id,
		    why.text);
	}
	release_slot(w);
}

static const struct api_events stop_events = {.done = stop_done};

/* The vendor's contract: when the script has ended the item is stopped, and
 * not by force. */
static void
stop_item(struct worker *w)
{
	char path[DISPATCH_PATH_MAX];
	struct api_request r = {
		.method = "POST", .path = path, .beta = API_BETA_AGENTS,
		.helper = API_HELPER_POLLER, .max = STOP_ANSWER_MAX,
		.to_fd = -1, .retries = API_RETRIES, .final_conflict = true,
		.environment_key = true, .body = bytes_cstr("{}"),
		.timeout_ms = 10000,
	};
	struct error e;

	dispatch_path(&w->work, "/stop", path);
	w->stop = api_start(w->dispatch->api, &r, &stop_events, w, &e);
	if (w->stop == NULL)
		release_slot(w);
}

static void
child_ended(struct ev_loop *ev, ev_child *c, int revents)
{
	struct worker *w = c->data;
	struct dispatch *d = w->dispatch;
	int status = proc_exit_status(c->rstatus);

	(void)revents;
	ev_child_stop(ev, c);
	ev_timer_stop(ev, &w->grace);
	w->pid = 0;
	while (w->report_fd != -1 && read_report(w))
		;
	metrics_add(&d->metrics, status == EXIT_OK ? METRIC_DONE
	    : METRIC_FAILED);
	if (status == EXIT_OK)
		metrics_progress(&d->metrics);
	log_line(status == EXIT_OK ? DIAG_NOTICE : DIAG_WARNING,
	    "item done: work=%s session=%s status=%d", w->work.id,
	    w->work.session_id, status);
	report_begin(&d->report, "done");
	jsonw_key_str(&d->report.w, "work_id", w->work.id);
	jsonw_key_str(&d->report.w, "session_id", w->work.session_id);
	jsonw_key_int(&d->report.w, "status", status);
	report_end(&d->report);
	if (w->script)
		stop_item(w);
	else
		release_slot(w);
}

static void
grace_over(struct ev_loop *ev, ev_timer *t, int revents)
{
	struct worker *w = t->data;

	(void)ev;
	(void)revents;
	if (w->pid == 0)
		return;
	log_line(DIAG_WARNING, "%s: killed after SIGTERM did not end it",
	    w->work.id);
	kill(-w->pid, SIGKILL);
	kill(w->pid, SIGKILL);
}

void
worker_stop_all(struct dispatch *d)
{
	for (size_t n = 0; n < SETTINGS_SESSIONS_MAX; n++) {
		struct worker *w = &d->workers[n];

		if (!w->used || w->pid == 0)
			continue;
		kill(w->pid, SIGTERM);
		ev_timer_stop(d->ev, &w->grace);
		ev_timer_set(&w->grace, (w->script ? SCRIPT_GRACE_MS
		    : ITEM_GRACE_MS) / 1000.0, 0);
		ev_timer_start(d->ev, &w->grace);
	}
}

/* ---- the beginning of one ---- */

struct arguments {
	const char *at[ARGS_MAX + 1];
	size_t count;
	char numbers[4][NUMBER_LEN];
	size_t numbers_count;
};

static void
add(struct arguments *a, const char *option, const char *value)
{
	if (value == NULL)
		return;
	a->at[a->count++] = option;
	a->at[a->count++] = value;
	a->at[a->count] = NULL;
}

static void
add_flag(struct arguments *a, const char *option, bool value)
{
	if (value)
		a->at[a->count++] = option;
	a->at[a->count] = NULL;
}

static void
add_time(struct arguments *a, const char *option, int64_t ms)
{
	char *text = a->numbers[a->numbers_count++];

	str_format(text, NUMBER_LEN, "%lldms", (long long)ms);
	add(a, option, text);
}

/* The command line of sandbox-worker run; nothing in it is secret. */
static void
fill_arguments(struct arguments *a, const struct settings *s)
{
	*a = (struct arguments){.at = {"sandbox-worker", "run"}, .count = 2};
	add(a, "--item-fd", "0");
	add(a, "--status-fd", "3");
	add(a, "--base-url", s->base);
	add_flag(a, "--allow-http", s->allow_http);
	add(a, "--ca", s->ca);
	add(a, "--workdir", s->workdir);
	add(a, "--workspaces", s->workspaces);
	add(a, "--outputs", s->outputs);
	add(a, "--state", s->state);
	add(a, "--max-idle", s->max_idle);
	add_time(a, "--tool-timeout", s->tool_ms);
	add_time(a, "--stall-timeout", s->stall_ms);
	add(a, "--memory-sync", s->sync);
	add(a, "--memory-deletions", s->deletes);
	add(a, "--policy", s->policy);
	add(a, "--policy-jq", s->policy_jq);
	for (size_t n = 0; n < s->require.count; n++)
		add(a, "--require", s->require.at[n]);
	add(a, "--sandbox-exec", s->sandbox_exec);
	add(a, "--audit", s->audit);
	add_flag(a, "--audit-input", s->audit_input);
	add(a, "--log-format", s->log_format);
	add_flag(a, "--quiet", !diag_shows(DIAG_WARNING));
	add_flag(a, "--verbose", diag_shows(DIAG_INFO));
	add_flag(a, "--verbose", diag_shows(DIAG_DEBUG));
}

/* A pipe that holds the item and the key.  It does not block: one that is
 * smaller than usual, since there are many (pipe(7)), would wait for ever.
 * Returns its end to read, or -1 with a text. */
static int
open_item(struct dispatch *d, struct error *e)
{
	int ends[2] = {-1, -1}, r = -1;
	struct claim_keys keys = {
		.key = d->settings->key, .headers = d->settings->headers,
	};
	struct buf json;

	buf_init(&json, CLAIM_MAX);
	if (claim_write(&json, &d->work, &keys) != 0)
		error_set(e, "the work item is larger than %d bytes",
		    CLAIM_MAX);
	else if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		error_errno(e, "pipe");
	else if (io_write_all(ends[1], buf_bytes(&json)) != 0)
		error_errno(e, "pipe");
	else
		r = 0;
	if (json.mem != NULL)
		secret_wipe(json.mem, json.size);
	buf_reset(&json);
	io_close(&ends[1]);
	if (r != 0)
		io_close(&ends[0]);
	return ends[0];
}

static int
start_item(struct worker *w, struct error *e)
{
	struct dispatch *d = w->dispatch;
	struct arguments args;
	/* If this process is killed, so are they: the lease lapses, and the
	 * next worker finds the session as it was. */
	struct proc_command command = {.path = "/proc/self/exe",
		.argv = args.at, .envp = environ,
		.fds = {-1, STDERR_FILENO, STDERR_FILENO, -1},
		.death_signal = SIGKILL};
	int pipe_fds[2];

	fill_arguments(&args, d->settings);
	command.fds[0] = open_item(d, e);
	if (command.fds[0] == -1)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
		close(command.fds[0]);
		return error_errno(e, "pipe");
	}
	command.fds[3] = pipe_fds[1];
	w->pid = proc_spawn(&command, e);
	close(command.fds[0]);
	close(pipe_fds[1]);
	w->report_fd = pipe_fds[0];
	ev_io_init(&w->reader, report_readable, w->report_fd, EV_READ);
	w->reader.data = w;
	ev_io_start(d->ev, &w->reader);
	return w->pid == -1 ? -1 : 0;
}

/* ---- a script ---- */

struct variables {
	char *at[VARIABLES_MAX + 1];
	size_t count, borrowed; /* the first ones are not ours to free */
};

static bool
is_named(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

/* The poller's own variables, all but those that are set anew. */
static void
borrow(struct variables *v, char *const *from)
{
	static const char *const set[] = {
		"ANTHROPIC_ENVIRONMENT_ID", "ANTHROPIC_ENVIRONMENT_KEY",
		"ANTHROPIC_SESSION_ID", "ANTHROPIC_WORK_ID",
		"ANTHROPIC_WORK_SECRET", "ANTHROPIC_BASE_URL",
	};

	for (; *from != NULL && v->count < VARIABLES_MAX - 8; from++) {
		bool taken = false;

		for (size_t n = 0; n < sizeof set / sizeof set[0]; n++)
			taken = taken || is_named(*from, set[n]);
		if (!taken)
			v->at[v->count++] = *from;
	}
	v->borrowed = v->count;
	v->at[v->count] = NULL;
}

static int
set(struct variables *v, const char *name, const char *value)
{
	if (value == NULL)
		return 0;
	if (asprintf(&v->at[v->count], "%s=%s", name, value) == -1) {
		v->at[v->count] = NULL;
		return -1;
	}
	v->at[++v->count] = NULL;
	return 0;
}

static void
free_variables(struct variables *v)
{
	for (size_t n = v->borrowed; n < v->count; n++) {
		secret_wipe(v->at[n], strlen(v->at[n]));
		free(v->at[n]);
	}
}

/* The item as it came, in a file that is nowhere. */
static int
open_script_input(struct dispatch *d, struct error *e)
{
	int fd = memfd_create("work", MFD_CLOEXEC);

	if (fd == -1 || io_write_all(fd, buf_bytes(&d->item)) != 0 ||
	    io_write_all(fd, bytes_cstr("\n")) != 0 ||
	    lseek(fd, 0, SEEK_SET) != 0) {
		error_errno(e, "the work item");
		io_close(&fd);
	}
	return fd;
}

static int
start_script(struct worker *w, struct error *e)
{
	const struct settings *s = w->dispatch->settings;
	const char *const argv[] = {s->on_work, NULL};
	struct variables v = {.count = 0};
	struct proc_command command = {.argv = argv, .envp = v.at,
		.fds = {-1, STDERR_FILENO, STDERR_FILENO, -1},
		.death_signal = SIGTERM};

	borrow(&v, environ);
	borrow(&v, settings_variables());
	w->script = true;
	command.fds[0] = open_script_input(w->dispatch, e);
	if (command.fds[0] == -1)
		return -1;
	if (set(&v, "ANTHROPIC_ENVIRONMENT_ID", w->work.environment_id) != 0
	    || set(&v, "ANTHROPIC_ENVIRONMENT_KEY", s->key) != 0 ||
	    set(&v, "ANTHROPIC_SESSION_ID", w->work.session_id) != 0 ||
	    set(&v, "ANTHROPIC_WORK_ID", w->work.id) != 0 ||
	    set(&v, "ANTHROPIC_BASE_URL", s->base) != 0)
		w->pid = error_set(e, "out of memory");
	else
		w->pid = proc_spawn(&command, e);
	free_variables(&v);
	close(command.fds[0]);
	return w->pid == -1 ? -1 : 0;
}

/* ---- either ---- */

static struct worker *
find_slot(struct dispatch *d)
{
	for (size_t n = 0; n < SETTINGS_SESSIONS_MAX; n++) {
		if (!d->workers[n].used)
			return &d->workers[n];
	}
	return NULL;
}

int
worker_start(struct dispatch *d, struct error *e)
{
	struct worker *w = find_slot(d);
	int r;

	if (w == NULL)
		return error_set(e, "no session more can be begun");
	*w = (struct worker){.dispatch = d, .used = true, .report_fd = -1};
	w->work = d->work;
	secret_wipe(w->work.secret, sizeof w->work.secret);
	buf_init(&w->line, DISPATCH_LINE_MAX);
	ev_init(&w->grace, grace_over);
	w->grace.data = w;
	d->count++;
	r = d->settings->on_work == NULL ? start_item(w, e)
	    : start_script(w, e);
	if (r != 0) {
		int code = e->code;

		w->pid = 0;
		release_slot(w);
		e->code = code;
		return -1;
	}
	d->metrics.sessions = d->count;
	ev_child_init(&w->child, child_ended, w->pid, 0);
	w->child.data = w;
	ev_child_start(d->ev, &w->child);
	return 0;
}
