/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/retry.h"

#include <curl/curl.h>

#include "common/num.h"
#include "common/str.h"

enum { DOUBLINGS_MAX = 30 };

void
retry_answer_init(struct retry_answer *a)
{
	*a = (struct retry_answer){.should = -1};
}

static void
note_after(struct retry_answer *a, int64_t ms)
{
	if (ms > 0)
		a->after_ms = ms < RETRY_AFTER_MAX_MS ? ms
		    : RETRY_AFTER_MAX_MS;
}

/* Whole seconds or a date (RFC 9110 section 10.2.3), but the finer
 * retry-after-ms goes first. */
static void
note_retry_after(struct retry_answer *a, const char *value, int64_t now_s)
{
	int64_t s;

	if (a->after_ms != 0)
		return;
	if (num_parse(value, 0, INT32_MAX, &s) != 0) {
		s = curl_getdate(value, NULL);
		s = s == -1 ? 0 : s - now_s;
	}
	if (s > 0)
		note_after(a, s < RETRY_AFTER_MAX_MS / 1000 ? s * 1000
		    : RETRY_AFTER_MAX_MS);
}

void
retry_note_header(struct retry_answer *a, const char *name,
    const char *value, int64_t now_s)
{
	int64_t ms;

	if (str_eq_nocase(name, "x-should-retry")) {
		if (str_eq(value, "true") || str_eq(value, "false"))
			a->should = value[0] == 't';
	} else if (str_eq_nocase(name, "retry-after-ms")) {
		a->after_ms = 0;
		if (num_parse(value, 0, INT64_MAX, &ms) == 0)
			note_after(a, ms);
	} else if (str_eq_nocase(name, "retry-after")) {
		note_retry_after(a, value, now_s);
	}
}

bool
retry_is_wanted(const struct retry_answer *a, bool final_conflict)
{
	if (final_conflict && a->status == 409)
		return false;
	if (a->status != 0 && a->should != -1)
		return a->should == 1;
	return a->status == 0 || a->status == 408 || a->status == 409 ||
	    a->status == 429 || a->status >= 500;
}

int64_t
retry_delay_ms(const struct retry_answer *a, int attempt, uint32_t random)
{
	if (a->after_ms > 0)
		return a->after_ms;
	return retry_backoff_ms(RETRY_CORE_MIN_MS, RETRY_CORE_MAX_MS, attempt,
	    random);
}

int64_t
retry_backoff_ms(int64_t min_ms, int64_t max_ms, int attempt,
    uint32_t random)
{
	int64_t ms = min_ms;

	if (attempt > DOUBLINGS_MAX)
		attempt = DOUBLINGS_MAX;
	while (attempt-- > 0 && ms < max_ms)
		ms *= 2;
	if (ms > max_ms)
		ms = max_ms;
	return ms - (int64_t)((uint64_t)(ms / 4) * random / UINT32_MAX);
}
