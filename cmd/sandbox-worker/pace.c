/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/pace.h"

#include "cmd/sandbox-worker/retry.h"
#include "common/sha256.h"

int64_t
pace_empty(struct pace *p, int64_t now_ms, uint32_t random,
    enum diag_level *ret_level)
{
	p->failures = 0;
	*ret_level = DIAG_DEBUG;
	if (p->idle_ms == 0) {
		p->idle_ms = p->told_ms = now_ms == 0 ? 1 : now_ms;
		*ret_level = DIAG_INFO;
	} else if (now_ms - p->told_ms >= PACE_REMINDER_MS) {
		p->told_ms = now_ms;
		*ret_level = DIAG_INFO;
	}
	return PACE_IDLE_MIN_MS +
	    (int64_t)random % (PACE_IDLE_MAX_MS - PACE_IDLE_MIN_MS);
}

int64_t
pace_failed(struct pace *p, uint32_t random)
{
	return retry_backoff_ms(PACE_FAILED_MIN_MS, PACE_FAILED_MAX_MS,
	    p->failures++, random);
}

static struct pace_item *
find_item(struct pace *p, const uint8_t digest[8])
{
	struct pace_item *oldest = &p->items[0];

	for (size_t i = 0; i < PACE_ITEMS_MAX; i++) {
		struct pace_item *item = &p->items[i];

		if (item->used != 0 && memcmp(item->digest, digest, 8) == 0)
			return item;
		if (item->used < oldest->used)
			oldest = item;
	}
	*oldest = (struct pace_item){.claims = 0};
	memcpy(oldest->digest, digest, 8);
	return oldest;
}

uint32_t
pace_claimed(struct pace *p, const char *id)
{
	uint8_t digest[SHA256_LEN];
	struct pace_item *item;

	sha256(bytes_cstr(id), digest);
	item = find_item(p, digest);
	item->used = ++p->clock;
	p->failures = 0;
	p->idle_ms = 0;
	return item->claims++;
}
