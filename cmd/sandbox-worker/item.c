/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/item.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/sandbox-worker/audit_relay.h"
#include "cmd/sandbox-worker/chooser.h"
#include "cmd/sandbox-worker/log.h"
#include "common/clock.h"
#include "common/exit.h"
#include "common/str.h"

enum {
	LOCK_LOOK_MS = 250,
	STOP_ANSWER_MAX = 1 << 20,
};

/* ---- small things ---- */

void
item_set_timer(struct item *i, ev_timer *w, int64_t ms)
{
	ev_timer_stop(i->ev, w);
	ev_now_update(i->ev);
	ev_timer_set(w, (double)ms / 1000.0, 0);
	ev_timer_start(i->ev, w);
}

void
item_kick(struct item *i)
{
	ev_timer_stop(i->ev, &i->step);
	ev_timer_set(&i->step, 0, 0);
	ev_timer_start(i->ev, &i->step);
}

void
item_progress(struct item *i)
{
	i->progress_ms = clock_ms();
}

void
item_leave(struct item *i, enum item_reason reason)
{
	if (i->reason == REASON_NONE)
		i->reason = reason;
	item_kick(i);
}

void
item_fail(struct item *i, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;

	if (i->reason != REASON_NONE)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	log_line(DIAG_ERROR, "%s", text);
	i->status = EXIT_FAILED;
	item_leave(i, REASON_FAILED);
}

struct api_job *
item_request(struct item *i, const struct api_request *r,
    const struct api_events *events)
{
	struct error e;
	struct api_job *j = api_start(i->api, r, events, i, &e);

	/* Without memory for a call nothing can be done here. */
	if (j == NULL)
		item_fail(i, "%s", e.text);
	return j;
}

void
item_session_path(const struct item *i, const char *tail,
    char out[static ITEM_PATH_MAX])
{
	str_format(out, ITEM_PATH_MAX, "/v1/sessions/");
	api_append(out, ITEM_PATH_MAX, i->work.session_id);
	str_format(out + strlen(out), ITEM_PATH_MAX - strlen(out), "%s",
	    tail);
}

void
item_work_path(const struct item *i, const char *tail,
    char out[static ITEM_PATH_MAX])
{
	str_format(out, ITEM_PATH_MAX, "/v1/environments/");
	api_append(out, ITEM_PATH_MAX, i->work.environment_id);
	str_format(out + strlen(out), ITEM_PATH_MAX - strlen(out), "/work"
	    "/");
	api_append(out, ITEM_PATH_MAX, i->work.id);
	str_format(out + strlen(out), ITEM_PATH_MAX - strlen(out), "%s",
	    tail);
}

void
item_set_phase(struct item *i, enum item_phase phase)
{
	i->phase = phase;
	i->phase_ms = clock_ms();
	item_kick(i);
}

bool
item_is_late(const struct item *i, int64_t ms)
{
	return clock_ms() - i->phase_ms >= ms;
}

/* ---- leaving ---- */

static void
say_reason(const struct item *i)
{
	static const char *const words[] = {
		[REASON_NONE] = "", [REASON_IDLE] = "the turn is over",
		[REASON_ENDED] = "the session is over",
		[REASON_NOTHING] = "there is nothing to do",
		[REASON_LEASE] = "the lease has ended",
		[REASON_SIGNAL] = "the worker is to end",
		[REASON_FAILED] = "the item failed",
		[REASON_STALLED] = "nothing goes forward",
	};

	log_line(DIAG_INFO, "leaving: %s", words[i->reason]);
}

static void
begin_closing(struct item *i)
{
	item_drop_call(i);
	item_set_phase(i, ITEM_CLOSING);
}

/* What is under way ends.  Only a signal lets the call that runs be answered:
 * otherwise nobody may, or would, take the answer. */
static void
begin_leaving(struct item *i)
{
	say_reason(i);
	chooser_free(i->chooser);
	i->chooser = NULL;
	item_close_stream(i);
	if (i->reason == REASON_STALLED) {
		lease_finish(&i->lease, LEASE_LEFT);
		item_stop_beating(i);
	}
	if (i->reason == REASON_SIGNAL && i->ledger.current != NULL) {
		item_set_phase(i, ITEM_PARTING);
		i->post_ms = clock_ms();
		item_cancel_call(i, "Error: the worker is shutting down");
		return;
	}
	begin_closing(i);
}

/* Whether content is to be taken away, or is just being. */
static bool
has_content(const struct item *i)
{
	return i->content_state == ITEM_CONTENT_COMING ||
	    i->content_state == ITEM_CONTENT_READY;
}

static void
begin_storing(struct item *i)
{
	audit_relay_free(i->relay);
	i->relay = NULL;
	item_set_phase(i, ITEM_STORING);
	if (has_content(i))
		content_finish(i->content, i->reason == REASON_IDLE);
}

static void
end_sandbox(struct item *i)
{
	/* Who wants the session before the stop may have it. */
	if (i->fetch != NULL && i->reason == REASON_LEASE &&
	    !item_is_late(i, ITEM_FETCH_MS))
		return;
	api_cancel(i->fetch);
	i->fetch = NULL;
	if (i->sandbox == NULL) {
		begin_storing(i);
		return;
	}
	item_set_phase(i, ITEM_ENDING);
	sandbox_stop(i->sandbox);
}

static void
stop_done(void *user, struct api_response *r, const struct error *e)
{
	struct item *i = user;
	struct error why;

	i->stop = NULL;
	if (e != NULL) {
		log_line(DIAG_ERROR, "stopping the item: %s", e->text);
	} else if (!api_is_success(r->status) && r->status != 409) {
		api_describe(r, &why);
		log_line(DIAG_ERROR, "stopping the item: %s", why.text);
	}
	item_set_phase(i, ITEM_OVER);
}

static const struct api_events stop_events = {.done = stop_done};

static void
release(struct item *i)
{
	char path[ITEM_PATH_MAX];
	struct api_request r = {
		.method = "POST", .path = path, .beta = API_BETA_AGENTS,
		.helper = API_HELPER_WORKER, .max = STOP_ANSWER_MAX,
		.to_fd = -1, .retries = API_RETRIES, .final_conflict = true,
		.body = bytes_cstr("{\"force\":true}"),
	};

	lease_finish(&i->lease, LEASE_RELEASED);
	item_stop_beating(i);
	if (lease_is_lost(&i->lease)) {
		log_line(DIAG_INFO, "the item is left without stopping it");
		if (i->status == EXIT_OK)
			i->status = EXIT_TEMPORARY;
		item_set_phase(i, ITEM_OVER);
		return;
	}
	item_work_path(i, "/stop", path);
	item_set_phase(i, ITEM_RELEASING);
	i->stop = item_request(i, &r, &stop_events);
	if (i->stop == NULL)
		item_set_phase(i, ITEM_OVER);
}

static void
store(struct item *i)
{
	bool late = i->reason == REASON_SIGNAL && item_is_late(i, ITEM_FLUSH_MS);

	if (has_content(i) && !late)
		return;
	if (has_content(i))
		log_line(DIAG_WARNING, "memory stores: cut off after %d s",
		    ITEM_FLUSH_MS / 1000);
	content_free(i->content);
	i->content = NULL;
	place_close(&i->place);
	release(i);
}

/* ---- the whole ---- */

static void
attend(struct item *i)
{
	item_next_call(i);
	if (i->reason != REASON_NONE)
		return;
	if (clock_ms() >= ledger_deadline_ms(&i->ledger))
		item_leave(i, REASON_IDLE);
}

/* Whether the item should go forward by itself now; one that waits for people
 * may wait. */
static bool
is_busy(const struct item *i)
{
	return i->phase < ITEM_ATTENDING || i->ledger.current != NULL ||
	    i->stream == NULL || i->list != NULL;
}

static void
check_stall(struct item *i)
{
	if (i->phase > ITEM_ATTENDING)
		return;
	if (!is_busy(i))
		item_progress(i);
	else if (clock_ms() - i->progress_ms >= i->settings->stall_ms) {
		log_line(DIAG_ERROR, "nothing went forward for %lld s: the "
		    "item is given up", (long long)(i->settings->stall_ms /
		    1000));
		report_event(&i->report, "stalled");
		item_leave(i, REASON_STALLED);
	}
}

/* The next time at which something may be due. */
static void
set_guard(struct item *i)
{
	int64_t now = clock_ms(), next = i->progress_ms +
	    i->settings->stall_ms, idle = INT64_MAX;

	if (i->phase == ITEM_ATTENDING)
		idle = ledger_deadline_ms(&i->ledger);
	else if (i->phase == ITEM_LOCKING)
		idle = now + LOCK_LOOK_MS;
	else if (i->phase == ITEM_PARTING)
		idle = i->phase_ms + ITEM_PART_MS;
	else if (i->phase == ITEM_CLOSING && i->fetch != NULL)
		idle = i->phase_ms + ITEM_FETCH_MS;
	else if (i->phase == ITEM_STORING)
		idle = i->phase_ms + ITEM_FLUSH_MS;
	else if (i->phase == ITEM_RELEASING)
		idle = i->phase_ms + ITEM_STOP_MS;
	if (i->phase > ITEM_ATTENDING)
		next = now + ITEM_STOP_MS;
	next = idle < next ? idle : next;
	ev_timer_stop(i->ev, &i->guard);
	ev_now_update(i->ev);
	ev_timer_set(&i->guard, next <= now ? 0.001
	    : (double)(next - now) / 1000.0, 0);
	ev_timer_start(i->ev, &i->guard);
}

static void
advance(struct item *i)
{
	check_stall(i);
	if (i->reason != REASON_NONE && i->phase <= ITEM_ATTENDING)
		begin_leaving(i);
	switch (i->phase) {
	case ITEM_FETCHING:
	case ITEM_CHOOSING:
	case ITEM_BUILDING:
		break;
	case ITEM_LOCKING:
		item_lock_place(i);
		break;
	case ITEM_PREPARING:
		if (i->content_state != ITEM_CONTENT_COMING)
			item_choose_policy(i);
		break;
	case ITEM_ATTENDING:
		if (i->stream == NULL && !ev_is_active(&i->stream_timer))
			item_open_stream(i);
		attend(i);
		break;
	case ITEM_PARTING:
		if (i->ledger.current == NULL || item_is_late(i, ITEM_PART_MS))
			begin_closing(i);
		break;
	case ITEM_CLOSING:
		end_sandbox(i);
		break;
	case ITEM_ENDING:
		break;
	case ITEM_ENDED:
		begin_storing(i);
		break;
	case ITEM_STORING:
		store(i);
		break;
	case ITEM_RELEASING:
		if (item_is_late(i, ITEM_STOP_MS)) {
			log_line(DIAG_ERROR, "stopping the item: no answer "
			    "in time");
			item_set_phase(i, ITEM_OVER);
		}
		break;
	case ITEM_OVER:
		ev_break(i->ev, EVBREAK_ALL);
		return;
	}
	set_guard(i);
}

static void
step_due(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev;
	(void)revents;
	advance(w->data);
}

static void
signal_came(struct ev_loop *ev, ev_signal *w, int revents)
{
	(void)ev;
	(void)revents;
	item_leave(w->data, REASON_SIGNAL);
}

static void
start_watchers(struct item *i)
{
	ev_init(&i->step, step_due);
	ev_init(&i->guard, step_due);
	i->step.data = i->guard.data = i;
	ev_signal_init(&i->term, signal_came, SIGTERM);
	ev_signal_init(&i->interrupt, signal_came, SIGINT);
	i->term.data = i->interrupt.data = i;
	ev_signal_start(i->ev, &i->term);
	ev_signal_start(i->ev, &i->interrupt);
}

static void
stop_watchers(struct item *i)
{
	ev_timer_stop(i->ev, &i->step);
	ev_timer_stop(i->ev, &i->guard);
	ev_signal_stop(i->ev, &i->term);
	ev_signal_stop(i->ev, &i->interrupt);
}

static void
report_end_of(struct item *i)
{
	static const char *const words[] = {
		[REASON_NONE] = "none", [REASON_IDLE] = "idle",
		[REASON_ENDED] = "ended", [REASON_NOTHING] = "nothing",
		[REASON_LEASE] = "lease", [REASON_SIGNAL] = "signal",
		[REASON_FAILED] = "failed", [REASON_STALLED] = "stalled",
	};

	report_begin(&i->report, "left");
	jsonw_key_str(&i->report.w, "reason", words[i->reason]);
	jsonw_key_int(&i->report.w, "status", i->status);
	report_end(&i->report);
}

static void
begin(struct item *i)
{
	item_beat(i);
	if (!str_eq(i->work.type, "session")) {
		log_line(DIAG_DEBUG, "an item of the type '%s'",
		    i->work.type);
		item_leave(i, REASON_NOTHING);
	} else {
		item_fetch_session(i);
	}
	item_kick(i);
}

static void
done(struct item *i)
{
	item_stop_beating(i);
	item_close_stream(i);
	item_drop_call(i);
	api_cancel(i->fetch);
	api_cancel(i->stop);
	content_free(i->content);
	sandbox_free(i->sandbox);
	stop_watchers(i);
	place_close(&i->place);
	ledger_done(&i->ledger);
	audit_close(&i->audit);
	report_done(&i->report);
	buf_reset(&i->session);
	buf_reset(&i->policy);
	api_free(i->api);
}

int
item_run(const struct settings *s, const struct work *work,
    const char *token)
{
	static struct item item;
	struct item *i = &item;
	struct api_settings api = settings_api(s, token);
	struct error e;

	i->settings = s;
	i->work = *work;
	i->place.lock_fd = -1;
	i->ev = ev_default_loop(EVFLAG_AUTO);
	i->audit = (struct audit){.fd = -1, .input = s->audit_input,
		.environment_id = i->work.environment_id,
		.work_id = i->work.id, .session_id = i->work.session_id};
	buf_init(&i->session, 0);
	buf_init(&i->policy, PLACE_POLICY_MAX);
	log_set_item(i->work.environment_id, i->work.id, i->work.session_id);
	i->api = api_new(&api, &e);
	if (i->api == NULL || api_attach(i->api, i->ev, &e) != 0) {
		log_line(DIAG_ERROR, "%s", e.text);
		api_free(i->api);
		return EXIT_USAGE;
	}
	report_init(&i->report, (int)s->status_fd, i->work.id,
	    i->work.session_id);
	ledger_init(&i->ledger, s->max_idle_ms, item_owns_tool);
	item_init_lease(i);
	item_init_stream(i);
	item_init_call(i);
	start_watchers(i);
	item_progress(i);
	begin(i);
	ev_run(i->ev, 0);
	report_end_of(i);
	done(i);
	return i->status;
}
