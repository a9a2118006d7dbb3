/* SPDX-License-Identifier: ISC */
#include "common/pacer.h"

#include <assert.h>

#include "common/bytes.h"
#include "common/clock.h"

/* An IPv4 address is the network ::ffff:0:0/96 that it is mapped into; no
 * other source begins like that. */
static uint64_t
source_v4(const uint8_t address[static 4])
{
	return 0xffffULL << 32 | be32_get(address);
}

uint64_t
pacer_source(const struct sock_addr *peer)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *v6 = peer->v6.sin6_addr.s6_addr;
	uint8_t v4[4];

	switch (peer->any.sa_family) {
	case AF_INET:
		memcpy(v4, &peer->v4.sin_addr, sizeof v4);
		return source_v4(v4);
	case AF_INET6:
		return memcmp(v6, mapped, sizeof mapped) == 0
		    ? source_v4(v6 + sizeof mapped) : be64_get(v6);
	default:
		return 0;
	}
}

void
pacer_init(struct pacer *p, const struct pacer_shape *shape)
{
	static_assert((PACER_SETS & (PACER_SETS - 1)) == 0, "see find");
	memset(p, 0, sizeof *p);
	p->shape = *shape;
	random_bytes(&p->secret, sizeof p->secret);
}

/* The set that a source belongs to: the finalizer of MurmurHash3. */
static struct pacer_slot *
find_set(struct pacer *p, uint64_t source, uint32_t kind)
{
	uint64_t h = source ^ p->secret ^ (uint64_t)kind << 48;

	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
	return p->slots[(h ^ h >> 33) & (PACER_SETS - 1)];
}

static struct pacer_slot *
find(struct pacer *p, uint64_t source, uint32_t kind)
{
	struct pacer_slot *set = find_set(p, source, kind);

	for (int i = 0; i < PACER_WAYS; i++) {
		if (set[i].full_ms != 0 && set[i].source == source &&
		    set[i].kind == kind)
			return &set[i];
	}
	return NULL;
}

/* Gives a source the slot of the one that did least. */
static struct pacer_slot *
add(struct pacer *p, uint64_t source, uint32_t kind)
{
	struct pacer_slot *set = find_set(p, source, kind), *least = set;

	for (int i = 1; i < PACER_WAYS; i++) {
		if (set[i].full_ms < least->full_ms)
			least = &set[i];
	}
	*least = (struct pacer_slot){source, 0, kind};
	return least;
}

bool
pacer_take_one(int64_t *full_ms, const struct pacer_shape *shape,
    int64_t now_ms)
{
	int64_t full = *full_ms > now_ms ? *full_ms : now_ms;

	full += shape->every_ms;
	if (full - now_ms > shape->burst * shape->every_ms)
		return false;
	*full_ms = full;
	return true;
}

bool
pacer_take(struct pacer *p, uint64_t source, uint32_t kind, int64_t now_ms)
{
	struct pacer_slot *s = find(p, source, kind);

	if (s == NULL)
		s = add(p, source, kind);
	return pacer_take_one(&s->full_ms, &p->shape, now_ms);
}

void
pacer_give(struct pacer *p, uint64_t source, uint32_t kind)
{
	struct pacer_slot *s = find(p, source, kind);

	if (s != NULL)
		s->full_ms -= p->shape.every_ms;
}

void
pacer_remember(struct pacer *p, uint64_t source, uint32_t kind,
    int64_t until_ms)
{
	struct pacer_slot *s = find(p, source, kind);

	if (s == NULL)
		s = add(p, source, kind);
	s->full_ms = until_ms;
}

bool
pacer_has(struct pacer *p, uint64_t source, uint32_t kind, int64_t now_ms)
{
	const struct pacer_slot *s = find(p, source, kind);

	return s != NULL && s->full_ms > now_ms;
}
