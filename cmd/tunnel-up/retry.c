/* SPDX-License-Identifier: ISC */
#include "cmd/tunnel-up/retry.h"

#include "common/diag.h"
#include "common/str.h"

void
retry_init(struct retry *r, int64_t min_ms, int64_t max_ms)
{
	*r = (struct retry){.backoff = {.min_ms = min_ms, .max_ms = max_ms}};
}

void
retry_worked(struct retry *r, int64_t now_ms)
{
	r->up_ms = now_ms;
	r->text[0] = '\0';
}

void
retry_forget(struct retry *r)
{
	backoff_reset(&r->backoff);
	r->text[0] = '\0';
}

int64_t
retry_drained(struct retry *r, int64_t now_ms)
{
	/* What ends soon after it began to work does so again and again. */
	if (r->up_ms != 0 && now_ms - r->up_ms >= RETRY_STABLE_MS)
		backoff_reset(&r->backoff);
	r->up_ms = 0;
	return backoff_next(&r->backoff);
}

struct retry_plan
retry_failed(struct retry *r, const char *text, int64_t now_ms)
{
	struct retry_plan plan = {.delay_ms = retry_drained(r, now_ms)};

	plan.log = !str_eq(r->text, text) ||
	    now_ms - r->logged_ms >= RETRY_REMIND_MS;
	if (plan.log) {
		str_format(r->text, sizeof r->text, "%s", text);
		r->logged_ms = now_ms;
	}
	return plan;
}

void
retry_log(const struct retry_plan *plan, const char *object, const char *text)
{
	double delay_s = (double)plan->delay_ms / 1000;

	if (plan->log)
		diag_error("%s: %s, retrying in %.1f s", object, text,
		    delay_s);
	else
		diag_info("%s: %s, retrying in %.1f s", object, text,
		    delay_s);
}
