/* SPDX-License-Identifier: ISC */
#include "common/blocks.h"

#include <assert.h>
#include <stdlib.h>

struct block {
	struct block *next;
	size_t head, tail;
	uint8_t bytes[BLOCKS_PIECE_MAX];
};

void
blocks_done(struct blocks *q)
{
	while (q->first != NULL) {
		struct block *b = q->first;

		q->first = b->next;
		free(b);
	}
	free(q->spare);
	*q = (struct blocks){.len = 0};
}

static struct block *
block_take(struct blocks *q)
{
	struct block *b = q->spare;

	q->spare = NULL;
	if (b == NULL)
		b = malloc(sizeof *b);
	if (b == NULL)
		return NULL;
	b->next = NULL;
	b->head = b->tail = 0;
	return b;
}

size_t
blocks_room(const struct blocks *q)
{
	return q->last == NULL ? 0 : BLOCKS_PIECE_MAX - q->last->tail;
}

uint8_t *
blocks_reserve(struct blocks *q, size_t len)
{
	struct block *b = q->last;

	assert(len <= BLOCKS_PIECE_MAX);
	if (b != NULL && blocks_room(q) >= len)
		return b->bytes + b->tail;
	b = block_take(q);
	if (b == NULL)
		return NULL;
	if (q->last == NULL)
		q->first = b;
	else
		q->last->next = b;
	q->last = b;
	return b->bytes;
}

void
blocks_commit(struct blocks *q, size_t n)
{
	assert(n <= blocks_room(q));
	q->last->tail += n;
	q->len += n;
}

struct bytes
blocks_bytes(const struct blocks *q)
{
	const struct block *b = q->first;

	if (b == NULL)
		return bytes_of(NULL, 0);
	return bytes_of(b->bytes + b->head, b->tail - b->head);
}

void
blocks_drop(struct blocks *q, size_t n)
{
	struct block *b = q->first;

	assert(b != NULL && n <= b->tail - b->head);
	b->head += n;
	q->len -= n;
	if (b->head != b->tail)
		return;
	q->first = b->next;
	if (q->first == NULL)
		q->last = NULL;
	if (q->spare == NULL)
		q->spare = b;
	else
		free(b);
}
