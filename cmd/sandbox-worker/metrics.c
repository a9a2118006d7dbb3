/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/metrics.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/jsonr.h"
#include "common/promfile.h"

static const char program[] = "sandbox_worker";

struct metric_text {
	const char *name, *help;
	const char *event; /* of a session's process, or NULL */
};

static const struct metric_text texts[METRIC_COUNT] = {
	[METRIC_POLLS] = {"polls_total", "Polls of the queue.", NULL},
	[METRIC_EMPTY] = {"empty_polls_total",
	    "Polls that found nothing.", NULL},
	[METRIC_POLL_FAILURES] = {"poll_failures_total",
	    "Polls that failed.", NULL},
	[METRIC_CLAIMS] = {"claims_total", "Items claimed.", NULL},
	[METRIC_ACK_FAILURES] = {"ack_failures_total",
	    "Items whose claim was not accepted.", NULL},
	[METRIC_ENDED_REOFFERS] = {"ended_items_total",
	    "Items ended because they were offered again and again.", NULL},
	[METRIC_DONE] = {"items_done_total", "Items done.", NULL},
	[METRIC_FAILED] = {"items_failed_total", "Items that failed.", NULL},
	[METRIC_BEATS] = {"heartbeats_total",
	    "Heartbeats that came through.", "beat"},
	[METRIC_LEASES_LOST] = {"leases_lost_total",
	    "Items that somebody else took.", "lease-lost"},
	[METRIC_STREAMS_LOST] = {"streams_lost_total",
	    "Event streams that broke.", "stream-lost"},
	[METRIC_POST_RETRIES] = {"post_retries_total",
	    "Results that had to be sent again.", "post-retry"},
	[METRIC_POSTS_REFUSED] = {"posts_refused_total",
	    "Results that were refused.", "post-refused"},
	[METRIC_STALLED] = {"stalled_total",
	    "Items given up without progress.", "stalled"},
};

static const char *const tools[METRICS_TOOLS] = {
	"bash", "read", "write", "edit", "glob", "grep",
};

void
metrics_init(struct metrics *m, size_t sessions_max)
{
	*m = (struct metrics){.sessions_max = sessions_max,
		.started_s = clock_wall_s()};
	m->progress_s = m->started_s;
}

void
metrics_add(struct metrics *m, enum metric which)
{
	m->counts[which]++;
}

void
metrics_progress(struct metrics *m)
{
	m->progress_s = clock_wall_s();
}

static void
take_tool(struct metrics *m, struct jsonr v)
{
	struct jsonr name;
	struct error e;
	bool is_error = false;
	int64_t ms = 0;
	size_t n = 0;

	if (jsonr_get(v, "tool", &name, &e) == -1 ||
	    jsonr_get_bool(v, "is_error", &is_error, &e) == -1 ||
	    jsonr_get_int(v, "duration_ms", 0, INT32_MAX, &ms, &e) == -1)
		return;
	while (n < METRICS_TOOLS && !jsonr_eq_str(name, tools[n]))
		n++;
	m->calls[n]++;
	m->errors[n] += is_error ? 1 : 0;
	m->calls_ms[n] += (uint64_t)ms;
	metrics_progress(m);
}

void
metrics_take(struct metrics *m, struct bytes line)
{
	struct jsonr v, event;
	struct error e;

	if (jsonr_parse_object(line, &v, &e) != 0 ||
	    jsonr_get(v, "event", &event, &e) != 1)
		return;
	if (jsonr_eq_str(event, "tool"))
		take_tool(m, v);
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		if (texts[i].event != NULL &&
		    jsonr_eq_str(event, texts[i].event))
			metrics_add(m, (enum metric)i);
	}
}

static int
format_tools(const struct metrics *m, struct buf *out)
{
	int r = promfile_add_head(out, program, "tool_calls_total",
	    "Tool calls.");

	for (size_t i = 0; i < METRICS_TOOLS && r == 0; i++)
		r = buf_format(out, "sandbox_worker_tool_calls_total"
		    "{tool=\"%s\",result=\"ok\"} %" PRIu64 "\n"
		    "sandbox_worker_tool_calls_total"
		    "{tool=\"%s\",result=\"error\"} %" PRIu64 "\n", tools[i],
		    m->calls[i] - m->errors[i], tools[i], m->errors[i]);
	if (r == 0)
		r = promfile_add_head(out, program, "tool_seconds_total",
		    "Time that tool calls took.");
	for (size_t i = 0; i < METRICS_TOOLS && r == 0; i++)
		r = buf_format(out, "sandbox_worker_tool_seconds_total"
		    "{tool=\"%s\"} %" PRIu64 ".%03" PRIu64 "\n", tools[i],
		    m->calls_ms[i] / 1000, m->calls_ms[i] % 1000);
	return r;
}

int
metrics_format(const void *user, struct buf *out)
{
	const struct metrics *m = user;
	const struct promfile_metric gauges[] = {
		{"sessions", "Sessions under way.", m->sessions},
		{"sessions_max", "Sessions at most.", m->sessions_max},
		{"last_progress_timestamp_seconds", "When an item was done, a "
		    "tool call ended or the queue was found empty.",
		    (uint64_t)m->progress_s},
		{"start_timestamp_seconds", "When the poller began.",
		    (uint64_t)m->started_s},
	};

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		struct promfile_metric one = {texts[i].name, texts[i].help,
			m->counts[i]};

		if (promfile_add(out, program, &one, 1) != 0)
			return -1;
	}
	return format_tools(m, out) != 0 ? -1 : promfile_add(out, program,
	    gauges, sizeof gauges / sizeof *gauges);
}
