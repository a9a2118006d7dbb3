/* SPDX-License-Identifier: ISC */
#include "common/idmap.h"

#include <stdlib.h>

enum { IDMAP_FIRST = 16 };

/* The high bits of the product: they depend on all of id, so that a peer which
 * numbers its streams in strides fills no row of slots. */
static size_t
slot_of(const struct idmap *m, uint32_t id)
{
	return (size_t)(((uint64_t)(id * 0x9e3779b1U) * m->size) >> 32);
}

static size_t
next_slot(const struct idmap *m, size_t i)
{
	return (i + 1) & (m->size - 1);
}

void
idmap_done(struct idmap *m)
{
	free(m->entries);
	*m = (struct idmap){0};
}

static void
place(struct idmap *m, uint32_t id, void *value)
{
	size_t i = slot_of(m, id);

	while (m->entries[i].id != 0)
		i = next_slot(m, i);
	m->entries[i] = (struct idmap_entry){id, value};
	m->count++;
}

static int
resize(struct idmap *m, size_t size)
{
	struct idmap grown = {.size = size};

	grown.entries = calloc(size, sizeof *grown.entries);
	if (grown.entries == NULL)
		return -1;
	for (size_t i = 0; i < m->size; i++) {
		if (m->entries[i].id != 0)
			place(&grown, m->entries[i].id, m->entries[i].value);
	}
	free(m->entries);
	*m = grown;
	return 0;
}

int
idmap_add(struct idmap *m, uint32_t id, void *value)
{
	if (m->count * 4 >= m->size * 3 &&
	    resize(m, m->size == 0 ? IDMAP_FIRST : m->size * 2) != 0)
		return -1;
	place(m, id, value);
	return 0;
}

void *
idmap_get(const struct idmap *m, uint32_t id)
{
	if (m->count == 0 || id == 0)
		return NULL;
	for (size_t i = slot_of(m, id); m->entries[i].id != 0;
	    i = next_slot(m, i)) {
		if (m->entries[i].id == id)
			return m->entries[i].value;
	}
	return NULL;
}

void
idmap_remove(struct idmap *m, uint32_t id)
{
	size_t hole;

	if (idmap_get(m, id) == NULL)
		return;
	for (hole = slot_of(m, id); m->entries[hole].id != id;)
		hole = next_slot(m, hole);
	m->count--;
	/* Close the hole with entries that probed across it. */
	for (size_t i = next_slot(m, hole); m->entries[i].id != 0;
	    i = next_slot(m, i)) {
		size_t want = slot_of(m, m->entries[i].id);

		if (((i - want) & (m->size - 1)) >=
		    ((i - hole) & (m->size - 1))) {
			m->entries[hole] = m->entries[i];
			hole = i;
		}
	}
	m->entries[hole] = (struct idmap_entry){0, NULL};
	if (m->size > IDMAP_FIRST && m->count * 8 < m->size)
		(void)resize(m, m->size / 2); /* stays large if it fails */
}

void *
idmap_any(struct idmap *m)
{
	if (m->count == 0)
		return NULL;
	while (m->entries[m->cursor & (m->size - 1)].id == 0)
		m->cursor++;
	return m->entries[m->cursor & (m->size - 1)].value;
}
