/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "cmd/sandbox-worker/item.h"
#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/retry.h"
#include "common/clock.h"
#include "common/str.h"

enum {
	STREAM_MIN_MS = 500,
	STREAM_MAX_MS = 10000,
	LIST_MIN_MS = 1000,
	LIST_MAX_MS = 30000,
	LIST_LIMIT = 1000,        /* events of a page */
	LIST_PAGE_MAX = 64 << 20, /* bytes; a page that is larger is halved */
	LIST_PAGES_MAX = 10000,
	SKIP_MAX = 256 << 20,     /* bytes of an event that does not end */
};

static const char oversize[] =
    "Error: the tool call is too large for this worker";

static uint32_t
random_number(void)
{
	uint32_t r;

	random_bytes(&r, sizeof r);
	return r;
}

/* ---- the history ---- */

static void list_page(struct item *i);

static void
resume_stream(struct item *i)
{
	if (i->stream != NULL)
		api_pause(i->stream, false);
}

static void
end_list(struct item *i, bool whole)
{
	ledger_end_pass(&i->ledger, whole, clock_ms());
	resume_stream(i);
	if (whole) {
		i->list_failures = 0;
		item_progress(i);
		if (i->ledger.ended)
			item_leave(i, REASON_ENDED);
	}
	if (i->list_again) {
		i->list_again = false;
		item_list(i);
	}
	item_kick(i);
}

/* The stream goes on; the calls of before come a little later. */
static void
list_failed(struct item *i, const char *why)
{
	int64_t ms = retry_backoff_ms(LIST_MIN_MS, LIST_MAX_MS,
	    i->list_failures++, random_number());

	log_line(DIAG_WARNING, "the session's history: %s, read again in "
	    "%lld ms", why, (long long)ms);
	report_event(&i->report, "list-failed");
	i->list_again = false;
	item_set_timer(i, &i->list_timer, ms);
	end_list(i, false);
}

static void
list_refused(struct item *i, const char *why)
{
	log_line(DIAG_WARNING, "the session's history: %s", why);
	report_event(&i->report, "list-failed");
	end_list(i, false);
}

static int
take_history(struct item *i, struct jsonr list, struct error *e)
{
	struct jsonr_iter iter;
	struct jsonr v;
	struct event ev;
	struct error why;

	jsonr_iter_init(&iter, list);
	while (jsonr_next(&iter, NULL, &v)) {
		if (event_from(v, &ev, &why) != 0) {
			log_line(DIAG_WARNING, "an event of the history is "
			    "left out: %s", why.text);
			continue;
		}
		if (ledger_add_history(&i->ledger, &ev, e) != 0)
			return -1;
	}
	return 0;
}

/* Returns 1 if another page follows, 0 if this was the last, -1 with a
 * text. */
static int
take_page(struct item *i, struct bytes body, struct error *e)
{
	char next[sizeof i->list_page];
	struct jsonr v, list;
	int r;

	if (jsonr_parse_object(body, &v, e) != 0 ||
	    jsonr_get(v, "data", &list, e) == -1)
		return -1;
	if (list.kind != JSONR_ARRAY)
		return error_set(e, "data: no array");
	if (take_history(i, list, e) != 0) {
		item_fail(i, "%s", e->text);
		return -1;
	}
	r = jsonr_get_str(v, "next_page", next, sizeof next, e);
	if (r != 1 || next[0] == '\0')
		return r == -1 ? -1 : 0;
	if (str_eq(next, i->list_page) || ++i->list_pages >= LIST_PAGES_MAX)
		return error_set(e, "the pages do not end");
	str_format(i->list_page, sizeof i->list_page, "%s", next);
	return 1;
}

static void
list_done(void *user, struct api_response *r, const struct error *e)
{
	struct item *i = user;
	struct error why;
	int more = -1;

	i->list = NULL;
	if (e != NULL && r->status == 200 && i->list_limit > 1 &&
	    str_starts(e->text, "the answer is larger")) {
		i->list_limit /= 2;
		list_page(i);
		return;
	}
	if (e != NULL) {
		list_failed(i, e->text);
		return;
	}
	if (!api_is_success(r->status)) {
		api_describe(r, &why);
		if (api_is_fatal(r->status))
			list_refused(i, why.text);
		else
			list_failed(i, why.text);
		return;
	}
	more = take_page(i, buf_bytes(&r->body), &why);
	if (more == 1)
		list_page(i);
	else if (more == 0)
		end_list(i, true);
	else
		list_failed(i, why.text);
}

static const struct api_events list_events = {.done = list_done};

static void
list_page(struct item *i)
{
	char path[ITEM_PATH_MAX], tail[64];
	struct api_request r = {
		.method = "GET", .path = path, .beta = API_BETA_AGENTS,
		.helper = API_HELPER_RUNNER, .max = LIST_PAGE_MAX,
		.to_fd = -1, .retries = API_RETRIES,
	};

	str_format(tail, sizeof tail, "/events?limit=%lld",
	    (long long)i->list_limit);
	item_session_path(i, tail, path);
	if (i->list_page[0] != '\0') {
		str_format(path + strlen(path), sizeof path - strlen(path),
		    "&page=");
		api_append(path, sizeof path, i->list_page);
	}
	i->list = item_request(i, &r, &list_events);
}

void
item_list(struct item *i)
{
	ev_timer_stop(i->ev, &i->list_timer);
	if (i->list != NULL) {
		i->list_again = true;
		return;
	}
	ledger_begin_pass(&i->ledger);
	i->list_limit = LIST_LIMIT;
	i->list_page[0] = '\0';
	i->list_pages = 0;
	list_page(i);
}

static void
list_due(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct item *i = w->data;

	(void)ev;
	(void)revents;
	if (i->phase == ITEM_ATTENDING && i->stream != NULL)
		item_list(i);
}

/* ---- the stream ---- */

static void
drop_list(struct item *i)
{
	ev_timer_stop(i->ev, &i->list_timer);
	i->list_again = false;
	if (i->list == NULL)
		return;
	api_cancel(i->list);
	i->list = NULL;
	ledger_end_pass(&i->ledger, false, clock_ms());
}

static void
reopen_later(struct item *i, const char *why)
{
	int64_t ms = STREAM_MIN_MS;

	for (int n = 0; n < i->stream_failures && ms < STREAM_MAX_MS; n++)
		ms *= 2;
	if (ms > STREAM_MAX_MS)
		ms = STREAM_MAX_MS;
	i->stream_failures++;
	drop_list(i);
	log_line(DIAG_WARNING, "the event stream: %s, opened again in %lld "
	    "ms", why, (long long)ms);
	report_event(&i->report, "stream-lost");
	item_set_timer(i, &i->stream_timer, ms);
	item_kick(i);
}

static void
stream_opened(void *user, const struct api_response *r)
{
	static const char type[] = "text/event-stream";
	struct item *i = user;

	if (r->content_type[0] != '\0' && strncasecmp(r->content_type, type,
	    strlen(type)) != 0) {
		api_cancel(i->stream);
		i->stream = NULL;
		reopen_later(i, "its content is no event stream");
		return;
	}
	log_line(DIAG_INFO, "the event stream is open");
	report_event(&i->report, "stream-open");
	/* What comes now waits until the history was read. */
	api_pause(i->stream, true);
	item_list(i);
}

static int
take_event(struct item *i, struct event *ev, struct error *e)
{
	i->stream_failures = 0;
	item_progress(i);
	if (ledger_add_live(&i->ledger, ev, clock_ms(), e) != 0)
		return -1;
	if (i->ledger.ended)
		item_leave(i, REASON_ENDED);
	item_kick(i);
	return 0;
}

/* The stream itself has failed, and an event says why. */
static void
take_failure(struct item *i, struct bytes data)
{
	struct jsonr v, error;
	struct error e;

	str_format(i->stream_why, sizeof i->stream_why, "an error");
	if (jsonr_parse_object(data, &v, &e) == 0 &&
	    jsonr_get(v, "error", &error, &e) == 1 && jsonr_get_str(error,
	    "message", i->stream_why, sizeof i->stream_why, &e) != 1)
		str_format(i->stream_why, sizeof i->stream_why, "an error");
}

/* Returns false if the stream is to be ended. */
static bool
take_frame(struct item *i)
{
	struct bytes data = buf_bytes(&i->sse.data);
	struct event ev;
	struct error e;

	if (str_eq(i->sse.name, "ping"))
		return true;
	if (str_eq(i->sse.name, "error")) {
		take_failure(i, data);
		return false;
	}
	if (event_parse(data, &ev, &e) != 0) {
		log_line(DIAG_WARNING, "an event is left out: %s", e.text);
		return true;
	}
	if (ev.kind == EVENT_ERROR) {
		take_failure(i, data);
		return false;
	}
	if (ev.kind == EVENT_PING)
		return true;
	if (take_event(i, &ev, &e) != 0)
		item_fail(i, "%s", e.text);
	return true;
}

/* An event that is not read whole: if it is the call of a tool, it is
 * answered, so that the session does not wait for ever. */
static void
take_oversize(struct item *i)
{
	struct event ev;
	struct error e;

	log_line(DIAG_ERROR, "an event is larger than %d bytes and is left "
	    "out", EVENT_MAX);
	report_event(&i->report, "event-too-large");
	if (!event_guess(buf_bytes(&i->sse.data), &ev) ||
	    !item_owns_tool(ev.name))
		return;
	if (ledger_refuse(&i->ledger, &ev, oversize, clock_ms(), &e) != 0)
		item_fail(i, "%s", e.text);
	item_kick(i);
}

static bool
stream_data(void *user, struct bytes in)
{
	struct item *i = user;
	enum sse_result r;

	while (in.len != 0) {
		in = bytes_after(in, sse_take(&i->sse, in, &r));
		if (r == SSE_FAILED || i->sse.skipped > SKIP_MAX)
			return false;
		if (r == SSE_OVERSIZE)
			take_oversize(i);
		else if (r == SSE_EVENT && !take_frame(i))
			return false;
	}
	return true;
}

static void
stream_done(void *user, struct api_response *r, const struct error *e)
{
	struct item *i = user;
	struct error why;

	i->stream = NULL;
	sse_done(&i->sse);
	if (e == NULL && api_is_success(r->status)) {
		reopen_later(i, "it has ended");
	} else if (e == NULL && api_is_fatal(r->status)) {
		api_describe(r, &why);
		item_fail(i, "the event stream: %s", why.text);
	} else if (e == NULL) {
		api_describe(r, &why);
		reopen_later(i, why.text);
	} else {
		reopen_later(i, i->stream_why[0] != '\0' ? i->stream_why
		    : e->text);
	}
}

static const struct api_events stream_events = {
	.opened = stream_opened, .data = stream_data, .done = stream_done,
};

void
item_open_stream(struct item *i)
{
	char path[ITEM_PATH_MAX];
	struct api_request r = {
		.method = "GET", .path = path, .beta = API_BETA_AGENTS,
		.helper = API_HELPER_RUNNER, .max = SIZE_MAX / 4, .to_fd = -1,
		.retries = API_RETRIES,
	};

	item_session_path(i, "/events/stream", path);
	sse_init(&i->sse, EVENT_MAX);
	i->stream_why[0] = '\0';
	i->stream = item_request(i, &r, &stream_events);
}

static void
stream_due(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct item *i = w->data;

	(void)ev;
	(void)revents;
	if (i->phase == ITEM_ATTENDING)
		item_open_stream(i);
}

void
item_init_stream(struct item *i)
{
	ev_init(&i->stream_timer, stream_due);
	i->stream_timer.data = i;
	ev_init(&i->list_timer, list_due);
	i->list_timer.data = i;
}

void
item_close_stream(struct item *i)
{
	ev_timer_stop(i->ev, &i->stream_timer);
	drop_list(i);
	api_cancel(i->stream);
	i->stream = NULL;
	sse_done(&i->sse);
}
