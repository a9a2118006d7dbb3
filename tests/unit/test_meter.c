/* SPDX-License-Identifier: ISC */
/* meter of tunnel-edge: what passes, in which shares, and that nobody is woken
 * for nothing.  Times are those that really passed, so a slow machine fails
 * nothing. */
#include "cmd/tunnel-edge/meter.h"
#include "common/clock.h"
#include "tests/unit/test.h"

enum {
	RATE = 4 << 20,
	BURST = 64 << 10,
	CHUNK = RATE / 128,
	FLOWS = 3,
	US_PER_S = 1000000,
};

struct flow {
	struct meter_wait wait; /* first */
	uint64_t passed;
	size_t left, calls;
	int order; /* in which it was last called */
};

static struct ev_loop *ev;
static struct meter meter;
static struct flow flows[FLOWS];
static int calls;

/* Passes what may, and waits for the rest. */
static void
push(struct flow *f)
{
	while (f->left != 0) {
		size_t n = meter_ask(&meter, &f->wait, f->left);

		if (n == 0)
			return;
		meter_spend(&meter, n);
		f->passed += n;
		f->left -= n;
	}
}

static void
on_go(struct meter_wait *w)
{
	struct flow *f = (struct flow *)w;

	f->calls++;
	f->order = ++calls;
	push(f);
}

static void
begin(int64_t rate, int64_t burst)
{
	memset(&meter, 0, sizeof meter);
	memset(flows, 0, sizeof flows);
	calls = 0;
	ev_now_update(ev);
	meter_set(&meter, ev, rate, burst, on_go);
}

/* Runs until nobody waits or so many have been called. */
static void
run(int calls_max)
{
	while (calls < calls_max && ev_is_active(&meter.refill))
		ev_run(ev, EVRUN_ONCE);
}

static void
test_off(void)
{
	memset(&meter, 0, sizeof meter);
	eq_int(meter_ask(&meter, &flows[0].wait, SIZE_MAX / 2), SIZE_MAX / 2,
	    "a zeroed meter lets all pass");
	meter_spend(&meter, SIZE_MAX / 2);
	begin(0, 0);
	eq_int(meter_ask(&meter, &flows[0].wait, 1 << 30), 1 << 30,
	    "and one without a rate");
	ok(!ev_is_active(&meter.refill), "which needs no timer");
}

static void
test_burst(void)
{
	struct flow *f = &flows[0];

	begin(1024, BURST);
	eq_int(meter_ask(&meter, &f->wait, BURST - 1), BURST - 1,
	    "less than a burst");
	eq_int(meter_ask(&meter, &f->wait, BURST), BURST, "a burst");
	eq_int(meter_ask(&meter, &f->wait, BURST + 1), BURST,
	    "no more than a burst");
	ok(!ev_is_active(&meter.refill), "nobody waits");
	meter_spend(&meter, BURST);
	eq_int(meter_ask(&meter, &f->wait, 2048), 0, "then nothing");
	ok(f->wait.next != NULL && ev_is_active(&meter.refill), "it waits");
	eq_int(meter_ask(&meter, &f->wait, 1), 0, "and has no second place");
	eq_int(meter_ask(&meter, &flows[1].wait, 1), 0,
	    "nor does another pass it");
	meter_leave(&meter, &flows[1].wait);
	meter_leave(&meter, &f->wait);
	meter_leave(&meter, &f->wait);
	ok(!ev_is_active(&meter.refill), "nobody waits, no timer runs");
}

static void
test_pace(void)
{
	int64_t start, spent;

	begin(RATE, BURST);
	start = clock_us();
	flows[0].left = 1 << 20;
	push(&flows[0]);
	eq_int(flows[0].passed, BURST, "the burst passes at once");
	run(1 << 20);
	spent = clock_us() - start;
	eq_int(flows[0].passed, 1 << 20, "all passes in the end");
	ok(spent >= ((1LL << 20) - BURST) * US_PER_S / RATE,
	    "not before its time: %lld us", (long long)spent);
	ok(flows[0].calls <= ((1 << 20) - BURST) / CHUNK + 1,
	    "a call for each chunk at most: %zu", flows[0].calls);
}

static void
test_shares(void)
{
	uint64_t least = UINT64_MAX, most = 0;

	begin(RATE, BURST);
	meter_spend(&meter, BURST);
	for (int i = 0; i < FLOWS; i++) {
		flows[i].left = i == 0 ? 1 << 30 : 1 << 20;
		push(&flows[i]);
	}
	run(2 * FLOWS);
	ok(flows[0].order < flows[1].order && flows[1].order < flows[2].order,
	    "each in its turn");
	run(7 * FLOWS);
	for (int i = 0; i < FLOWS; i++) {
		uint64_t n = flows[i].passed;

		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	ok(least >= 4 * CHUNK && most - least <= CHUNK,
	    "shares are equal: %llu to %llu", (unsigned long long)least,
	    (unsigned long long)most);
	for (int i = 0; i < FLOWS; i++)
		meter_leave(&meter, &flows[i].wait);
}

/* Much came at once, as after the loop was busy elsewhere. */
static void
test_turns(void)
{
	begin(RATE, 64 * CHUNK);
	meter_spend(&meter, 64 * CHUNK);
	for (int i = 0; i < FLOWS - 1; i++) {
		flows[i].left = 1 << 30;
		push(&flows[i]);
	}
	meter.filled_us -= US_PER_S / 8;
	eq_int(meter_ask(&meter, &flows[2].wait, 1), 0,
	    "nobody passes those who wait");
	meter_leave(&meter, &flows[2].wait);
	run(2);
	eq_int(flows[0].passed, CHUNK, "a turn is a chunk");
	eq_int(flows[1].passed, CHUNK, "for the next too");
	for (int i = 0; i < FLOWS; i++)
		meter_leave(&meter, &flows[i].wait);
}

static void
test_change(void)
{
	begin(1024, BURST);
	meter_spend(&meter, BURST);
	for (int i = 0; i < FLOWS; i++) {
		flows[i].left = 1 << 30;
		push(&flows[i]);
	}
	meter_set(&meter, ev, 2048, BURST, on_go);
	ok(calls == 0 && meter.tokens < 2048, "another rate brings nothing");
	meter_set(&meter, ev, 0, 0, on_go);
	eq_int(calls, 0, "nobody is called from inside");
	run(1 << 20);
	eq_int(calls, FLOWS, "without a rate all go on");
	eq_int(flows[2].left, 0, "as far as they want");
	begin(RATE, 8 * BURST);
	meter_set(&meter, ev, RATE, BURST, on_go);
	eq_int(meter_ask(&meter, &flows[0].wait, 8 * BURST), BURST,
	    "a smaller burst holds at once");
}

static void
test_extremes(void)
{
	int64_t most = 64LL << 30;

	begin(most, most);
	meter.filled_us -= 400LL * 24 * 3600 * US_PER_S;
	eq_int(meter_ask(&meter, &flows[0].wait, SIZE_MAX / 2), most,
	    "a year's pause gives a burst");
	begin(1024, most);
	meter_spend(&meter, (size_t)most);
	meter.filled_us -= US_PER_S / 2;
	eq_int(meter_ask(&meter, &flows[0].wait, 500), 500,
	    "half a second gives its half");
	ok(meter.tokens < 512 + 1024, "and no more: %lld",
	    (long long)meter.tokens);
	begin(1024, BURST);
	meter_spend(&meter, BURST);
	for (int i = 0; i < 1000; i++) {
		meter.filled_us -= 500;
		meter_ask(&meter, &flows[0].wait, 1 << 20);
	}
	ok(meter.tokens >= 512, "fractions of a byte add up: %lld",
	    (long long)meter.tokens);
	meter_leave(&meter, &flows[0].wait);
}

int
main(void)
{
	ev = EV_DEFAULT;
	test_off();
	test_burst();
	test_pace();
	test_shares();
	test_turns();
	test_change();
	test_extremes();
	ev_loop_destroy(ev);
	return test_done();
}
