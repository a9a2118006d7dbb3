/* SPDX-License-Identifier: ISC */
/* A view of bytes that somebody else owns, and integers in network byte
 * order.  Everything that reads foreign bytes takes a struct bytes. */
#ifndef ADIT_BYTES_H
#define ADIT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *ptr; /* may be NULL when len is 0 */
	size_t len;
};

static inline struct bytes
bytes_of(const void *ptr, size_t len)
{
	return (struct bytes){ptr, len};
}

static inline struct bytes
bytes_cstr(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

/* The bytes of in after the first n, n at most in.len. */
static inline struct bytes
bytes_after(struct bytes in, size_t n)
{
	return (struct bytes){n == 0 ? in.ptr : in.ptr + n, in.len - n};
}

static inline bool
bytes_eq(struct bytes a, struct bytes b)
{
	return a.len == b.len &&
	    (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline uint16_t
be16_get(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
be24_get(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t
be32_get(const uint8_t *p)
{
	return (uint32_t)be16_get(p) << 16 | be16_get(p + 2);
}

static inline uint64_t
be64_get(const uint8_t *p)
{
	return (uint64_t)be32_get(p) << 32 | be32_get(p + 4);
}

static inline void
be16_put(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
be32_put(uint8_t *p, uint32_t v)
{
	be16_put(p, (uint16_t)(v >> 16));
	be16_put(p + 2, (uint16_t)v);
}

static inline void
be64_put(uint8_t *p, uint64_t v)
{
	be32_put(p, (uint32_t)(v >> 32));
	be32_put(p + 4, (uint32_t)v);
}

#endif
