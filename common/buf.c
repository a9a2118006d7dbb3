/* SPDX-License-Identifier: ISC */
#include "common/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 256 };

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_reset(struct buf *b)
{
	free(b->mem);
	buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
	b->head = b->tail = 0;
}

struct bytes
buf_bytes(const struct buf *b)
{
	return b->mem == NULL ? bytes_of(NULL, 0)
			      : bytes_of(b->mem + b->head, b->tail - b->head);
}

size_t
buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static void
buf_compact(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->head == 0)
		return;
	memmove(b->mem, b->mem + b->head, len);
	b->head = 0;
	b->tail = len;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b);
	size_t size = b->size == 0 ? BUF_FIRST : b->size;
	uint8_t *mem;

	if (n > b->max || len > b->max - n) {
		errno = ENOBUFS;
		return NULL;
	}
	if (b->mem != NULL && b->size - b->tail >= n)
		return b->mem + b->tail;
	if (b->mem != NULL && b->size - len >= n &&
	    (b->head >= b->size / 2 || b->size >= b->max)) {
		buf_compact(b);
		return b->mem + b->tail;
	}
	/* Grows even where moving the bytes would do: a queue that is nearly
	 * full would move them again for every few that leave. */
	while (size == b->size || size - len < n)
		size = size > b->max / 2 ? b->max : size * 2;
	buf_compact(b);
	mem = realloc(b->mem, size);
	if (mem == NULL)
		return NULL;
	b->mem = mem;
	b->size = size;
	return mem + b->tail;
}

void
buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->size - b->tail);
	b->tail += n;
}

int
buf_add(struct buf *b, struct bytes in)
{
	uint8_t *at = buf_reserve(b, in.len);

	if (at == NULL)
		return -1;
	if (in.len != 0)
		memcpy(at, in.ptr, in.len);
	b->tail += in.len;
	return 0;
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, bytes_cstr(s));
}

int
buf_vformat(struct buf *b, const char *format, va_list ap)
{
	va_list again;
	uint8_t *at;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return -1;
	b->max++; /* for the NUL that does not stay */
	at = buf_reserve(b, (size_t)n + 1);
	b->max--;
	if (at == NULL)
		return -1;
	vsnprintf((char *)at, (size_t)n + 1, format, ap);
	b->tail += (size_t)n;
	return 0;
}

int
buf_format(struct buf *b, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = buf_vformat(b, format, ap);
	va_end(ap);
	return r;
}

void
buf_drop(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}
