/* SPDX-License-Identifier: ISC */
/* A growable byte buffer with a cap that is given at its birth: bytes go in
 * at the end and out at the front.  It owns its memory and releases it when
 * it is emptied with buf_reset. */
#ifndef ADIT_BUF_H
#define ADIT_BUF_H

#include <stdarg.h>

#include "common/bytes.h"

struct buf {
	uint8_t *mem;
	size_t head; /* first byte in use */
	size_t tail; /* one after the last byte in use */
	size_t size; /* allocated */
	size_t max;  /* never more than this in use */
};

void buf_init(struct buf *b, size_t max);

/* Frees the memory; b may be used again as an empty buffer. */
void buf_reset(struct buf *b);

/* Makes b empty and keeps its memory. */
void buf_clear(struct buf *b);

/* The bytes in use; valid until the next call on b. */
struct bytes buf_bytes(const struct buf *b);
size_t buf_len(const struct buf *b);

/* Makes room for n more bytes.  Returns where they go, or NULL with ENOBUFS
 * (above max) or ENOMEM.  buf_commit then takes up to n of them. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Appends.  Returns 0, or -1 with ENOBUFS or ENOMEM and b unchanged. */
int buf_add(struct buf *b, struct bytes in);
int buf_add_str(struct buf *b, const char *s);
int buf_format(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int buf_vformat(struct buf *b, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Drops n bytes, at most buf_len, from the front. */
void buf_drop(struct buf *b, size_t n);

#endif
