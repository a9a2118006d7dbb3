/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/gate_fake.h"

#include <errno.h>
#include <stdlib.h>

#include "common/str.h"

enum {
	V4_BASE = 0xc6120000, /* 198.18.0.0; the number of the first is 1 */
	IP_LEN = 16,
	V4_AT = 12,
};

static const uint8_t v4_prefix[V4_AT] = {[10] = 0xff, 0xff};
static const uint8_t v6_prefix[V4_AT] = {0xfd};

/* Returns the number of a name, from 1, or 0 with errno. */
static size_t
find_or_add(struct gate_fakes *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (str_eq(f->names[i], name))
			return i + 1;
	}
	if (f->count == GATE_FAKES_MAX) {
		errno = ENOSPC;
		return 0;
	}
	if (f->names == NULL)
		f->names = calloc(GATE_FAKES_MAX, sizeof *f->names);
	if (f->names == NULL)
		return 0;
	f->names[f->count] = strdup(name);
	return f->names[f->count] == NULL ? 0 : ++f->count;
}

int
gate_fake_assign(struct gate_fakes *f, const char *name,
    uint8_t ret_v4[static 4], uint8_t ret_v6[static 16])
{
	size_t n = find_or_add(f, name);

	if (n == 0)
		return -1;
	be32_put(ret_v4, (uint32_t)V4_BASE + (uint32_t)n);
	memcpy(ret_v6, v6_prefix, V4_AT);
	be32_put(ret_v6 + V4_AT, (uint32_t)n);
	return 0;
}

const char *
gate_fake_name(const struct gate_fakes *f, const uint8_t ip[static IP_LEN])
{
	uint32_t n = be32_get(ip + V4_AT);

	if (memcmp(ip, v4_prefix, V4_AT) == 0)
		n -= (uint32_t)V4_BASE;
	else if (memcmp(ip, v6_prefix, V4_AT) != 0)
		return NULL;
	return n != 0 && n <= f->count ? f->names[n - 1] : NULL;
}
