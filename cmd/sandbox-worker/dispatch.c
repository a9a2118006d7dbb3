/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/dispatch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/sandbox-worker/command.h"
#include "cmd/sandbox-worker/judge.h"
#include "cmd/sandbox-worker/leftover.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/needs.h"
#include "cmd/sandbox-worker/secret.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/io.h"
#include "common/str.h"

enum {
	WAKE_IDLE_MS = 300000, /* between polls that nobody asked for */
	WAKE_LEN = 256,
	SHORT_MS = 30000, /* of an attempt: a poll waits for less than 1 s */
};

static uint32_t
random_number(void)
{
	uint32_t r;

	random_bytes(&r, sizeof r);
	return r;
}

static void
set_timer(struct dispatch *d, int64_t ms)
{
	ev_timer_stop(d->ev, &d->timer);
	ev_now_update(d->ev);
	ev_timer_set(&d->timer, (double)ms / 1000.0, 0);
	ev_timer_start(d->ev, &d->timer);
}

void
dispatch_path(const struct work *w, const char *tail,
    char out[static DISPATCH_PATH_MAX])
{
	str_format(out, DISPATCH_PATH_MAX, "/v1/environments/");
	api_append(out, DISPATCH_PATH_MAX, w->environment_id);
	str_format(out + strlen(out), DISPATCH_PATH_MAX - strlen(out), "/work"
	    "/");
	api_append(out, DISPATCH_PATH_MAX, w->id);
	str_format(out + strlen(out), DISPATCH_PATH_MAX - strlen(out), "%s",
	    tail);
}

/* Nothing new is begun; what runs may end by itself. */
static void
stop_polling(struct dispatch *d)
{
	d->stopping = true;
	ev_timer_stop(d->ev, &d->timer);
	api_cancel(d->poll);
	d->poll = NULL;
	dispatch_advance(d);
}

static void
fail(struct dispatch *d, int status, const char *text)
{
	log_line(DIAG_ERROR, "%s", text);
	d->status = status;
	stop_polling(d);
}

static struct api_job *
request(struct dispatch *d, struct api_request *r,
    const struct api_events *events)
{
	struct api_job *j;
	struct error e;

	r->beta = API_BETA_AGENTS;
	r->helper = API_HELPER_POLLER;
	r->max = WORK_ANSWER_MAX;
	r->to_fd = -1;
	r->retries = API_RETRIES;
	r->environment_key = true;
	r->timeout_ms = SHORT_MS;
	j = api_start(d->api, r, events, d, &e);
	if (j == NULL)
		fail(d, EXIT_TEMPORARY, e.text);
	return j;
}

/* ---- an item ---- */

static void
forget_item(struct dispatch *d)
{
	secret_wipe(&d->work, sizeof d->work);
	if (d->item.mem != NULL)
		secret_wipe(d->item.mem, d->item.size);
	buf_reset(&d->item);
}

static void
end_done(void *user, struct api_response *r, const struct error *e)
{
	struct dispatch *d = user;
	struct error why;

	d->end = NULL;
	if (e != NULL) {
		log_line(DIAG_WARNING, "%s: ending it: %s", d->work.id,
		    e->text);
	} else if (!api_is_success(r->status) && r->status != 409) {
		api_describe(r, &why);
		log_line(DIAG_WARNING, "%s: ending it: %s", d->work.id,
		    why.text);
	}
	forget_item(d);
	set_timer(d, pace_failed(&d->pace, random_number()));
	dispatch_advance(d);
}

static const struct api_events end_events = {.done = end_done};

/* An item that nobody will do. */
static void
end_item(struct dispatch *d, bool force)
{
	char path[DISPATCH_PATH_MAX];
	struct api_request r = {
		.method = "POST", .path = path, .final_conflict = true,
		.body = bytes_cstr(force ? "{\"force\":true}" : "{}"),
	};

	dispatch_path(&d->work, "/stop", path);
	d->end = request(d, &r, &end_events);
}

static void
start_item(struct dispatch *d)
{
	struct error e;

	report_begin(&d->report, "claimed");
	jsonw_key_str(&d->report.w, "work_id", d->work.id);
	jsonw_key_str(&d->report.w, "session_id", d->work.session_id);
	report_end(&d->report);
	if (worker_start(d, &e) == 0) {
		forget_item(d);
		dispatch_advance(d);
		return;
	}
	end_item(d, false);
	/* A script that cannot be run, now or ever, is a mistake. */
	if (e.code == EXIT_NOT_FOUND || e.code == EXIT_NOT_EXECUTABLE)
		fail(d, e.code, e.text);
	else
		log_line(DIAG_ERROR, "%s", e.text);
}

static void
take_item(struct dispatch *d)
{
	uint32_t before = pace_claimed(&d->pace, d->work.id);
	bool session = str_eq(d->work.type, "session");

	metrics_add(&d->metrics, METRIC_CLAIMS);
	log_line(DIAG_NOTICE, "item claimed: work=%s type=%s session=%s",
	    d->work.id, d->work.type, d->work.session_id);
	if (d->stopping) {
		end_item(d, true);
	} else if (before >= PACE_CLAIMS_MAX) {
		log_line(DIAG_WARNING, "%s: it was claimed %u times before: "
		    "it is ended", d->work.id, before);
		metrics_add(&d->metrics, METRIC_ENDED_REOFFERS);
		end_item(d, true);
	} else if (d->settings->on_work != NULL && !session) {
		end_item(d, false);
	} else {
		start_item(d);
	}
}

static void
ack_done(void *user, struct api_response *r, const struct error *e)
{
	struct dispatch *d = user;
	struct error why;

	d->ack = NULL;
	if (e == NULL && api_is_success(r->status)) {
		take_item(d);
		return;
	}
	/* 404: it was given to somebody else, or is gone. */
	if (e == NULL)
		api_describe(r, &why);
	log_line(DIAG_WARNING, "%s: accepting it: %s", d->work.id,
	    e != NULL ? e->text : why.text);
	metrics_add(&d->metrics, METRIC_ACK_FAILURES);
	forget_item(d);
	set_timer(d, pace_failed(&d->pace, random_number()));
	dispatch_advance(d);
}

static const struct api_events ack_events = {.done = ack_done};

static void
accept_item(struct dispatch *d)
{
	char path[DISPATCH_PATH_MAX];
	struct api_request r = {.method = "POST", .path = path};

	dispatch_path(&d->work, "/ack", path);
	d->ack = request(d, &r, &ack_events);
}

/* ---- polling ---- */

static void
poll_failed(struct dispatch *d, const char *why, int64_t least_ms)
{
	int64_t ms = pace_failed(&d->pace, random_number());

	ms = ms < least_ms ? least_ms : ms;
	metrics_add(&d->metrics, METRIC_POLL_FAILURES);
	log_line(DIAG_WARNING, "polling: %s, tried again in %lld ms", why,
	    (long long)ms);
	set_timer(d, ms);
}

static void
poll_empty(struct dispatch *d)
{
	enum diag_level level;
	int64_t ms = pace_empty(&d->pace, clock_ms(), random_number(),
	    &level);

	metrics_add(&d->metrics, METRIC_EMPTY);
	metrics_progress(&d->metrics);
	log_line(level, "no work, polling goes on");
	if (d->settings->drain) {
		stop_polling(d);
		return;
	}
	if (d->settings->wake_fd != -1)
		ms = d->woken ? 0 : WAKE_IDLE_MS;
	set_timer(d, ms);
}

static void
take_answer(struct dispatch *d, struct api_response *r)
{
	struct error e;

	switch (work_parse(buf_bytes(&r->body), d->settings->environment_id,
	    &d->work, &e)) {
	case 0:
		poll_empty(d);
		break;
	case 1:
		d->item = r->body;
		buf_init(&r->body, 0);
		accept_item(d);
		break;
	default:
		poll_failed(d, e.text, 0);
		break;
	}
}

static void
poll_done(void *user, struct api_response *r, const struct error *e)
{
	struct dispatch *d = user;
	struct error why;

	d->poll = NULL;
	metrics_add(&d->metrics, METRIC_POLLS);
	if (e != NULL) {
		poll_failed(d, e->text, r->retry_after_ms);
	} else if (api_is_success(r->status)) {
		take_answer(d, r);
	} else {
		api_describe(r, &why);
		if (!api_is_fatal(r->status)) {
			poll_failed(d, why.text, r->retry_after_ms);
		} else {
			error_prefix(&why, "polling");
			fail(d, EXIT_PERMANENT, why.text);
		}
	}
	dispatch_advance(d);
}

static const struct api_events poll_events = {.done = poll_done};

static void
poll_queue(struct dispatch *d)
{
	const struct settings *s = d->settings;
	char path[DISPATCH_PATH_MAX] = "/v1/environments/";
	struct api_request r = {
		.method = "GET", .path = path, .worker_id = d->worker_id};
	const char *separator = "?";

	api_append(path, sizeof path, s->environment_id);
	str_format(path + strlen(path), sizeof path - strlen(path),
	    "/work" "/poll");
	if (s->block_ms != 0) {
		str_format(path + strlen(path), sizeof path - strlen(path),
		    "?block_ms=%lld", (long long)s->block_ms);
		separator = "&";
	}
	if (s->reclaim_ms != 0)
		str_format(path + strlen(path), sizeof path - strlen(path),
		    "%sreclaim_older_than_ms=%lld", separator,
		    (long long)s->reclaim_ms);
	d->woken = false;
	d->poll = request(d, &r, &poll_events);
}

/* ---- the whole ---- */

void
dispatch_advance(struct dispatch *d)
{
	bool busy = d->poll != NULL || d->ack != NULL || d->end != NULL;

	if (d->stopping) {
		if (!busy && d->count == 0)
			ev_break(d->ev, EVBREAK_ALL);
		return;
	}
	if (!busy && d->count < (size_t)d->settings->max_sessions &&
	    !ev_is_active(&d->timer))
		set_timer(d, 0);
}

static void
timer_due(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct dispatch *d = w->data;

	(void)ev;
	(void)revents;
	if (d->poll == NULL && d->ack == NULL && d->end == NULL &&
	    !d->stopping && d->count < (size_t)d->settings->max_sessions)
		poll_queue(d);
}

static void
end_all(struct dispatch *d)
{
	if (!d->stopping)
		log_line(DIAG_NOTICE, "ending: %zu sessions are under way",
		    d->count);
	io_notify("STOPPING=1");
	worker_stop_all(d);
	stop_polling(d);
}

/* Whoever wakes us is gone when there is an end. */
static void
wake_came(struct ev_loop *ev, ev_io *w, int revents)
{
	struct dispatch *d = w->data;
	char in[WAKE_LEN];
	ssize_t n = read(w->fd, in, sizeof in);

	(void)revents;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ev_io_stop(ev, w);
		end_all(d);
		return;
	}
	d->woken = true;
	if (!d->stopping && d->poll == NULL && d->ack == NULL &&
	    d->end == NULL)
		set_timer(d, 0);
}

static void
say_metrics(const struct error *e)
{
	log_line(DIAG_WARNING, "%s", e->text);
}

static int
start_metrics(struct dispatch *d, struct error *e)
{
	const struct promfile_settings s = {.path = d->settings->metrics,
		.format = metrics_format, .failed = say_metrics,
		.user = &d->metrics};

	metrics_init(&d->metrics, (size_t)d->settings->max_sessions);
	return promfile_start(&d->promfile, d->ev, &s, e);
}

static void
signal_came(struct ev_loop *ev, ev_signal *w, int revents)
{
	(void)ev;
	(void)revents;
	end_all(w->data);
}

static void
start_watchers(struct dispatch *d)
{
	ev_init(&d->timer, timer_due);
	d->timer.data = d;
	ev_signal_init(&d->term, signal_came, SIGTERM);
	ev_signal_init(&d->interrupt, signal_came, SIGINT);
	d->term.data = d->interrupt.data = d;
	ev_signal_start(d->ev, &d->term);
	ev_signal_start(d->ev, &d->interrupt);
	if (d->settings->wake_fd == -1)
		return;
	ev_io_init(&d->wake, wake_came, (int)d->settings->wake_fd, EV_READ);
	d->wake.data = d;
	ev_io_start(d->ev, &d->wake);
}

/* Unique, so that the service can count pollers. */
static void
make_worker_id(struct dispatch *d)
{
	char host[65], hex[33];

	if (d->settings->worker_id != NULL && str_format(d->worker_id,
	    sizeof d->worker_id, "%s", d->settings->worker_id) == 0)
		return;
	if (gethostname(host, sizeof host) != 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	random_hex(hex, sizeof hex - 1);
	str_format(d->worker_id, sizeof d->worker_id,
	    "%s%s%.8s-%.4s-%.4s-%.4s-%.12s", host, host[0] == '\0' ? ""
	    : "-", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* Polls until a signal, a permanent error, or, with settings->drain, an empty
 * queue; everything that was begun has ended then.  Returns the exit
 * status. */
static int
run(const struct settings *s)
{
	static struct dispatch dispatch;
	struct dispatch *d = &dispatch;
	struct api_settings api = settings_api(s, NULL);
	struct error e;

	*d = (struct dispatch){.settings = s,
		.ev = ev_default_loop(EVFLAG_AUTO)};
	buf_init(&d->item, WORK_ANSWER_MAX);
	d->api = api_new(&api, &e);
	if (d->api == NULL || api_attach(d->api, d->ev, &e) != 0 ||
	    start_metrics(d, &e) != 0) {
		log_line(DIAG_ERROR, "%s", e.text);
		api_free(d->api);
		return EXIT_USAGE;
	}
	make_worker_id(d);
	report_init(&d->report, (int)s->status_fd, NULL, NULL);
	start_watchers(d);
	if (s->on_work == NULL)
		leftover_remove_all(s->state);
	log_line(DIAG_NOTICE, "polling: environment=%s worker=%s",
	    s->environment_id, d->worker_id);
	io_announce_ready((int)s->ready_fd, "");
	dispatch_advance(d);
	ev_run(d->ev, 0);
	promfile_stop(&d->promfile);
	report_done(&d->report);
	forget_item(d);
	api_free(d->api);
	return d->status;
}

int
command_poll(int argc, char **argv)
{
	static struct settings s;
	int status = EXIT_USAGE;
	struct error e;

	settings_init(&s);
	if (settings_parse(&settings_poll, argc, argv, &s, &status) !=
	    OPT_RUN)
		return status;
	if (s.environment_id == NULL) {
		error_set(&e, "--environment-id or $ANTHROPIC_ENVIRONMENT_ID "
		    "is required");
		return opt_usage_error(&settings_poll, &e);
	}
	if (s.key == NULL) {
		error_set(&e, "--environment-key-file or "
		    "$ANTHROPIC_ENVIRONMENT_KEY is required");
		return opt_usage_error(&settings_poll, &e);
	}
	if (needs_check_polling(&s, &e) != 0 || (s.on_work == NULL &&
	    (judge_settings(&s, &e) != 0 || needs_check_sessions(&s, &e) != 0
	    || judge_sandbox(&s, &e) != 0)))
		return opt_usage_error(&settings_poll, &e);
	status = run(&s);
	secret_wipe(s.key_text, sizeof s.key_text);
	return status;
}
