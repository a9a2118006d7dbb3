/* SPDX-License-Identifier: ISC */
/* Events of a session, a line each: those of the history up to an empty line,
 * then those of the stream.  Whatever they are, one call runs at a time, none
 * runs that is not ours or twice, and nothing is kept in the end. */
#include <assert.h>

#include "cmd/sandbox-worker/ledger.h"
#include "common/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static bool
owns(const char *name)
{
	return str_eq(name, "bash");
}

static void
run_some(struct ledger *l, int64_t now)
{
	struct ledger_call *c;

	while ((c = ledger_take(l, now)) != NULL) {
		assert(l->current == c && owns(c->name) && !c->answered);
		assert(c->permission != PERMISSION_DENY &&
		    c->verdict != VERDICT_DENY);
		assert(c->permission == PERMISSION_ALLOW ||
		    c->verdict == VERDICT_ALLOW);
		assert(!c->has_result || c->posts > 0);
		assert(ledger_take(l, now) == NULL);
		assert(ledger_deadline_ms(l) == INT64_MAX);
		if (c->state == CALL_POSTING || ledger_set_result(l, false,
		    bytes_cstr("x"), now))
			ledger_set_posted(l, (enum ledger_post)(now % 3),
			    now);
	}
}

static void
take_line(struct ledger *l, struct bytes line, bool live, int64_t now)
{
	struct event ev;
	struct error e;

	if (event_parse(line, &ev, &e) != 0)
		return;
	if (live)
		ledger_add_live(l, &ev, now, &e);
	else
		ledger_add_history(l, &ev, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct bytes left = bytes_of(in, len);
	struct ledger l;
	bool live = false;
	int64_t now = 1;

	ledger_init(&l, 1000, owns);
	ledger_begin_pass(&l);
	while (left.len != 0) {
		const uint8_t *end = memchr(left.ptr, '\n', left.len);
		size_t n = end == NULL ? left.len : (size_t)(end - left.ptr);

		if (n == 0 && !live) {
			ledger_end_pass(&l, true, now);
			live = true;
		} else if (n == 0) {
			ledger_begin_pass(&l);
			live = false;
		}
		take_line(&l, bytes_of(left.ptr, n), live, now++);
		if (live)
			run_some(&l, now);
		left = bytes_after(left, end == NULL ? n : n + 1);
	}
	ledger_end_pass(&l, now % 2 == 0, now);
	run_some(&l, now);
	assert(l.first == NULL && l.current == NULL);
	ledger_done(&l);
	return 0;
}
