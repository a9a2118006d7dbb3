/* SPDX-License-Identifier: ISC */
/* The lease of an item, the pace of polling, the rules of retries. */
#include "cmd/sandbox-worker/lease.h"
#include "cmd/sandbox-worker/pace.h"
#include "cmd/sandbox-worker/retry.h"
#include "common/str.h"
#include "tests/unit/test.h"

static struct lease lease;

static int
answer(long status, const char *body, int64_t now)
{
	struct error e;

	return lease_answer(&lease, status, bytes_cstr(body), now, &e);
}

static const char *
active(const char *state, const char *extended, int ttl)
{
	static char text[256];

	str_format(text, sizeof text, "{\"type\":\"work_heartbeat\","
	    "\"last_heartbeat\":\"2026-09-02T00:08:33.477978Z\","
	    "\"lease_extended\":%s,\"state\":\"%s\",\"ttl_seconds\":%d}",
	    extended, state, ttl);
	return text;
}

static void
test_beats(void)
{
	static const struct {
		int ttl;
		int64_t ms;
	} rows[] = {{30, 15000}, {120, 30000}, {300, 30000}, {2, 1000},
		{1, 1000}, {59, 29500}};

	lease_init(&lease, 1000);
	eq_str(lease.last, "NO_HEARTBEAT", "the first beat expects none");
	eq_int(lease.interval_ms, 30000, "until the first answer");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		eq_int(answer(200, active("active", "true", rows[i].ttl),
		    2000), 0, "an answer");
		eq_int(lease.interval_ms, rows[i].ms, "a TTL of %d s",
		    rows[i].ttl);
	}
	eq_str(lease.last, "2026-09-02T00:08:33.477978Z",
	    "the stamp is kept as it is");
	eq_int(lease.end, LEASE_HELD, "it is held");
	answer(200, active("active", "true", 0), 3000);
	eq_int(lease.ttl_ms, 59000, "a TTL of 0 says nothing");
}

static void
test_ends(void)
{
	static const struct {
		long status;
		const char *state, *extended;
		enum lease_end end;
		bool lost;
	} rows[] = {
		{200, "stopping", "true", LEASE_STOPPING, false},
		{200, "stopped", "true", LEASE_STOPPING, false},
		{200, "active", "false", LEASE_STOPPING, false},
		{412, "active", "true", LEASE_LOST, true},
		{401, "", "true", LEASE_REJECTED, false},
		{403, "", "true", LEASE_REJECTED, false},
		{404, "", "true", LEASE_REJECTED, false},
		{408, "", "true", LEASE_HELD, false},
		{409, "", "true", LEASE_HELD, false},
		{429, "", "true", LEASE_HELD, false},
		{500, "", "true", LEASE_HELD, false},
		{302, "", "true", LEASE_HELD, false},
		{0, "", "true", LEASE_HELD, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		lease_init(&lease, 1000);
		answer(rows[i].status, active(rows[i].state,
		    rows[i].extended, 30), 2000);
		eq_int(lease.end, rows[i].end, "%ld %s %s", rows[i].status,
		    rows[i].state, rows[i].extended);
		ok(lease_is_lost(&lease) == rows[i].lost, "stopped or not");
	}
}

static void
test_silence(void)
{
	lease_init(&lease, 1000);
	answer(200, active("active", "true", 10), 2000);
	eq_int(answer(500, "", 12000), -1, "a failure within the TTL");
	eq_int(lease.end, LEASE_HELD, "is survived");
	answer(0, "", 12001);
	eq_int(lease.end, LEASE_ASSUMED_LOST, "one beyond it is not");
	ok(lease_is_lost(&lease), "the item is not ours then");
	answer(412, "", 12002);
	eq_int(lease.end, LEASE_ASSUMED_LOST, "the first reason stays");
	lease_init(&lease, 0);
	answer(0, "", 90000);
	eq_int(lease.end, LEASE_HELD, "90 s without any answer");
	answer(0, "", 90001);
	eq_int(lease.end, LEASE_ASSUMED_LOST, "and not more");
}

static void
test_nonsense(void)
{
	static const char *const bodies[] = {
		"", "null", "[]", "{", "<html>", "{\"last_heartbeat\":7}",
		"{\"lease_extended\":\"yes\"}", "{\"lease_extended\":true}",
		"{\"lease_extended\":true,\"last_heartbeat\":\"a\","
		    "\"ttl_seconds\":-1}",
		"{\"lease_extended\":true,\"last_heartbeat\":\"a\","
		    "\"ttl_seconds\":1e99}",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		lease_init(&lease, 1000);
		eq_int(answer(200, bodies[i], 2000), -1, "%s", bodies[i]);
		eq_int(lease.end, LEASE_HELD, "is no end");
		eq_int(lease.success_ms, 1000, "and no success");
	}
}

static void
test_retry(void)
{
	static const struct {
		long status;
		int should;
		bool final, wanted;
	} rows[] = {
		{0, -1, false, true}, {408, -1, false, true},
		{409, -1, false, true}, {409, -1, true, false},
		{409, 1, true, false}, {429, -1, false, true},
		{500, -1, false, true}, {529, -1, false, true},
		{400, -1, false, false}, {404, -1, false, false},
		{200, -1, false, false}, {302, -1, false, false},
		{500, 0, false, false}, {400, 1, false, true},
		{0, 0, false, true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct retry_answer a = {.status = rows[i].status,
			.should = rows[i].should};

		ok(retry_is_wanted(&a, rows[i].final) == rows[i].wanted,
		    "%ld, x-should-retry %d", rows[i].status,
		    rows[i].should);
	}
	eq_int(retry_backoff_ms(500, 8000, 0, 0), 500, "at first");
	eq_int(retry_backoff_ms(500, 8000, 3, 0), 4000, "then doubled");
	eq_int(retry_backoff_ms(500, 8000, 1000, 0), 8000, "to a limit");
	eq_int(retry_backoff_ms(500, 8000, 0, UINT32_MAX), 375,
	    "less up to a quarter");
}

static int64_t
after(const char *name, const char *value)
{
	struct retry_answer a;

	retry_answer_init(&a);
	retry_note_header(&a, name, value, 784111777);
	return a.after_ms;
}

static void
test_headers(void)
{
	struct retry_answer a;

	eq_int(after("Retry-After", "3"), 3000, "seconds");
	eq_int(after("retry-after-ms", "250"), 250, "milliseconds");
	eq_int(after("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"), 3000,
	    "a date");
	eq_int(after("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT"), 0,
	    "one that is over");
	eq_int(after("retry-after", "99999999"), RETRY_AFTER_MAX_MS,
	    "no longer than a limit");
	eq_int(after("retry-after", "-1"), 0, "less than nothing");
	eq_int(after("retry-after", "soon"), 0, "a word");
	retry_answer_init(&a);
	retry_note_header(&a, "retry-after-ms", "100", 0);
	retry_note_header(&a, "retry-after", "9", 0);
	eq_int(retry_delay_ms(&a, 0, 0), 100, "the finer one goes first");
	retry_note_header(&a, "x-should-retry", "false", 0);
	eq_int(a.should, 0, "x-should-retry");
}

static void
test_pace(void)
{
	static struct pace p;
	enum diag_level level;
	char id[16];
	int64_t ms = pace_empty(&p, 1, 0, &level);

	ok(ms == 1000 && level == DIAG_INFO, "the first empty poll is told");
	ms = pace_empty(&p, 2000, UINT32_MAX, &level);
	ok(ms >= 1000 && ms < 3000 && level == DIAG_DEBUG, "others are not");
	pace_empty(&p, 1 + PACE_REMINDER_MS, 0, &level);
	eq_int(level, DIAG_INFO, "but now and then");
	eq_int(pace_failed(&p, 0), 1000, "failures wait longer");
	eq_int(pace_failed(&p, 0), 2000, "and longer");
	for (int i = 0; i < 10; i++)
		ms = pace_failed(&p, 0);
	eq_int(ms, 60000, "to a limit");
	pace_empty(&p, 5000, 0, &level);
	eq_int(pace_failed(&p, 0), 1000, "until a poll succeeds");
	for (uint32_t i = 0; i < 5; i++)
		eq_int(pace_claimed(&p, "work_1"), i, "claims are counted");
	eq_int(pace_claimed(&p, "work_2"), 0, "for each item");
	pace_empty(&p, 6000, 0, &level);
	eq_int(level, DIAG_INFO, "idle again after work is told");
	for (int i = 0; i < 2 * PACE_ITEMS_MAX; i++) {
		str_format(id, sizeof id, "w%d", i);
		pace_claimed(&p, id);
		pace_claimed(&p, "work_1");
	}
	ok(pace_claimed(&p, "work_1") > PACE_ITEMS_MAX,
	    "what comes often is not forgotten");
	eq_int(pace_claimed(&p, "w0"), 0, "what does not is");
}

int
main(void)
{
	test_beats();
	test_ends();
	test_silence();
	test_nonsense();
	test_retry();
	test_headers();
	test_pace();
	return test_done();
}
