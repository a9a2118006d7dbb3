/* SPDX-License-Identifier: ISC */
/* When tunnel-up dials again, when it says so, and what is permanent. */
#include "cmd/tunnel-up/failure.h"
#include "cmd/tunnel-up/retry.h"
#include "tests/unit/test.h"

static void
test_delay(void)
{
	struct retry r;
	int64_t highest = 0;

	retry_init(&r, 100, 1000);
	for (int i = 0; i < 200; i++) {
		int64_t delay = retry_failed(&r, "x", 1).delay_ms;
		int64_t limit = i < 4 ? 200 << i : 1000;

		limit = limit < 1000 ? limit : 1000;
		if (delay < 100 || delay > limit)
			ok(false, "attempt %d: %" PRId64 " ms", i, delay);
		highest = delay > highest ? delay : highest;
	}
	ok(highest > 800, "the delay grows to its maximum: %" PRId64,
	    highest);
}

static void
test_start_over(void)
{
	struct retry r;

	retry_init(&r, 10, 1 << 20);
	for (int i = 0; i < 20; i++)
		retry_failed(&r, "x", 1);
	retry_worked(&r, 1000);
	retry_failed(&r, "x", 1000 + RETRY_STABLE_MS - 1);
	ok(r.backoff.ceiling_ms > 1000, "up too short: the delay goes on");
	retry_worked(&r, 50000);
	ok(retry_failed(&r, "x", 50000 + RETRY_STABLE_MS).delay_ms <= 20,
	    "up long enough: the delay starts over");
	for (int i = 0; i < 20; i++)
		retry_failed(&r, "x", 60000);
	retry_forget(&r);
	ok(retry_failed(&r, "x", 60000).delay_ms <= 20,
	    "somebody looked after it: it does, too");
}

static void
test_drained(void)
{
	struct retry r;
	int64_t now = 1000, highest = 0;

	retry_init(&r, 10, 1 << 20);
	for (int i = 0; i < 20; i++) {
		int64_t delay;

		retry_worked(&r, now);
		now += RETRY_STABLE_MS;
		delay = retry_drained(&r, now);
		highest = delay > highest ? delay : highest;
	}
	ok(highest <= 20, "an edge that drains now and then is dialed at "
	    "once: %" PRId64, highest);
	for (int i = 0; i < 20; i++) {
		retry_worked(&r, now);
		retry_drained(&r, now);
	}
	ok(r.backoff.ceiling_ms > 1000, "not one that always drains");
}

static void
test_log(void)
{
	struct retry r;

	retry_init(&r, 1, 2);
	ok(retry_failed(&r, "a", 1).log, "the first failure is logged");
	ok(!retry_failed(&r, "a", 2).log, "the same is not");
	ok(retry_failed(&r, "b", 3).log, "another is");
	ok(retry_failed(&r, "a", 4).log, "and the first again");
	ok(!retry_failed(&r, "a", 3 + RETRY_REMIND_MS).log, "not yet");
	ok(retry_failed(&r, "a", 4 + RETRY_REMIND_MS).log, "a reminder");
	retry_worked(&r, 5 + RETRY_REMIND_MS);
	ok(retry_failed(&r, "a", 6 + RETRY_REMIND_MS).log,
	    "after success it is news");
	retry_forget(&r);
	ok(retry_failed(&r, "a", 7 + RETRY_REMIND_MS).log,
	    "and when somebody has looked");
}

static void
test_failure(void)
{
	struct failure f = {.permanent = true};
	char text[ERROR_TEXT_MAX + 8];

	for (int code = 0; code <= FRAME_DENIED + 1; code++)
		ok(failure_is_permanent((enum frame_code)code) ==
		    (code == FRAME_PROTOCOL || code == FRAME_UNAUTHORIZED ||
		    code == FRAME_REVOKED), "code %d", code);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	failure_set(&f, FRAME_TIMEOUT, BLAME_TLS, "%s", text);
	ok(!f.permanent, "temporary");
	eq_int(strlen(f.text), ERROR_TEXT_MAX - 1, "a long text is cut");
	eq_int(f.code, FRAME_TIMEOUT, "code");
	eq_int(f.blame, BLAME_TLS, "blame");
}

int
main(void)
{
	test_delay();
	test_start_over();
	test_drained();
	test_log();
	test_failure();
	return test_done();
}
