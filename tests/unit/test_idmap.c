/* SPDX-License-Identifier: ISC */
/* idmap against a plain array, with numbers that collide. */
#include "common/clock.h"
#include "common/idmap.h"
#include "tests/unit/test.h"

enum { IDS = 600 };

static uint32_t
id_of(size_t i, int kind)
{
	if (kind == 0)
		return (uint32_t)(2 * i + 1); /* as streams are numbered */
	if (kind == 1)
		return (uint32_t)(i + 1) << 20; /* collide in small tables */
	return (uint32_t)(i + 1) * 0x144cbc89U; /* the hash's inverse */
}

static void
test_model(int kind)
{
	void *model[IDS] = {0};
	struct idmap m = {.count = 0};
	size_t count = 0;
	int bad = 0, value;

	for (int round = 0; round < 60000; round++) {
		/* Grows, then shrinks, in turn. */
		bool adds = test_below(10) < (round / 5000 % 2 == 0 ? 7U : 3U);
		size_t i = test_below(IDS);

		if (adds && model[i] == NULL) {
			model[i] = &value + i;
			bad += idmap_add(&m, id_of(i, kind), model[i]) != 0;
			count++;
		} else if (!adds) {
			count -= model[i] != NULL;
			idmap_remove(&m, id_of(i, kind));
			model[i] = NULL;
		}
		bad += m.count != count;
		i = test_below(IDS);
		bad += idmap_get(&m, id_of(i, kind)) != model[i];
		bad += (idmap_any(&m) == NULL) != (count == 0);
	}
	for (size_t i = 0; i < IDS; i++)
		bad += idmap_get(&m, id_of(i, kind)) != model[i];
	eq_int(bad, 0, "60000 random steps equal the model (kind %d)", kind);
	ok(m.size <= 1024, "a table of %zu for %zu", m.size, count);
	idmap_done(&m);
}

static void
test_drain(void)
{
	struct idmap m = {.count = 0};
	int64_t began, spent;
	uintptr_t n = 0;
	void *v;

	eq_int(idmap_get(&m, 1) == NULL, true, "nothing in an empty map");
	idmap_remove(&m, 1);
	ok(idmap_any(&m) == NULL, "nor any");
	for (uintptr_t id = 1; id <= 65536; id++)
		idmap_add(&m, (uint32_t)id, (void *)id);
	ok(idmap_get(&m, 0) == NULL, "0 is no number of an entry");
	began = clock_ms();
	while ((v = idmap_any(&m)) != NULL) {
		idmap_remove(&m, (uint32_t)(uintptr_t)v);
		n++;
	}
	spent = clock_ms() - began;
	eq_int(n, 65536, "any finds all that there is");
	ok(spent < 1000, "in linear time (%" PRId64 " ms)", spent);
	ok(m.size <= 32, "and the table shrank to %zu", m.size);
	idmap_done(&m);
}

int
main(void)
{
	for (int kind = 0; kind < 3; kind++)
		test_model(kind);
	test_drain();
	return test_done();
}
