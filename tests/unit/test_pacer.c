/* SPDX-License-Identifier: ISC */
/* pacer and quiet: how often for whom, what is forgotten when
 * there are too many, and what is said of what was left out. */
#include "common/quiet.h"
#include "tests/unit/test.h"

enum { BURST = 3, EVERY_MS = 1000, START_MS = 5000 };

static const struct pacer_shape shape = {BURST, EVERY_MS};
static struct pacer pacer;
static struct quiet quiet;
static unsigned said_kind;
static uint64_t said, says;

static uint64_t
source(const char *ip)
{
	struct sock_addr a;

	if (sock_parse_ip(ip, 1, &a) != 0)
		ok(false, "%s: an address", ip);
	return pacer_source(&a);
}

static void
test_sources(void)
{
	struct sock_addr local = {.any = {.sa_family = AF_UNIX}};

	ok(source("192.0.2.1") != source("192.0.2.2"),
	    "IPv4 addresses differ");
	ok(source("::ffff:192.0.2.1") == source("192.0.2.1"),
	    "a mapped one is the same");
	ok(source("2001:db8::1") == source("2001:db8::ffff:0:0:1"),
	    "a network of 64 bits is one");
	ok(source("2001:db8::1") != source("2001:db8:0:1::1"),
	    "the next is another");
	ok(source("::1") != source("192.0.2.1"), "IPv6 is not IPv4");
	eq_int(pacer_source(&local), 0, "a Unix socket has none");
}

static void
test_take(void)
{
	int64_t now = START_MS;

	pacer_init(&pacer, &shape);
	for (int i = 1; i <= BURST; i++)
		ok(pacer_take(&pacer, 1, 0, now), "%d of a burst", i);
	ok(!pacer_take(&pacer, 1, 0, now), "no more");
	ok(pacer_take(&pacer, 2, 0, now), "another source");
	ok(pacer_take(&pacer, 1, 1, now), "another kind");
	ok(!pacer_take(&pacer, 1, 0, now + EVERY_MS - 1), "not yet");
	ok(pacer_take(&pacer, 1, 0, now + EVERY_MS), "one in time");
	ok(!pacer_take(&pacer, 1, 0, now + EVERY_MS), "only one");
	pacer_give(&pacer, 1, 0);
	ok(pacer_take(&pacer, 1, 0, now + EVERY_MS), "one given back");
	ok(!pacer_take(&pacer, 1, 0, now + EVERY_MS), "only that");
	pacer_give(&pacer, 77, 0);
	ok(pacer_take(&pacer, 77, 0, now), "nobody is not given to");
	now += 100 * EVERY_MS;
	for (int i = 1; i <= BURST; i++)
		ok(pacer_take(&pacer, 1, 0, now), "%d after a pause", i);
	ok(!pacer_take(&pacer, 1, 0, now), "not more than a burst");
}

/* More sources than the table has room for: it does not grow, and who did
 * nothing wrong is never refused. */
static void
test_many(void)
{
	enum { MANY = 4 * PACER_SETS * PACER_WAYS };
	int refused = 0, kept = 0;

	pacer_init(&pacer, &shape);
	for (int i = 0; i < BURST; i++)
		pacer_take(&pacer, 1, 0, START_MS);
	for (uint64_t s = 2; s < MANY; s++)
		refused += !pacer_take(&pacer, s, 0, START_MS);
	eq_int(refused, 0, "a first try is never refused");
	pacer_init(&pacer, &shape);
	for (uint64_t s = 1; s <= PACER_WAYS; s++) {
		for (int i = 0; i < BURST; i++)
			pacer_take(&pacer, s, 0, START_MS);
	}
	for (uint64_t s = 1000; s < 1000 + PACER_SETS; s++)
		pacer_take(&pacer, s, 0, START_MS);
	for (uint64_t s = 1; s <= PACER_WAYS; s++)
		kept += !pacer_take(&pacer, s, 0, START_MS);
	eq_int(kept, PACER_WAYS, "those who did little give way first");
}

static void
test_remember(void)
{
	pacer_init(&pacer, &shape);
	ok(!pacer_has(&pacer, 1, 0, START_MS), "nobody is remembered");
	pacer_remember(&pacer, 1, 0, START_MS + 10);
	ok(pacer_has(&pacer, 1, 0, START_MS + 9), "until the time that was "
	    "given");
	ok(!pacer_has(&pacer, 1, 0, START_MS + 10), "not longer");
	ok(!pacer_has(&pacer, 2, 0, START_MS) &&
	    !pacer_has(&pacer, 1, 1, START_MS), "nor others");
	pacer_remember(&pacer, 1, 0, START_MS + 20);
	ok(pacer_has(&pacer, 1, 0, START_MS + 10), "once more");
	for (uint64_t s = 2; s < 8 * PACER_SETS * PACER_WAYS; s++)
		pacer_remember(&pacer, s, 0, START_MS + 19);
	ok(pacer_has(&pacer, 1, 0, START_MS), "the longest stays");
}

static void
on_say(unsigned kind, uint64_t left_out)
{
	said_kind = kind;
	said += left_out;
	says++;
}

static int
allowed(unsigned kind, int count, uint64_t from, int64_t now)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		n += quiet_allows(&quiet, kind, from, now);
	return n;
}

static void
test_quiet(void)
{
	struct ev_loop *ev = EV_DEFAULT;
	int64_t now = START_MS;

	quiet_init(&quiet, ev, on_say);
	eq_int(allowed(0, QUIET_SOURCE_BURST, 1, now), QUIET_SOURCE_BURST,
	    "so many lines");
	ok(!ev_is_active(&quiet.summary), "nothing is left out yet");
	eq_int(allowed(0, 5, 1, now), 0, "then none");
	ok(ev_is_active(&quiet.summary), "of which there is word to come");
	eq_int(allowed(1, 1, 1, now), 1, "another kind");
	eq_int(says, 0, "which does not say it");
	eq_int(allowed(0, 1, 2, now), 1, "another source");
	eq_int(said, 5, "which says how many were left out");
	eq_int(allowed(0, 1, 2, now), 1, "and again");
	eq_int(says, 1, "which has nothing to say");
	eq_int(allowed(0, 2, 1, now + QUIET_EVERY_MS), 1, "one in time");
	now += 2 * QUIET_EVERY_MS;
	said = says = 0;
	for (uint64_t s = 100; s < 200; s++)
		said -= (uint64_t)allowed(2, 1, s, now);
	eq_int(-(int64_t)said, QUIET_BURST, "so many lines for all sources");
	said = 0;
	eq_int(allowed(QUIET_KINDS_MAX - 1, 1, 0, now), 1, "the last kind");
	eq_int(allowed(3, QUIET_BURST + 1, 0, now), QUIET_BURST,
	    "without a source");
	ev_feed_event(ev, &quiet.summary, EV_TIMER);
	ev_invoke_pending(ev);
	eq_int(said, 1 + 100 - QUIET_BURST + 1, "the timer says the rest");
	eq_int(said_kind, 3, "of each kind");
	allowed(3, 4, 0, now);
	quiet_done(&quiet);
	eq_int(said, 1 + 100 - QUIET_BURST + 1 + 4, "and so does the end");
	ok(!ev_is_active(&quiet.summary), "which stops it");
	ev_loop_destroy(ev);
}

int
main(void)
{
	test_sources();
	test_take();
	test_many();
	test_remember();
	test_quiet();
	return test_done();
}
