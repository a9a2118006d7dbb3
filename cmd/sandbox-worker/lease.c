/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/lease.h"

#include <inttypes.h>

#include "common/jsonr.h"
#include "common/str.h"

void
lease_init(struct lease *l, int64_t now_ms)
{
	*l = (struct lease){
		.last = "NO_HEARTBEAT",
		.ttl_ms = LEASE_TTL_MS,
		.interval_ms = LEASE_INTERVAL_MS,
		.success_ms = now_ms,
	};
}

void
lease_finish(struct lease *l, enum lease_end end)
{
	if (l->end == LEASE_HELD)
		l->end = end;
}

bool
lease_is_lost(const struct lease *l)
{
	return l->end == LEASE_LOST || l->end == LEASE_ASSUMED_LOST ||
	    l->end == LEASE_LEFT;
}

static void
set_ttl(struct lease *l, int64_t seconds)
{
	int64_t half;

	if (seconds <= 0)
		return;
	l->ttl_ms = seconds * 1000;
	half = l->ttl_ms / 2;
	l->interval_ms = half < LEASE_INTERVAL_MIN_MS ? LEASE_INTERVAL_MIN_MS
	    : half > LEASE_INTERVAL_MS ? LEASE_INTERVAL_MS : half;
	l->answered = true;
}

static int
take_success(struct lease *l, struct bytes body, int64_t now_ms,
    struct error *e)
{
	char stamp[LEASE_STAMP_MAX];
	int64_t ttl = 0;
	bool extended = false;
	struct jsonr v;

	if (jsonr_parse_object(body, &v, e) != 0 ||
	    jsonr_get_str(v, "last_heartbeat", stamp, sizeof stamp, e) == -1 ||
	    jsonr_get_str(v, "state", l->state, sizeof l->state, e) == -1 ||
	    jsonr_get_bool(v, "lease_extended", &extended, e) == -1 ||
	    jsonr_get_int(v, "ttl_seconds", 0, LEASE_TTL_MAX_MS / 1000, &ttl,
	    e) == -1)
		return -1;
	if (stamp[0] == '\0' && extended)
		return error_set(e, "last_heartbeat: absent");
	l->success_ms = now_ms;
	if (stamp[0] != '\0')
		str_from_bytes(l->last, sizeof l->last, bytes_cstr(stamp));
	set_ttl(l, ttl);
	if (str_eq(l->state, "stopping") || str_eq(l->state, "stopped") ||
	    !extended)
		lease_finish(l, LEASE_STOPPING);
	return 0;
}

int
lease_answer(struct lease *l, long status, struct bytes body, int64_t now_ms,
    struct error *e)
{
	if (status >= 200 && status < 300) {
		if (take_success(l, body, now_ms, e) == 0)
			return 0;
		error_prefix(e, "the answer to a heartbeat");
	} else if (status == 412) {
		lease_finish(l, LEASE_LOST);
		return error_set(e, "the lease belongs to somebody else");
	} else if (status >= 400 && status < 500 && status != 408 &&
	    status != 409 && status != 429) {
		lease_finish(l, LEASE_REJECTED);
		return error_set(e, "heartbeats are refused with %ld", status);
	} else {
		error_set(e, status == 0 ? "no answer" : "status %ld",
		    status);
	}
	if (now_ms - l->success_ms > l->ttl_ms) {
		lease_finish(l, LEASE_ASSUMED_LOST);
		return error_set(e, "no heartbeat came through in %" PRId64
		    " s: the lease is taken for lost", l->ttl_ms / 1000);
	}
	return -1;
}
